"""From nothing to a trained net: render what is missing, learn, keep the averaged weights."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from plumbline.errors import ConfigError
from plumbline_train import dataset, photos
from plumbline_train.augment import Samples, batch
from plumbline_train.dataset import Recipe, Shards
from plumbline_train.losses import Weights, losses
from plumbline_train.monitor import judge
from plumbline_train.net import StageNet

_AVERAGING: Final = 0.998
_DECAY: Final = 1e-4
_CLIP: Final = 3.0
_WARM_UP: Final = 150
_TOLD_EVERY: Final = 20
_MARKED_SHARE: Final = 0.06
"""Of the samples of a step that are facades with marked windows instead of renders."""
_MONITOR_SEED: Final = 9
"""Of the hold-out samples a run is watched with; the card's are drawn from other seeds."""

_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3

Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run is asked for."""

    seed: int = 1
    minutes: float = 60.0
    steps: int | None = None
    """Learn for so many steps instead of minutes: the same settings then give the same weights, on the same machine."""
    shards: int = 140
    batch: int = 16
    peak_rate: float = 1.5e-3
    day0: bool = True
    real: bool = True
    """Mix in real photos, where they are here: marked windows, and the low frequencies of their light."""
    reno_kept: float = 0.4
    """Share of the renovations that a pass shows: they are learned slowly, and at the cost of the new buildings."""
    coarse: bool = True
    """Look at half-size canvases: three times as many samples for the time, which was worth more than the details."""
    weights: Weights = field(default_factory=Weights)
    watch_minutes: float = 5.0
    """How often the hold-out samples are judged; 0 for never."""
    checkpoint_s: float = 60.0

    def __post_init__(self) -> None:
        if self.batch < 2 or self.batch % 2:
            raise ConfigError(
                f"batch: expected an even number, got {self.batch}", hint="Samples come in pairs."
            )


@dataclass(slots=True)
class Run:
    """What a run has come to; saved with the weights, so that the same command goes on."""

    spent_s: float = 0.0
    steps: int = 0
    prepared_s: float = 0.0
    """Of `spent_s`: waiting for batches."""
    curve: list[list[float]] = field(default_factory=list)
    """Share done, and the smoothed loss there."""
    watched: list[dict[str, float]] = field(default_factory=list)
    grown: list[list[float]] = field(default_factory=list)
    """From which step on it learned from how many samples and from which share of the renovations: both may grow."""


def train(
    out: Path, settings: Settings, report: Report, *, samples: Path | None = None, workers: int = 0
) -> Run:
    """Leave `out/weights.pt` and `out/trained.json`, going on from `out/checkpoint.pt` where there is one.

    `report` hears the share done and one line of figures. Samples are kept in `samples`, `out/samples` by default.
    """
    out.mkdir(parents=True, exist_ok=True)
    workers = workers or len(os.sched_getaffinity(0))
    _keep_memory()  # before any big block is asked for
    recipe = Recipe(seed=settings.seed)
    folder = samples or out / "samples"

    def rendering(what: str, count: int) -> Callable[[int], None]:
        return lambda done: report(0.0, f"rendering {what}: {done} of {count} shards")

    shown = rendering("samples", settings.shards)
    paths = dataset.render_shards(folder, recipe, settings.shards, workers=workers, report=shown)
    kept = Recipe(seed=_MONITOR_SEED, split="holdout", fault_share=0.0)
    watch = dataset.render_shards(folder, kept, 2, workers=workers, report=rendering("hold-out", 2))
    return _Trainer(out, settings, recipe, Shards.opened(paths), Shards.opened(watch), report).run()


class _Trainer:
    """One run: what is learned, from what, and how far it has come."""

    def __init__(
        self, out: Path, settings: Settings, recipe: Recipe, shards: Shards, watch: Shards, report: Report
    ) -> None:
        self._out, self._settings, self._recipe, self._report = out, settings, recipe, report
        self._shards, self._watch = shards, watch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_flush_denormal(True)
        torch.manual_seed(settings.seed)
        self._net, self._mean = (
            StageNet(sees_day0=settings.day0, coarse=settings.coarse).to(self._device) for _ in range(2)
        )
        self._mean.load_state_dict(self._net.state_dict())
        self._net = self._net.to(memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(_decaying(self._net), lr=settings.peak_rate)
        self._made = Run()
        source = photos.photo_folder() if settings.real else None
        self._styles = photos.styles(source) if source else None
        self._marked = photos.marked_facades(source, settings.seed) if source else None
        self._photos = (photos.photos_hash(source), photos.credits_of(source)) if source else ("", [])

    def run(self) -> Run:
        self._go_on()
        shown = [len(self._shards), self._settings.reno_kept]
        if not self._made.grown or self._made.grown[-1][1:] != shown:
            self._made.grown.append([self._made.steps, *shown])
        run, smooth, saved, seen = self._made, 0.0, time.monotonic(), time.monotonic()
        prepared = self._batches()
        while (share := self._share()) < 1:
            began = time.monotonic()
            ready = next(prepared)
            run.prepared_s += time.monotonic() - began
            parts = self._step(ready, self._rate(share))
            run.steps += 1
            run.spent_s += time.monotonic() - began
            smooth = parts["total"] if not smooth else 0.98 * smooth + 0.02 * parts["total"]
            if run.steps % _TOLD_EVERY == 0:
                told = " ".join(f"{name} {value:.3f}" for name, value in parts.items())
                self._report(
                    share, f"step {run.steps} ({self._ms():.0f} ms/sample): mean {smooth:.3f} {told}"
                )
            if share >= len(run.curve) / 20:
                run.curve.append([round(share, 3), round(smooth, 4)])
            if time.monotonic() - saved > self._settings.checkpoint_s:
                saved = time.monotonic()
                self._save()
            if 0 < self._settings.watch_minutes * 60 < time.monotonic() - seen:
                self._look(share)
                seen = time.monotonic()
        if self._settings.watch_minutes:
            self._look(1.0)
        self._save()
        kept = {
            "mean": self._mean.state_dict(),
            "sees_day0": self._settings.day0,
            "coarse": self._settings.coarse,
        }
        torch.save(kept, self._out / "weights.pt")
        (self._out / "trained.json").write_text(json.dumps(self._facts(), indent=1), encoding="utf-8")
        return run

    def _share(self) -> float:
        if self._settings.steps is not None:
            return self._made.steps / max(self._settings.steps, 1)
        return self._made.spent_s / max(self._settings.minutes * 60, 1e-9)

    def _rate(self, share: float) -> float:
        """Warm up, then fall to nothing along a cosine."""
        falling = 0.5 + 0.5 * float(np.cos(np.pi * min(share, 1.0)))
        return self._settings.peak_rate * min(1.0, (self._made.steps + 1) / _WARM_UP) * falling + 1e-5

    def _ms(self) -> float:
        return 1000 * self._made.spent_s / max(self._made.steps * self._settings.batch, 1)

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        """The steps' batches from the present step on; a GPU has the next ones prepared while it works."""
        wanted = dataset.batches(
            self._shards, self._settings.seed, self._settings.batch, self._made.steps,
            reno_kept=self._settings.reno_kept,
        )  # fmt: skip
        if self._device.type == "cpu":  # both cores are busy with the step itself
            yield from (self._prepared(step, numbers) for step, numbers in wanted)
            return
        with ThreadPoolExecutor(4) as pool:
            ahead: deque[Future[dict[str, Tensor]]] = deque(
                pool.submit(self._prepared, *job) for job in islice(wanted, 8)
            )
            for job in wanted:
                yield ahead.popleft().result()
                ahead.append(pool.submit(self._prepared, *job))

    def _prepared(self, step: int, numbers: list[int]) -> dict[str, Tensor]:
        """What step `step` is shown; everything random follows from the seed and its number."""
        rng = np.random.default_rng([self._settings.seed, step, 7])
        samples = self._shards.pick(numbers)
        if self._marked is not None:
            mix_in(samples, self._marked, rng, _MARKED_SHARE)
        made = batch(samples, rng, self._styles)
        return (
            made if self._device.type == "cpu" else {name: part.pin_memory() for name, part in made.items()}
        )

    def _step(self, ready: dict[str, Tensor], rate: float) -> dict[str, float]:
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        ready = {name: part.to(self._device, non_blocking=True) for name, part in ready.items()}
        self._net.train()
        # bf16 helps on a GPU only: AVX2 has no such unit
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            stage, aux, quality = self._net.logits(ready["x"], ready["track"])
        parts = losses(stage.float(), aux.float(), quality.float(), ready, self._settings.weights)
        total = torch.stack(list(parts.values())).sum()
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), _CLIP)
        self._optimiser.step()
        average(self._mean, self._net, min(_AVERAGING, (1 + self._made.steps) / (20 + self._made.steps)))
        return {
            "total": float(total.detach()),
            **{name: float(part.detach()) for name, part in parts.items()},
        }

    def _look(self, share: float) -> None:
        """Judge the hold-out samples for the log; nothing is chosen by it."""
        figures = judge(self._mean, self._watch, self._device)
        self._made.watched.append({"share": round(share, 3), **{k: round(v, 3) for k, v in figures.items()}})
        told = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self._report(share, f"hold-out after step {self._made.steps}: {told}")

    def _save(self) -> None:
        """Whole or not at all: a run may be cut off while it writes."""
        state = {
            "settings": json.dumps(self._alike()), "run": asdict(self._made), "net": self._net.state_dict(),
            "mean": self._mean.state_dict(), "optimiser": self._optimiser.state_dict(),
        }  # fmt: skip
        unfinished = self._out / "checkpoint.tmp"
        torch.save(state, unfinished)
        unfinished.replace(self._out / "checkpoint.pt")

    def _go_on(self) -> None:
        path = self._out / "checkpoint.pt"
        if not path.exists():
            return
        kept = torch.load(path, weights_only=True, map_location=self._device)
        if kept["settings"] != json.dumps(self._alike()):
            raise ConfigError(
                f"{path} is of a run with other settings or samples",
                hint="Name another --out, or remove the checkpoint to begin anew.",
            )
        self._net.load_state_dict(kept["net"])
        self._mean.load_state_dict(kept["mean"])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._made = Run(**kept["run"])

    def _alike(self) -> dict[str, Any]:
        """What must be the same for a run to go on; how long it goes on, and from which samples, may differ."""
        asked = asdict(self._settings)
        for free in ("minutes", "steps", "shards", "reno_kept", "watch_minutes", "checkpoint_s"):
            del asked[free]
        return asked | {"samples": dataset.dataset_hash(self._recipe, self._photos[0])}

    def _facts(self) -> dict[str, Any]:
        """Everything a card says of the run."""
        run, settings = self._made, self._settings
        return {
            "seed": settings.seed, "minutes": round(run.spent_s / 60, 1), "steps": run.steps, "batch": settings.batch,
            "samples_shown": run.steps * settings.batch, "samples_distinct": len(self._shards),
            "samples_from_step": json.dumps(run.grown),
            "ms_per_sample": round(self._ms(), 1), "share_preparing": round(run.prepared_s / max(run.spent_s, 1e-9), 3),
            "dataset_hash": dataset.dataset_hash(self._recipe, self._photos[0]), "renderer_hash": dataset.renderer_hash(),
            "photos_hash": self._photos[0], "photos": self._photos[1], "state_taken": "the last, averaged; none was chosen",
            "sees_day0": settings.day0, "coarse": settings.coarse, "loss_weights": json.dumps(asdict(settings.weights)),
            "loss_curve": [loss for _, loss in run.curve], "watched": json.dumps(run.watched[-1:]),
            "git": _git_state(), "device": self._device.type, "cpus": len(os.sched_getaffinity(0)), "torch": torch.__version__,
        }  # fmt: skip


def mix_in(samples: Samples, marked: Samples, rng: np.random.Generator, share: float) -> None:
    """Put a facade with marked windows in the place of `share` of the samples."""
    for index in np.flatnonzero(rng.random(len(samples)) < share).tolist():
        samples[index] = marked[int(rng.integers(len(marked)))]


def average(mean: StageNet, net: StageNet, keep: float) -> None:
    """Move `mean` towards `net`, keeping `keep` of it."""
    slow = list(mean.state_dict().values())
    fast = [value.detach() for value in net.state_dict().values()]
    with torch.no_grad():
        for old, new in zip(slow, fast, strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)


def _decaying(net: StageNet) -> list[dict[str, Any]]:
    """Weights of convolutions decay, norms and biases do not."""
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() <= 1]
    return [{"params": matrices, "weight_decay": _DECAY}, {"params": vectors, "weight_decay": 0.0}]


def _keep_memory() -> None:
    """Let glibc reuse big blocks: giving each tensor back to the kernel costs half of a CPU run in page faults."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no mallopt
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc takes
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _git_state() -> str:
    """The commit the trainer ran from, `+` where files were changed; empty outside a checkout."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        where = Path(__file__).parent
        head, changed = (
            subprocess.run(
                ["git", *asked], cwd=where, capture_output=True, text=True, check=True
            ).stdout.strip()
            for asked in (
                ("rev-parse", "--short=12", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        )
        return head + ("+" if changed else "")
    return ""
