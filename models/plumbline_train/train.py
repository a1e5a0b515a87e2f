"""From nothing to a trained net: render shards beside the training, learn, keep the averaged weights."""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from plumbline.stages import TRACKS
from plumbline_sim.scene.facade import MACHINE, NET, PERSON
from plumbline_train import dataset
from plumbline_train.net import StageNet, stage_steps

_BATCH: Final = 8
_AVERAGING: Final = 0.998
_AUX_WEIGHTS: Final = (1.0, 1.2, 1.0, 1.0, 1.0, 1.0, 1.5, 2.0, 5.0)
_PEAK_RATE: Final = 2.5e-3
_RENO_SHARE: Final = 0.62  # stages of a renovation differ less to the eye and take longer to learn
_CHECKPOINT_S: Final = 60.0

_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3

Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run is asked for; the same settings render the same samples."""

    seed: int = 1
    minutes: float = 40.0
    shards: int = 120
    first_shards: int = 12


@dataclass(slots=True)
class Run:
    """What a run has come to; saved with the weights, so that `--resume` goes on."""

    spent_s: float = 0.0
    steps: int = 0
    samples: int = 0


def train(out: Path, settings: Settings, *, resume: bool, report: Report) -> Run:
    """Train for `settings.minutes` and leave `out/weights.pt`; `report` hears the share done and one line of figures."""
    cache = out / "samples"
    pool = multiprocessing.get_context("spawn").Pool(
        1, initializer=os.nice, initargs=(5,)
    )  # the learner goes first
    try:
        jobs = [
            pool.apply_async(dataset.write_shard, (cache, number, settings.seed))
            for number in range(settings.shards)
        ]
        return _learn(out, settings, jobs, resume=resume, report=report)
    finally:
        pool.terminate()
        pool.join()


def _keep_memory() -> None:
    """Let glibc reuse big blocks: giving each tensor back to the kernel costs half of a CPU run in page faults."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no mallopt
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc takes
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _learn(out: Path, settings: Settings, jobs: list[Any], *, resume: bool, report: Report) -> Run:
    _keep_memory()
    torch.set_flush_denormal(True)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net, mean = StageNet(), StageNet()
    mean.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=_PEAK_RATE, weight_decay=1e-4)
    run, checkpoint = Run(), out / "checkpoint.pt"
    if resume and checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        mean.load_state_dict(kept["mean"])
        optimiser.load_state_dict(kept["optimiser"])
        run = Run(**kept["run"])
    net, budget = net.to(memory_format=torch.channels_last), settings.minutes * 60
    shards, saved, smooth = _Shards(jobs), time.monotonic(), 0.0
    order: list[int] = []
    for number in range(min(settings.first_shards, len(jobs))):
        jobs[number].wait()
        report(0.0, f"rendering: {number + 1} of {settings.first_shards} shards before the first step")
    shards.load_ready()
    while run.spent_s < budget:
        began = time.monotonic()
        if len(order) < _BATCH:
            shards.load_ready()
            order = shards.draw(rng).tolist()
        picked, order = order[:_BATCH], order[_BATCH:]
        share = run.spent_s / budget
        for group in optimiser.param_groups:
            group["lr"] = _rate(run.steps, share)
        loss = _step(net, mean, optimiser, _batch(shards.pick(picked), rng), run.steps)
        run.steps, run.samples = run.steps + 1, run.samples + _BATCH
        run.spent_s += time.monotonic() - began
        smooth = loss["total"] if not smooth else 0.98 * smooth + 0.02 * loss["total"]
        if run.steps % 20 == 0:
            figures = " ".join(f"{name} {value:.3f}" for name, value in loss.items())
            report(share, f"step {run.steps} of {shards.count} samples: mean {smooth:.3f} {figures}")
        if time.monotonic() - saved > _CHECKPOINT_S or run.spent_s >= budget:
            saved = time.monotonic()
            state = {"net": net.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "run": asdict(run)}, checkpoint)
    torch.save({"mean": mean.state_dict(), "run": asdict(run)}, out / "weights.pt")
    facts = {
        "seed": settings.seed, "minutes": round(run.spent_s / 60, 1), "steps": run.steps,
        "samples_shown": run.samples, "samples_distinct": shards.count,
    }  # fmt: skip
    (out / "trained.json").write_text(json.dumps(facts), encoding="utf-8")
    return run


class _Shards:
    """The samples rendered so far, in memory."""

    def __init__(self, jobs: list[Any]) -> None:
        self._waiting = list(jobs)
        self._shards: list[dict[str, Any]] = []

    @property
    def count(self) -> int:
        return len(self._shards) * dataset.SHARD

    def load_ready(self) -> None:
        ready = [job for job in self._waiting if job.ready()]
        for job in ready:
            with np.load(job.get()) as columns:
                self._shards.append({name: columns[name] for name in columns.files})
        self._waiting = [job for job in self._waiting if job not in ready]

    def draw(self, rng: np.random.Generator) -> Any:
        """An epoch's worth of sample numbers, renovations more often than their share."""
        reno = np.concatenate([shard["track"] for shard in self._shards]) == TRACKS.index("reno")
        odds = np.where(reno, _RENO_SHARE / max(reno.sum(), 1), (1 - _RENO_SHARE) / max((~reno).sum(), 1))
        return rng.choice(self.count, self.count, p=odds / odds.sum())

    def pick(self, numbers: list[int]) -> dict[str, Any]:
        places = [divmod(number, dataset.SHARD) for number in numbers]
        return {name: np.stack([self._shards[s][name][i] for s, i in places]) for name in self._shards[0]}


def _rate(step: int, share: float) -> float:
    """Warm up, hold, fall to nothing along a cosine."""
    return (
        _PEAK_RATE * min(1.0, (step + 1) / 150) * (0.5 + 0.5 * float(np.cos(np.pi * min(share, 1.0)))) + 1e-5
    )


def _batch(columns: dict[str, Any], rng: np.random.Generator) -> dict[str, Tensor]:
    """Tensors of a batch, mirrored, tinted, shifted and with day-0 left out at random."""
    pictures = ("now", "day0", "stage", "aux", "zone")
    flip = rng.random(len(columns["now"])) < 0.5
    for name in pictures:
        columns[name][flip] = columns[name][flip][:, :, ::-1]
    size = len(flip)
    now, day0 = (
        torch.from_numpy(columns[name]).permute(0, 3, 1, 2).float() / 255 for name in ("now", "day0")
    )
    now, day0 = _tinted(now, rng), _tinted(day0, rng)
    for index in np.flatnonzero(rng.random(size) < 0.4).tolist():
        moves = tuple(int(v) for v in rng.integers(-4, 5, 2))
        day0[index] = torch.roll(day0[index], moves, (1, 2))
    day0[torch.from_numpy(rng.random(size) < 0.15)] = 0
    batch = {
        name: torch.from_numpy(columns[name])
        for name in ("stage", "aux", "zone", "percent", "weight", "quality")
    }
    batch["x"] = torch.cat([now, day0], 1).contiguous(memory_format=torch.channels_last)
    batch["track"] = functional.one_hot(torch.from_numpy(columns["track"]).long(), len(TRACKS)).float()
    return batch


def _tinted(image: Tensor, rng: np.random.Generator) -> Tensor:
    size = image.shape[0]
    gain = torch.from_numpy(
        rng.normal(1, 0.1, (size, 1, 1, 1)) * rng.normal(1, 0.05, (size, 3, 1, 1))
    ).float()
    shift = torch.from_numpy(rng.normal(0, 0.03, (size, 1, 1, 1))).float()
    return (image * gain + shift).clamp_(0, 1)


def _step(
    net: StageNet, mean: StageNet, optimiser: Any, batch: dict[str, Tensor], step: int
) -> dict[str, float]:
    net.train()
    losses = _losses(net, batch)
    total = sum(losses.values(), torch.zeros(()))
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 3.0)
    optimiser.step()
    keep = min(_AVERAGING, (1 + step) / (20 + step))
    with torch.no_grad():
        for slow, fast in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if slow.dtype.is_floating_point:
                slow.mul_(keep).add_(fast, alpha=1 - keep)
            else:
                slow.copy_(fast)
    return {"total": float(total.detach()), **{name: float(value.detach()) for name, value in losses.items()}}


def _losses(net: StageNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    stage, aux, quality = net.logits(batch["x"], batch["track"])
    hidden = (
        (batch["aux"] == NET) | (batch["aux"] == MACHINE) | (batch["aux"] == PERSON) | (batch["aux"] == 255)
    )
    usable = ((batch["stage"] != 255) & ~hidden).float()[:, None]
    visible = functional.avg_pool2d(usable, 2)
    reached = (batch["stage"][:, None] >= torch.arange(1, 8)[None, :, None, None]).float() * usable
    wanted = functional.avg_pool2d(reached, 2) / visible.clamp_min(1e-6)
    chained = functional.logsigmoid(stage).cumsum(1)
    unreached = torch.log(-torch.expm1(chained.clamp_max(-1e-5)))
    ordinal = -(wanted * chained + (1 - wanted) * unreached.clamp_min(-12))
    share = visible / visible.sum((2, 3), keepdim=True).clamp_min(1.0)  # every picture counts alike
    zone, project = _pooled_losses(torch.exp(chained), (visible[:, 0] > 0.5).float(), batch)
    return {
        "stage": (ordinal * share).sum((1, 2, 3)).mean(), "zone": 2.0 * zone, "project": 3.0 * project,
        "aux": 0.5 * _aux_loss(aux, batch["aux"]),
        "quality": 0.2 * functional.binary_cross_entropy_with_logits(quality, batch["quality"]),
    }  # fmt: skip


def _aux_loss(logits: Tensor, aux: Tensor) -> Tensor:
    fine = aux[:, ::2, ::2].long()
    known = fine != 255
    costs = functional.cross_entropy(
        logits, fine.clamp_max(len(_AUX_WEIGHTS) - 1), torch.tensor(_AUX_WEIGHTS), reduction="none"
    )
    return (costs * known).sum() / known.sum().clamp_min(1)


def _pooled_losses(reached: Tensor, visible: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """L1 of each visible zone's pooled percent, and of the picture's, as shares of 1."""
    steps = batch["track"] @ stage_steps()
    percent = (reached * steps[:, :, None, None]).sum(1).flatten(1)
    zone = batch["zone"].long().flatten(1)
    inside = (zone < dataset.MAX_ZONES).float() * visible.flatten(1)
    slot = zone.clamp_max(dataset.MAX_ZONES - 1)
    empty = torch.zeros(len(zone), dataset.MAX_ZONES)
    area = empty.scatter_add(1, slot, inside)
    whole = empty.scatter_add(1, slot, (zone < dataset.MAX_ZONES).float())
    pooled = empty.scatter_add(1, slot, inside * percent) / area.clamp_min(1.0)
    seen = ((area > 0.35 * whole) & (area >= 4)).float()
    zone_loss = ((pooled - batch["percent"]).abs() * seen).sum() / seen.sum().clamp_min(1)
    weight = batch["weight"] * seen
    off = ((pooled - batch["percent"]) * weight).sum(1) / weight.sum(1).clamp_min(1e-6)
    return zone_loss, off.abs().mean()
