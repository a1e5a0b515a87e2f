"""How far off the model was on sites kept for that, as the half widths a card carries for `vision.interval`.

A site serves either to measure the interval or to see whether it holds, never both: `kept_for_calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import Track
from plumbline_edge.vision.interval import Widths, fitted
from plumbline_train.evaluate.chain import through_time, zone_doubts
from plumbline_train.evaluate.sightings import Course

Floats = NDArray[np.float64]
EDGES: Final = (10.0, 30.0, 50.0, 70.0, 90.0)
"""Between bands of the percent said; errors in the pit are not errors at the paint."""
DOUBT_WEIGHTS: Final = (0.0, 1.0, 3.0)
"""Tried on the calibration half; the one that promises the narrowest site interval there is taken."""
_FEWEST: Final = 10

Promised = Mapping[Track, Widths]


def kept_for_calibration(course: Course) -> bool:
    """Every second site of each kind measures the interval; the others show whether it holds."""
    return course.number % 2 == 0


def measured(
    courses: Sequence[Course],
    edges: Sequence[float] = EDGES,
    doubt_weights: Sequence[float] = DOUBT_WEIGHTS,
) -> Widths:
    """The widths that would have held on nine in ten of these courses' photos, by band of percent."""
    cases = _cases(courses)
    if cases.site.size < _FEWEST or cases.zone.size < _FEWEST:
        bands = len(edges) + 1
        return Widths(edges=tuple(edges), site_pp=(100.0,) * bands, zone_pp=(100.0,) * bands)
    tried = [_fit(cases, edges, weight) for weight in doubt_weights]
    return min(tried, key=lambda widths: float(np.mean(_site_half_widths(cases, widths))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cases:
    """Errors, and what makes each hard: one row per site and photo, and one per zone seen in a photo."""

    site: Floats
    site_said: Floats
    site_visible: Floats
    site_doubt: Floats
    zone: Floats
    zone_said: Floats
    zone_visible: Floats
    zone_doubt: Floats


def _cases(courses: Sequence[Course]) -> _Cases:
    site: list[tuple[float, float, float, float]] = []
    zone: list[tuple[float, float, float, float]] = []
    for course in courses:
        said = through_time(course)
        for i, shot in enumerate(course.shots):
            if np.isnan(said.site[i]):
                continue
            seen, doubts, known = said.seen[i], zone_doubts(shot), ~np.isnan(said.zones[i])
            clear = float((course.weights * shot.visible)[seen].sum())
            doubted = float(np.average(np.nan_to_num(doubts)[known], weights=course.weights[known]))
            site.append((said.site[i] - shot.true, said.site[i], clear, doubted))
            off = said.zones[i] - shot.true_zones
            zone += list(
                zip(
                    off[seen].tolist(), said.zones[i][seen].tolist(), shot.visible[seen].tolist(),
                    doubts[seen].tolist(), strict=True,
                )
            )  # fmt: skip
    sites, zones = np.array(site, float).reshape(-1, 4), np.array(zone, float).reshape(-1, 4)
    return _Cases(
        site=sites[:, 0], site_said=sites[:, 1], site_visible=sites[:, 2], site_doubt=sites[:, 3],
        zone=zones[:, 0], zone_said=zones[:, 1], zone_visible=zones[:, 2], zone_doubt=zones[:, 3],
    )  # fmt: skip


def _fit(cases: _Cases, edges: Sequence[float], doubt_weight: float) -> Widths:
    only = Widths(site_pp=(1.0,), zone_pp=(1.0,), doubt_weight=doubt_weight)
    site_hard = list(map(only.difficulty, cases.site_visible.tolist(), cases.site_doubt.tolist()))
    zone_hard = list(map(only.difficulty, cases.zone_visible.tolist(), cases.zone_doubt.tolist()))
    site = fitted(cases.site.tolist(), cases.site_said.tolist(), site_hard, edges)
    zone = fitted(cases.zone.tolist(), cases.zone_said.tolist(), zone_hard, edges)
    return Widths(
        edges=tuple(edges), doubt_weight=doubt_weight,
        site_pp=tuple(round(pp, 2) for pp in site), zone_pp=tuple(round(pp, 2) for pp in zone),
    )  # fmt: skip


def _site_half_widths(cases: _Cases, widths: Widths) -> list[float]:
    return list(
        map(widths.site, cases.site_said.tolist(), cases.site_visible.tolist(), cases.site_doubt.tolist())
    )
