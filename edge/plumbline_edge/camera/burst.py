"""Several frames to one picture: whoever walked through is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

FRAMES: Final = (3, 9)
"""How few and how many frames make a median."""


def usable(frames: Sequence[Picture], facade_mask: NDArray[Any]) -> tuple[Picture, ...]:
    """The frames that show the site, in order: those of the commonest size that no absolute limit of the gate refuses.

    All frames of that size where none passes: then the gate shall say why of their median.
    """
    raise NotImplementedError


def median(frames: Sequence[Picture]) -> Picture:
    """The per-pixel median of frames of one size; holds one strip of them besides the result.

    One or two frames have no majority: the first is returned as it is. Raises ValueError for none, more than 9, or
    frames that differ in size.
    """
    raise NotImplementedError
