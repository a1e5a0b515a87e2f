"""How wide an honest interval is: quantiles of errors on what the model had not seen, scaled by how hard this is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plumbline.errors import ConfigError

COVERAGE: Final = 0.9
ENOUGH_PHOTOS: Final = 8
"""Corrected photos of a site from which on its own errors count in place of the model card's."""
LEAST_VISIBLE: Final = 0.05
DRIFT_PP_PER_DAY: Final = 1.0
"""How much wider a hidden zone's interval grows each day on each side [E]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """Half widths in percentage points of the 90 % interval of something seen whole and without doubt.

    `edges` ascend and divide 0..100 into bands of the judged percent; the other two have one entry a band. A half
    width is that entry times `difficulty`.
    """

    site_pp: tuple[float, ...]
    zone_pp: tuple[float, ...]
    edges: tuple[float, ...] = ()
    doubt_weight: float = 0.0

    def site(self, percent: float, visible: float, doubt: float) -> float:
        """Of the whole camera's percent."""
        return self.site_pp[bisect_right(self.edges, percent)] * self.difficulty(visible, doubt)

    def zone(self, percent: float, visible: float, doubt: float) -> float:
        """Of one zone's percent."""
        return self.zone_pp[bisect_right(self.edges, percent)] * self.difficulty(visible, doubt)

    def difficulty(self, visible: float, doubt: float) -> float:
        """1 for what is wholly visible and undoubted; `visible` is a share, `doubt` is zones.doubt."""
        seen = min(max(visible, LEAST_VISIBLE), 1.0)
        return (1 + self.doubt_weight * doubt) / math.sqrt(seen)


def of_card(card: Mapping[str, Any], track: str, *, site_pp: float, zone_pp: float) -> Widths:
    """From a card's `[interval.TRACK]` table; where it has none, the same width everywhere: `site_pp`, `zone_pp`.

    The table: `edges = [25, 50, 75]`, `site_pp` and `zone_pp` with one number more, `doubt_weight`. Raises ConfigError
    where it makes no sense.
    """
    table = card.get(track)
    if table is None:
        if not all(math.isfinite(pp) and pp >= 0 for pp in (site_pp, zone_pp)):
            raise ConfigError(
                f"the card's intervals of {track} are {site_pp:g} and {zone_pp:g} points",
                hint="Reinstall the model.",
            )
        return Widths(site_pp=(site_pp,), zone_pp=(zone_pp,))
    try:
        widths = Widths(
            edges=tuple(float(edge) for edge in table.get("edges", ())),
            site_pp=tuple(float(pp) for pp in table["site_pp"]),
            zone_pp=tuple(float(pp) for pp in table["zone_pp"]),
            doubt_weight=float(table.get("doubt_weight", 0.0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"the card's [interval.{track}]: {error!r}", hint="Reinstall the model.") from None
    bands = len(widths.edges) + 1
    numbers = [*widths.site_pp, *widths.zone_pp, widths.doubt_weight]
    if (
        list(widths.edges) != sorted(set(widths.edges))
        or (len(widths.site_pp), len(widths.zone_pp)) != (bands, bands)
        or not all(math.isfinite(number) and number >= 0 for number in [*numbers, *widths.edges])
    ):
        raise ConfigError(
            f"the card's [interval.{track}] needs rising edges and {bands} widths of each kind, none negative",
            hint="Reinstall the model.",
        )
    return widths


def of_site(card: Widths, site_scores: Sequence[float], zone_scores: Sequence[float]) -> Widths:
    """The card's widths, or this site's own from ENOUGH_PHOTOS corrected photos (one `site_scores` entry each) on.

    A score is an error in points divided by `card.difficulty` of what was judged.
    """
    if len(site_scores) < ENOUGH_PHOTOS or not zone_scores:
        return card
    return Widths(
        site_pp=(quantile(site_scores),), zone_pp=(quantile(zone_scores),), doubt_weight=card.doubt_weight
    )


def quantile(scores: Sequence[float], coverage: float = COVERAGE) -> float:
    """The split-conformal quantile: the next such score is at most this with a chance of `coverage`.

    The largest where there are too few to say that (with 8 its chance is 89 %); NaN is no score.
    """
    ordered = sorted(abs(score) for score in scores)
    return ordered[min(math.ceil((len(ordered) + 1) * coverage), len(ordered)) - 1]


def fitted(
    errors: Sequence[float],
    percents: Sequence[float],
    difficulties: Sequence[float],
    edges: Sequence[float],
) -> tuple[float, ...]:
    """One width a band for a card: from errors in points, the judged percents and their difficulties.

    A band without enough cases for the quantile gets that of all together, or its own where that is wider.
    """
    scores = [abs(e) / d for e, d in zip(errors, difficulties, strict=True)]
    overall, widths = quantile(scores), []
    for band in range(len(edges) + 1):
        own = [s for s, p in zip(scores, percents, strict=True) if bisect_right(edges, p) == band]
        scarce = len(own) < math.ceil(COVERAGE / (1 - COVERAGE))
        widths.append(max(quantile(own), overall) if own and scarce else quantile(own) if own else overall)
    return tuple(widths)


def bounds(percent: float, half_pp: float, *, also_below: float | None = None) -> tuple[float, float]:
    """The two ends, within 0..100; low reaches down to `also_below` where that was seen too."""
    low = percent - half_pp if also_below is None else min(percent - half_pp, also_below)
    return max(low, 0.0), min(percent + half_pp, 100.0)
