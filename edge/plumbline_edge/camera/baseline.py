"""What is usual for one camera: running medians of what its photos measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from plumbline_edge.camera.gate import Measures

KEEP: Final = 24
"""Photos remembered: some twelve days at two a day, so a facade that changed for good is usual again within a week."""
ENOUGH: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The last photos' measures, refused ones too, and how long alignment has failed. msgspec can write and read it."""

    sharpness: tuple[float, ...] = ()
    contrast: tuple[float, ...] = ()
    """In the static part."""
    brightness: tuple[float, ...] = ()
    inliers: tuple[int, ...] = ()
    low_inlier_days: int = 0
    """Consecutive days, up to the last photo, on which alignment found too few features; a good photo ends them."""
    low_inlier_on: date | None = None
    digest: str = ""
    """Of the last photo's bytes."""

    def usual(self, what: str) -> float | None:
        """The median of `sharpness`, `contrast`, `brightness` or `inliers`; None until there were enough photos."""
        raise NotImplementedError

    def noticing(self, measures: Measures, at: datetime, inliers: int | None = None) -> Baseline:
        """The baseline after this photo; `inliers` of its alignment, None where there was none."""
        raise NotImplementedError
