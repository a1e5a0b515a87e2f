"""Judges a model's golden pictures on this machine: a runtime that computes differently shows here first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import DEFAULT_VALUES, TRACKS
from plumbline_edge.vision.model import StageModel
from plumbline_edge.vision.preprocess import to_input
from plumbline_edge.vision.zones import pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """How many golden pictures there are, and the largest difference of any zone's percent from the written one."""

    pictures: int
    worst_pp: float


def compare(model: StageModel, folder: Path) -> Golden:
    """Judge each NAME.json of `folder` with its NAME_now.png beside TRACK_day0.png.

    Raises ConfigError where a file is missing or faulty.
    """
    cases = sorted(folder.glob("*.json"))
    return Golden(pictures=len(cases), worst_pp=max((_worst_pp(model, path) for path in cases), default=0.0))


def _worst_pp(model: StageModel, path: Path) -> float:
    try:
        case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        track = next(track for track in TRACKS if track == case["track"])
        quad, floors, bays = case["quad"], int(case["floors"]), int(case["bays"])
        written = _finite(np.asarray(case["zone_percents"], float).reshape(floors * bays))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ConfigError(f"{path}: not a golden case: {error!r}", hint="Reinstall the model.") from None
    now, day0 = (_picture(path.with_name(f"{name}.png")) for name in (f"{path.stem}_now", f"{track}_day0"))
    outputs = model.run(to_input(now, day0, model.size_hw), track)
    readings = pool(outputs.stage, outputs.aux, quad, floors, bays, DEFAULT_VALUES[track])
    off = [abs(r.percent - w) for r, w in zip(readings, written, strict=True) if r.percent is not None]
    return float(max(off, default=0.0))


def _finite(percents: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(percents).all():
        raise ValueError("zone_percents that are no numbers")  # they would be off by nothing
    return percents


def _picture(path: Path) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415 - 40 MB, only where pictures are judged

    image = cv2.imread(str(path)) if path.is_file() else None
    if image is None:
        raise ConfigError(f"{path}: no picture", hint="Reinstall the model.")
    return np.asarray(image, np.uint8)
