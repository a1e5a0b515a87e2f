"""Says why a photo cannot be judged: arrays in, named reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from plumbline.stages import QUALITY_CLASSES
from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.measures import Measures, measure
from plumbline_edge.camera.move import ENOUGH_INLIERS

__all__ = [
    "QUALITY_LIMITS", "Measures", "judge", "judge_quality", "measure", "noticed", "refused_by_itself",
]  # fmt: skip

DARK_P95: Final = 40.0
GLARE_SHARE: Final = 0.08
BLUR_OF_MEDIAN: Final = 0.35
QUALITY_LIMITS: Final[dict[str, float]] = dict.fromkeys(QUALITY_CLASSES, 0.5)
"""Probability from which the model's own doubt rejects a photo; a model's card may name others."""

NIGHT_SKY: Final = 95.0
NIGHT_SKY_OF_WALL: Final = 0.5
"""By day the sky lights the wall, so it is rarely half as bright as the wall's bright parts unless it is clear blue;
a real site under floodlights has 0.45, and brown."""
BLUE_HOUR: Final = 25.0
"""A sky this much bluer than red still gives light."""
BLACK_SKY: Final = 60.0
LIT_WALL: Final = 125.0
"""A facade this bright in the middle can be judged, whatever the sky."""
HAZE: Final = 0.77
HAZE_CONTRAST: Final = 12.0
"""What is far is gone: a real fog over a site has 0.81 and 10, its clear days 0.14 to 0.51 and above 30."""
HAZE_FACADE: Final = 0.66
HAZE_FACADE_CONTRAST: Final = 16.0
"""The facade itself is gone: 100 real facades have at most 0.34 and at least 23, behind 80 % fog none passes."""
HAZE_SOME: Final = 0.6
HAZE_OF_USUAL: Final = 0.4
"""What is far has lost this much of its usual contrast."""
FINENESS: Final = 0.7
"""Real facades lie at 0.85 and above, blurred by 4 of 1280 pixels below 0.3; fog, dusk and noise do not lower it."""
FINENESS_SOFT: Final = 1.0
NOT_A_SITE_COLOURS: Final = 100.0
"""Test bars and walls of one bright paint; real facades and sites reach 80."""
COVERED_CONTRAST: Final = 8.0
COVERED_SHARE: Final = 0.6
MOVED_SHARE: Final = 0.02
MOVED_TOO_FAR: Final = 0.04
"""Shares of the picture's width: below the first corrected in silence, above the second never."""
SURE_INLIERS: Final = 60
SURE_INSIDE: Final = 0.98
STANDS: Final = 0.25
STANDS_AGAIN: Final = 0.35
"""How alike the outlines must be to vouch for the camera's place where features are few; more on a second such day."""

_LOST_SHARE: Final = 0.2
_RELATIVE: Final = frozenset({"BLUR", "FOG_RAIN"})
"""What a photo can be refused for by comparison with those before it."""


def judge(
    measures: Measures,
    baseline: Baseline,
    alignment: Alignment | None,
    at: datetime | None,
    last_at: datetime | None,
) -> tuple[str, ...]:
    """The reasons why a photo cannot be judged; empty where it can.

    `baseline` is from before this photo, `alignment` on day 0's or None where there is no day 0 yet, `at` when it was
    taken or None where the clock was never set, `last_at` when the photo before it was.
    """
    night = _is_night(measures)
    blurred = not night and _is_blurred(measures, baseline)
    hazy = not night and not blurred and _is_hazy(measures, baseline)
    odd = not night and not hazy and measures.colourfulness > NOT_A_SITE_COLOURS
    covered = not night and not hazy and not blurred and _is_covered(measures, alignment)
    hidden = night or hazy or blurred or covered or odd  # few features say nothing of where the camera looks
    found = {
        "UNREADABLE": measures.lost >= _LOST_SHARE,
        "FROZEN": bool(measures.digest) and measures.digest == baseline.digest,
        "CLOCK": at is None or (last_at is not None and at < last_at),
        "DARK": night,
        "GLARE": measures.clipped > GLARE_SHARE,
        "FOG_RAIN": hazy,
        "BLUR": blurred,
        "OBSTRUCTED": covered,
        "NOT_A_SITE": odd,
        "MOVED": alignment is not None and _has_moved(measures, baseline, alignment, at, hidden=hidden),
    }
    return tuple(code for code, is_so in found.items() if is_so)


def refused_by_itself(measures: Measures) -> tuple[str, ...]:
    """The reasons that need no memory of this camera."""
    never = datetime.min.replace(tzinfo=UTC)
    return judge(measures, Baseline(), None, never, None)


def noticed(
    baseline: Baseline, measures: Measures, alignment: Alignment | None, at: datetime, codes: Sequence[str]
) -> Baseline:
    """The baseline after a photo that was judged with `codes`.

    One that was refused only for differing from what is usual counts too, else a facade that changed its look for good
    would be refused for ever; one that no camera could do better with, or of another view, says nothing of what is usual.
    Too few features are counted where nothing but the camera's place could be the cause.
    """
    relative = set(codes) <= _RELATIVE and not refused_by_itself(measures)
    placed = alignment is not None and set(codes) <= {"MOVED"}
    return baseline.noticing(
        measures, at, alignment.inliers if alignment is not None and placed else None, teaches=relative
    )


def _is_night(measures: Measures) -> bool:
    """No light on the facade, or light from lamps: by day no sky is half as dark as a wall under it, unless blue."""
    if measures.luma_p95 < DARK_P95:
        return True
    if measures.sky is None or measures.luma_p50 >= LIT_WALL:
        return False
    by_lamps = measures.sky < min(NIGHT_SKY, NIGHT_SKY_OF_WALL * measures.luma_p95)
    return measures.sky < BLACK_SKY or (by_lamps and measures.sky_blue < BLUE_HOUR)


def _is_hazy(measures: Measures, baseline: Baseline) -> bool:
    far = measures.haze >= HAZE and measures.contrast_static < HAZE_CONTRAST
    near = measures.haze_facade >= HAZE_FACADE and measures.contrast_facade < HAZE_FACADE_CONTRAST
    usual = baseline.usual("contrast")
    faded = (
        usual is not None and measures.contrast_static < HAZE_OF_USUAL * usual and measures.haze >= HAZE_SOME
    )
    return far or near or faded


def _is_blurred(measures: Measures, baseline: Baseline) -> bool:
    usual = baseline.usual("sharpness")
    soft = (
        usual is not None
        and measures.sharpness < BLUR_OF_MEDIAN * usual
        and measures.fineness < FINENESS_SOFT
    )
    return measures.fineness < FINENESS or soft


def _is_covered(measures: Measures, alignment: Alignment | None) -> bool:
    return measures.contrast_facade < COVERED_CONTRAST or (
        alignment is not None
        and alignment.inliers >= ENOUGH_INLIERS
        and alignment.mismatch is not None
        and alignment.mismatch > COVERED_SHARE
    )


def _has_moved(
    measures: Measures, baseline: Baseline, alignment: Alignment, at: datetime | None, *, hidden: bool
) -> bool:
    """Whether the camera looks elsewhere, or nobody can tell any more where it looks."""
    if alignment.found and alignment.shift_px is not None:
        share = alignment.shift_px / measures.width_px
        sure = alignment.inliers >= SURE_INLIERS and alignment.inside >= SURE_INSIDE
        if share > MOVED_TOO_FAR or (share > MOVED_SHARE and not sure):
            return True
    if alignment.inliers >= ENOUGH_INLIERS or hidden:
        return False
    again = baseline.low_inlier_days > 1 or (
        baseline.low_inlier_days == 1 and at is not None and baseline.low_inlier_on != at.date()
    )
    return alignment.stands < (STANDS_AGAIN if again else STANDS)


def judge_quality(quality: Sequence[float], limits: Mapping[str, float] = QUALITY_LIMITS) -> tuple[str, ...]:
    """The reasons the model itself gives; `quality` is one probability per QUALITY_CLASSES."""
    return tuple(
        name.upper() for name, p in zip(QUALITY_CLASSES, quality, strict=True) if p >= limits.get(name, 0.5)
    )
