"""Several frames to one picture: whoever walked through is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline_edge.camera import gate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

FRAMES: Final = (3, 9)
"""How few and how many frames make a median."""
_STRIP_ROWS: Final = 16


def usable(frames: Sequence[Picture], facade_mask: NDArray[Any]) -> tuple[Picture, ...]:
    """The frames that show the site, in order: those of the commonest size that no absolute limit of the gate refuses.

    All frames of that size where none passes: then the gate shall say why of their median.
    """
    if not frames:
        return ()
    size = Counter(frame.shape for frame in frames).most_common(1)[0][0]
    alike = tuple(frame for frame in frames if frame.shape == size)
    if len(alike) == 1:
        return alike
    passed = tuple(frame for frame in alike if not gate.refused_by_itself(gate.measure(frame, facade_mask)))
    return passed or alike


def median(frames: Sequence[Picture]) -> Picture:
    """The per-pixel median of frames of one size; holds one strip of them besides the result.

    One or two frames have no majority: the first is returned as it is. Of an even number the darker of the two middle
    values counts, so that no value appears that no frame had. Raises ValueError for none, more than 9, or frames that
    differ in size.
    """
    if not 1 <= len(frames) <= FRAMES[1]:
        raise ValueError(f"a burst has 1 to {FRAMES[1]} frames, not {len(frames)}")
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError("the frames of a burst differ in size")
    if len(frames) < FRAMES[0]:
        return frames[0]
    middle = np.empty_like(frames[0])
    for row in range(0, len(middle), _STRIP_ROWS):
        strip = [frame[row : row + _STRIP_ROWS].copy() for frame in frames]
        middle[row : row + _STRIP_ROWS] = _middle(strip)
    return middle


def _middle(values: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The middle one of each element, by swapping neighbours in place: a sort whose every step is one whole array."""
    count = len(values)
    for done in range(count // 2 + 1):  # after this many rounds the largest of the rest stand at the end
        for i in range(count - 1 - done):
            low, high = np.minimum(values[i], values[i + 1]), np.maximum(values[i], values[i + 1])
            values[i], values[i + 1] = low, high
    return values[(count - 1) // 2]
