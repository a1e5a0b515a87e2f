"""How far off the model was on sites kept for that, by how far along they seemed: the half widths a card carries.

A site serves either to measure the interval or to see whether it holds, never both: `kept_for_calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import Track
from plumbline_train.evaluate.sightings import Course

Floats = NDArray[np.float64]
EDGES: Final = (10.0, 30.0, 50.0, 70.0, 90.0)
"""Between bands of the percent said; errors in the pit are not errors at the paint."""
COVERAGE: Final = 0.90
_ENOUGH: Final = 60
"""A band with fewer values takes the width of all together, or its own where that is wider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Half widths in pp of the 90 % interval by band of the percent said, for the whole site and for one zone."""

    site_pp: tuple[float, ...]
    zone_pp: tuple[float, ...]
    edges: tuple[float, ...] = EDGES

    def site(self, said: Any) -> tuple[Floats, Floats]:
        """The bounds around each percent said of a site, within 0..100; NaN stays NaN."""
        return self._around(said, self.site_pp)

    def zone(self, said: Any) -> tuple[Floats, Floats]:
        """The same for zones."""
        return self._around(said, self.zone_pp)

    def _around(self, said: Any, widths: tuple[float, ...]) -> tuple[Floats, Floats]:
        values = np.asarray(said, float)
        half = np.asarray(widths)[_band(values, self.edges)]
        return np.clip(values - half, 0, 100), np.clip(values + half, 0, 100)


Promised = Mapping[Track, Intervals]


def kept_for_calibration(course: Course) -> bool:
    """Every second site of each kind measures the interval; the others show whether it holds."""
    return course.number % 2 == 0


def half_widths(said: Any, true: Any, edges: Sequence[float] = EDGES) -> tuple[float, ...]:
    """One width a band, to a hundredth of a point: what 90 % of the errors there kept within. NaN counts nowhere."""
    words, truth = np.asarray(said, float).ravel(), np.asarray(true, float).ravel()
    known = ~np.isnan(words)
    words, off = words[known], np.abs(truth - words)[known]
    if not off.size:
        return (100.0,) * (len(edges) + 1)
    overall, band = _quantile(off), _band(words, edges)
    widths = []
    for number in range(len(edges) + 1):
        own = off[band == number]
        width = _quantile(own) if own.size else overall
        widths.append(width if own.size >= _ENOUGH else max(width, overall))
    return tuple(round(width, 2) for width in widths)


def half_width(said: Any, true: Any) -> float:
    """The one width for readers that know no bands."""
    return half_widths(said, true, edges=())[0]


def _band(values: Any, edges: Sequence[float]) -> NDArray[np.int64]:
    return np.asarray(
        np.searchsorted(np.asarray(edges, float), np.nan_to_num(values), side="right"), np.int64
    )


def _quantile(off: Floats) -> float:
    """The split-conformal quantile: the next such error is at most this with a chance of COVERAGE."""
    rank = min(int(np.ceil((off.size + 1) * COVERAGE)), off.size)
    return float(np.sort(off)[rank - 1])
