"""Courses to a card's figures: one table per track and group, by stage, by family, of alerts, of finding things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from plumbline.stages import STAGES, TRACKS
from plumbline_train.evaluate import slips
from plumbline_train.evaluate.chain import Said, photo_by_photo, through_time
from plumbline_train.evaluate.intervals import Promised, kept_for_calibration, measured
from plumbline_train.evaluate.scores import (
    abs_quantile,
    correlation,
    coverage,
    kendall_tau,
    mean,
    mean_abs,
    stage_of_percent,
)
from plumbline_train.evaluate.sightings import FOUND, Course, Hits, total_hits

Table = dict[str, float]
Tables = dict[str, Table]
DECILES: Final = tuple(float(upto) for upto in range(10, 101, 10))
_FEWEST_SITES: Final = 2


def promised(courses: Sequence[Course], *, plain: bool = False) -> Promised:
    """The interval widths these courses' calibration half measures, by track; `plain` is one width for all percents."""
    kept = {track: [c for c in courses if c.track == track and kept_for_calibration(c)] for track in TRACKS}
    if plain:
        return {track: measured(mine, edges=(), doubt_weights=(0.0,)) for track, mine in kept.items()}
    return {track: measured(mine) for track, mine in kept.items()}


def group_tables(name: str, courses: Sequence[Course], widths: Promised) -> Tables:
    """Everything about one group of courses, a table per track and per way to cut it; names begin with `name`."""
    tables: Tables = {}
    for track in TRACKS:
        mine = [c for c in courses if c.track == track]
        if not mine:
            continue
        said = [(c, through_time(c, widths[track])) for c in mine]
        where = f"{name}.{track}"
        tables[where] = headline(said)
        for cut in (by_stage, by_decile, by_family):
            tables |= {f"{where}.{cut.__name__}.{key}": table for key, table in cut(said).items()}
    return tables


def headline(said: Sequence[tuple[Course, Said]]) -> Table:
    """The figures of vision's table for one track of one group. `photo_` is each photo on its own, without memory."""
    courses = [c for c, _ in said]
    alone = [(c, photo_by_photo(c)) for c in courses]
    tested = [(c, s) for c, s in said if not kept_for_calibration(c)]
    baselines = {
        "calendar": _over(courses, lambda c: 100 * c.column("day") / c.days - c.column("true")),
        "plan": _over(courses, lambda c: c.planned - c.column("true")),
        "changed_area": _over(courses, lambda c: c.column("changed") - c.column("true")),
    }
    return {
        "sites": float(len(courses)),
        "shots": float(sum(len(c.shots) for c in courses)),
        "refused": mean(_over(courses, lambda c: ~c.accepted)),
        **_errors("photo_", alone),
        **_errors("", said),
        "photo_tau": mean([kendall_tau(s.site, c.column("day")) for c, s in alone]),
        "tau": mean([kendall_tau(s.site, c.column("day")) for c, s in said]),
        "tau_of_truth": mean([kendall_tau(c.column("true"), c.column("day")) for c in courses]),
        "tau_of_changed_area": mean([kendall_tau(c.column("changed"), c.column("day")) for c in courses]),
        "coverage": _site_coverage(tested),
        "zone_coverage": coverage(
            _over(tested, lambda p: p[1].zones_low), _over(tested, lambda p: p[1].zones_high),
            _over(tested, lambda p: p[0].stacked("true_zones")),
        ),
        "interval_width_pp": mean(_over(tested, lambda p: p[1].site_high - p[1].site_low)),
        "zones_hidden": 1 - mean(_over(said, lambda p: p[1].seen[p[0].accepted])),
        **{f"{name}_mae_pp": mean_abs(off) for name, off in baselines.items()},
        **_late(said),
        **found_table(courses),
    }  # fmt: skip


def _late(said: Sequence[tuple[Course, Said]]) -> Table:
    """The model and the plan on the days that matter: those on which the site is 5 pp or more off its plan."""
    late = _over(said, lambda p: np.abs(p[0].planned - p[0].column("true")) >= slips.LIMIT_PP) > 0
    model, plan = (
        _over(said, lambda p: p[1].site - p[0].column("true")),
        _over(said, lambda p: p[0].planned - p[0].column("true")),
    )
    return {
        "late_shots": float(late.sum()),
        "late_site_mae_pp": mean_abs(model[late]),
        "late_plan_mae_pp": mean_abs(plan[late]),
    }


def by_stage(said: Sequence[tuple[Course, Said]]) -> Tables:
    """Zones by the stage that was true of them, each photo on its own; hidden zones count nowhere."""
    if not said:
        return {}
    off = _over(said, lambda p: photo_by_photo(p[0]).zones - p[0].stacked("true_zones"))
    true = _over(said, lambda p: p[0].stacked("true_stages"))
    named = _over(said, lambda p: np.where(p[1].seen, p[0].stacked("stage"), np.nan))
    tables = {}
    for number, name in enumerate(STAGES[said[0][0].track]):
        here = (true == number) & ~np.isnan(off)
        steps = np.abs(named - number)[here]
        tables[name] = {
            "zones": float(here.sum()),
            "zone_mae_pp": mean_abs(off[here]),
            "zone_bias_pp": mean(off[here]),
            "exact": _share(steps == 0),
            "within_1": _share(steps <= 1),
        }
    return tables


def by_decile(said: Sequence[tuple[Course, Said]]) -> Tables:
    """How often the interval holds, by how far the site was said to be: on sites that did not measure it."""
    tested = [(c, s) for c, s in said if not kept_for_calibration(c)]
    site = _over(tested, lambda p: p[1].site)
    low, high = _over(tested, lambda p: p[1].site_low), _over(tested, lambda p: p[1].site_high)
    true = _over(tested, lambda p: p[0].column("true"))
    tables, below = {}, -1.0
    for upto in DECILES:
        here = (site >= below) & ((site < upto) | (upto == 100.0))
        tables[f"upto_{upto:.0f}"] = {
            "shots": float(here.sum()),
            "coverage": coverage(low[here], high[here], true[here]),
            "width_pp": mean(high[here] - low[here]),
            "mae_pp": mean_abs((site - true)[here]),
        }
        below = upto
    return tables


def by_family(said: Sequence[tuple[Course, Said]]) -> Tables:
    """Sites by each family of each kind they were drawn from; a family met on one site alone says nothing."""
    met: dict[str, list[tuple[Course, Said]]] = {}
    for pair in said:
        for kind, family in pair[0].families.items():
            met.setdefault(f"{kind}.{family}", []).append(pair)
    return {
        name: {
            "sites": float(len(pairs)),
            "mae_pp": mean_abs(_over(pairs, lambda p: p[1].site - p[0].column("true"))),
            "bias_pp": mean(_over(pairs, lambda p: p[1].site - p[0].column("true"))),
        }
        for name, pairs in sorted(met.items())
        if len(pairs) >= _FEWEST_SITES
    }


def alert_tables(name: str, courses: Sequence[Course], widths: Promised) -> Tables:
    """Slips on the sites that did not measure the intervals, by track, for the model and the three baselines."""
    tables: Tables = {}
    for track in TRACKS:
        tested = [c for c in courses if c.track == track and not kept_for_calibration(c)]
        said = [(c, through_time(c, widths[track])) for c in tested]
        if not said:
            continue
        for who, tally in slips.judged(said).items():
            tables[f"{name}.{track}.alerts.{who}"] = tally.figures()
        quiet = slips.judged(said, slips.QUIET_PP)["model"]
        on_the_line = slips.judged(said, slips.ON_THE_LINE_PP)["model"]
        tables[f"{name}.{track}.alerts.apart"] = {
            "quiet_trials": float(quiet.trials), "quiet_alerts": float(quiet.raised),
            "on_the_line_trials": float(on_the_line.trials), "on_the_line_alerts": float(on_the_line.raised),
        }  # fmt: skip
    return tables


def blind_table(courses: Sequence[Course]) -> Table:
    """What a blinded model still knows: the mean over courses of the correlation of its percent with the truth."""
    pairs = [(c, photo_by_photo(c)) for c in courses]
    return {
        "sites": float(len(courses)),
        "correlation": mean([_or_zero(correlation(s.site, c.column("true"))) for c, s in pairs]),
        "tau": mean([_or_zero(kendall_tau(s.site, c.column("day"))) for c, s in pairs]),
        "mae_pp": mean_abs(_over(pairs, lambda p: p[1].site - p[0].column("true"))),
    }


def found_table(courses: Sequence[Course]) -> Table:
    """Recall and precision by pixel of what hides a facade, and the share of separate things touched."""
    table: Table = {}
    for name in FOUND:
        total: Hits = total_hits(courses, name)
        table |= {
            f"{name}_recall": _ratio(total.right, total.there),
            f"{name}_precision": _ratio(total.right, total.said),
            f"{name}_things_touched": _ratio(total.things_touched, total.things),
        }
    return table


def _errors(prefix: str, said: Sequence[tuple[Course, Said]]) -> Table:
    """Site and zone errors and stages of these words; zones that were not seen in that very photo count nowhere."""
    off = _over(said, lambda p: p[1].site - p[0].column("true"))
    zones = _over(said, lambda p: np.where(p[1].seen, p[1].zones - p[0].stacked("true_zones"), np.nan))
    steps = _over(said, lambda p: _stage_steps(*p, by_model=bool(prefix)))
    steps = np.abs(steps[~np.isnan(steps)])
    return {
        f"{prefix}site_mae_pp": mean_abs(off), f"{prefix}site_bias_pp": mean(off),
        f"{prefix}site_p90_pp": abs_quantile(off, 0.9), f"{prefix}zone_mae_pp": mean_abs(zones),
        f"{prefix}zone_p90_pp": abs_quantile(zones, 0.9), f"{prefix}stage_exact": _share(steps == 0),
        f"{prefix}stage_within_1": _share(steps <= 1),
    }  # fmt: skip


def _stage_steps(course: Course, said: Said, *, by_model: bool) -> Any:
    """How many stages off each seen zone is: as the model named it, or as its percent after the filter says."""
    named = course.stacked("stage") if by_model else stage_of_percent(said.zones, course.values)
    return np.where(said.seen, named - course.stacked("true_stages"), np.nan)


def _site_coverage(tested: Sequence[tuple[Course, Said]]) -> float:
    low, high = _over(tested, lambda p: p[1].site_low), _over(tested, lambda p: p[1].site_high)
    return coverage(low, high, _over(tested, lambda p: p[0].column("true")))


def _over(items: Iterable[Any], of: Callable[[Any], Any]) -> Any:
    """`of` each item, flattened and joined."""
    rows = [np.asarray(of(item), float).ravel() for item in items]
    return np.concatenate(rows) if rows else np.array([])


def _share(hits: Any) -> float:
    return float(np.mean(hits)) if np.size(hits) else float("nan")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _or_zero(value: float) -> float:
    """A word that never moves knows nothing."""
    return 0.0 if np.isnan(value) else value
