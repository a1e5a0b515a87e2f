"""What is usual for one camera: running medians of what its photos measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal

from plumbline_edge.camera.move import ENOUGH_INLIERS

if TYPE_CHECKING:
    from plumbline_edge.camera.measures import Measures

KEEP: Final = 24
"""Photos remembered: some twelve days at two a day, so a facade that changed for good is usual again within a week."""
ENOUGH: Final = 5
"""Photos from which their median says what is usual: two odd ones among them change nothing."""

Usual = Literal["sharpness", "contrast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the last photos measured, and how long alignment has failed. msgspec can write and read it."""

    sharpness: tuple[float, ...] = ()
    contrast: tuple[float, ...] = ()
    """In the static part."""
    low_inlier_days: int = 0
    """Consecutive days, up to the last one whose view was clear, on which alignment found too few features."""
    low_inlier_on: date | None = None
    """The last of those days."""
    digest: str = ""
    """Of the last photo's bytes."""

    def usual(self, what: Usual) -> float | None:
        """The median of the last photos' measure; None until there were enough of them."""
        kept: tuple[float, ...] = getattr(self, what)
        return None if len(kept) < ENOUGH else float(sorted(kept)[len(kept) // 2])

    def noticing(
        self, measures: Measures, at: datetime, inliers: int | None = None, *, teaches: bool = True
    ) -> Baseline:
        """The baseline after this photo; the same bytes again and a cut picture leave but their digest.

        `teaches`: it shows how photos of this camera usually are. `inliers` of its alignment where that says where the
        camera stands, else None.
        """
        seen = replace(self, digest=measures.digest)
        if measures.lost > 0 or (measures.digest and measures.digest == self.digest):
            return seen
        if teaches:
            seen = replace(
                seen,
                sharpness=(*seen.sharpness, measures.sharpness)[-KEEP:],
                contrast=(*seen.contrast, measures.contrast_static)[-KEEP:],
            )
        return seen if inliers is None else _counting(seen, at.date(), inliers)


def _counting(seen: Baseline, day: date, inliers: int) -> Baseline:
    if inliers >= ENOUGH_INLIERS:
        return replace(seen, low_inlier_days=0, low_inlier_on=None)
    if seen.low_inlier_on == day:
        return seen
    return replace(seen, low_inlier_days=seen.low_inlier_days + 1, low_inlier_on=day)
