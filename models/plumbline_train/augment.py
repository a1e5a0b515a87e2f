"""Samples to a batch of tensors, changed as cameras change pictures: mirrored, tinted, shifted, with other light."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from plumbline.stages import TRACKS
from plumbline_train.dataset import MAX_ZONES

STYLED: Final = 0.2
DAY0_LOST: Final = 0.1
_SHIFTED: Final = 0.5
_MOST_PX: Final = 5
_LOW: Final = 2
"""How many of the lowest frequencies of a picture are its light and not its content."""

Samples = NDArray[Any]


def batch(
    samples: Samples, rng: np.random.Generator, styles: NDArray[np.float32] | None
) -> dict[str, Tensor]:
    """The tensors of a step. `styles` are small real photos, see photos.styles."""
    mirror(samples, rng.random(len(samples)) < 0.5)
    now, day0 = (_picture(samples[name]) for name in ("now", "day0"))
    if styles is not None:
        # what a picture's light says of its faults must stay true
        _restyle(now, styles, rng, samples["quality"].max(1) <= 0)
        _restyle(day0, styles, rng, np.ones(len(samples), bool))
    _tint(now, rng)
    _tint(day0, rng)
    _shift(day0, rng)
    day0[torch.from_numpy((rng.random(len(samples)) < DAY0_LOST) | ~samples["day0"].any((1, 2, 3)))] = 0
    made = {
        name: torch.from_numpy(np.ascontiguousarray(samples[name]))
        for name in ("stage", "aux", "percent", "weight", "quality", "floors", "bays", "camera", "day")
    }
    made["x"] = torch.cat([now, day0], 1).contiguous(memory_format=torch.channels_last)
    track = torch.from_numpy(samples["track"].astype(np.int64))
    made["track"] = functional.one_hot(track, len(TRACKS)).float()
    return made


def mirror(samples: Samples, which: NDArray[np.bool_]) -> None:
    """Left to right in place: the pictures, the maps and the order of the bays."""
    for index in np.flatnonzero(which).tolist():
        sample = samples[index]
        for name in ("now", "day0", "stage", "aux"):
            sample[name] = sample[name][:, ::-1].copy()
        floors, bays = int(sample["floors"]), int(sample["bays"])
        for name in ("percent", "weight"):
            table = sample[name][: floors * bays].reshape(floors, bays)
            sample[name][: floors * bays] = table[:, ::-1].copy().ravel()
    assert samples["percent"].shape[1] == MAX_ZONES


def relit(picture: Tensor, style: Tensor) -> Tensor:
    """`picture` [3,H,W] with the strength of its lowest frequencies taken from `style` [3,h,w].

    Fourier domain adaptation, Yang and Soatto 2020; what it changes is smooth, so it is worked out on a small copy.
    """
    small = functional.interpolate(picture[None], size=style.shape[1:], mode="area")[0]
    own, other = torch.fft.rfft2(small), torch.fft.rfft2(style)
    rows = torch.arange(style.shape[1])
    low = ((rows <= _LOW) | (rows >= style.shape[1] - _LOW))[:, None] & (torch.arange(own.shape[2]) <= _LOW)
    # the mean may not leave what exposure gives: a lit facade must not become a night
    scale = other.abs() / own.abs().clamp_min(1e-6)
    scale[:, 0, 0] = scale[:, 0, 0].clamp(0.7, 1.4)
    changed = torch.fft.irfft2(torch.where(low, own * (scale.clamp_max(2.5) - 1), 0), s=style.shape[1:])
    wide = functional.interpolate(
        changed[None], size=picture.shape[1:], mode="bilinear", align_corners=False
    )[0]
    return (picture + wide).clamp_(0, 1)


def _picture(stack: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(stack)).permute(0, 3, 1, 2).float().div_(255)


def _restyle(
    pictures: Tensor, styles: NDArray[np.float32], rng: np.random.Generator, fit: NDArray[np.bool_]
) -> None:
    for index in np.flatnonzero(fit & (rng.random(len(pictures)) < STYLED)).tolist():
        style = torch.from_numpy(styles[int(rng.integers(len(styles)))]).permute(2, 0, 1)
        pictures[index] = relit(pictures[index], style)


def _tint(pictures: Tensor, rng: np.random.Generator) -> None:
    """Exposure, white balance, offset."""
    size = len(pictures)
    gain = rng.normal(1, 0.12, (size, 1, 1, 1)) * rng.normal(1, 0.05, (size, 3, 1, 1))
    offset = rng.normal(0, 0.03, (size, 1, 1, 1))
    pictures.mul_(torch.from_numpy(gain).float()).add_(torch.from_numpy(offset).float()).clamp_(0, 1)


def _shift(day0: Tensor, rng: np.random.Generator) -> None:
    """Two photos of one view never lie exactly on each other."""
    for index in np.flatnonzero(rng.random(len(day0)) < _SHIFTED).tolist():
        dy, dx = (int(v) for v in rng.integers(-_MOST_PX, _MOST_PX + 1, 2))
        day0[index] = torch.roll(day0[index], (dy, dx), (1, 2))
