"""Trained weights to the ONNX file the gateway runs, refused where it does not do what torch does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from plumbline.errors import Refused
from plumbline.stages import TRACKS
from plumbline_edge.vision.model import MAX_MODEL_BYTES
from plumbline_train.dataset import SIZE_HW
from plumbline_train.net import StageNet

OPSET: Final = 17
PARITY: Final = 1e-3
_TRIALS: Final = 6
_OUTPUTS: Final = ("stage", "aux", "quality")


def export(weights: Path, target: Path) -> float:
    """Write `target` with inputs `x`, `track` and outputs `stage`, `aux`, `quality`: fp32, fixed shapes, one file.

    Returns how far onnxruntime and torch are apart. Raises Refused over PARITY, where the stages' chances do not
    fall, or where the file is too large; `target` is then left as it was.
    """
    kept = torch.load(weights, weights_only=True, map_location="cpu")
    net = StageNet(sees_day0=kept["sees_day0"], coarse=kept["coarse"])
    net.load_state_dict(kept["mean"])
    net.eval()
    asked = trials(_TRIALS)
    wanted = [_by_torch(net, feed) for feed in asked]  # before the norms are folded
    net.fold()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".tmp.onnx")
    try:
        _write(net, unfinished)
        apart = _checked(unfinished, asked, wanted)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return apart


def trials(count: int) -> list[dict[str, Any]]:
    """Inputs of both tracks: noise, smooth pictures, black and white ones, with and without day-0."""
    rng = np.random.default_rng(17)
    height, width = SIZE_HW
    fed = []
    for number in range(count):
        coarse = rng.random((1, 6, height // 32, width // 32))
        x = np.clip(coarse.repeat(32, 2).repeat(32, 3) + rng.normal(0, 0.1, (1, 6, height, width)), 0, 1)
        x *= (1.0, 0.0, 1.0)[number % 3] if number >= count - 3 else 1.0
        x[:, 3:] *= number % 2
        track = np.eye(len(TRACKS))[[number % len(TRACKS)]]
        fed.append({"x": x.astype(np.float32), "track": track.astype(np.float32)})
    return fed


def _by_torch(net: StageNet, feed: dict[str, Any]) -> list[Any]:
    with torch.no_grad():
        return [out.numpy() for out in net(torch.from_numpy(feed["x"]), torch.from_numpy(feed["track"]))]


def _write(net: StageNet, target: Path) -> None:
    example = torch.zeros(1, 6, *SIZE_HW), torch.tensor([[1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the tracing exporter keeps opset 17 and plain operators, and says it is old
        torch.onnx.export(
            net, example, str(target), input_names=["x", "track"], output_names=list(_OUTPUTS),
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip


def _checked(path: Path, asked: list[dict[str, Any]], wanted: list[list[Any]]) -> float:
    import onnx  # noqa: PLC0415 - only who exports has it
    import onnxruntime as ort  # noqa: PLC0415

    onnx.checker.check_model(str(path), full_check=True)
    if (size := path.stat().st_size) > MAX_MODEL_BYTES:
        raise Refused(
            f"{path}: {size} bytes, over {MAX_MODEL_BYTES}", hint="Make the net narrower in net.py."
        )
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    apart = 0.0
    for feed, known in zip(asked, wanted, strict=True):
        said = session.run(list(_OUTPUTS), feed)
        apart = max(apart, *(float(np.abs(a - b).max()) for a, b in zip(said, known, strict=True)))
        if (np.diff(said[0], axis=1) > 0).any():
            raise Refused(f"{path}: P(stage>=k) rises with k", hint="The chain in net.py is broken.")
    if not apart < PARITY:
        raise Refused(
            f"{path}: onnxruntime is {apart:.2g} away from torch", hint="Another torch or onnx may do."
        )
    return apart
