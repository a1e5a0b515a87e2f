"""Figures as a person reads them: the metric table with its targets, and each cut as rows of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plumbline.stages import TRACKS

Tables = Mapping[str, Mapping[str, float]]
GROUPS: Final = ("unseen_families", "unseen_seeds")
"""Never averaged together: families training never saw, and new sites of families it knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the metric table: where its figure stands, and what it should reach."""

    name: str
    figure: str
    table: str = "{group}.{track}"
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""

    def is_met(self, value: float | None) -> bool | None:
        """None where nothing was measured, or nothing is asked."""
        asks_nothing = math.isinf(self.least) and math.isinf(self.most)
        if value is None or math.isnan(value) or asks_nothing:
            return None
        return self.least <= value <= self.most

    @property
    def target(self) -> str:
        """How the target is written."""
        least, most = shown(self.least, self.unit), shown(self.most, self.unit)
        if math.isinf(self.least):
            return "" if math.isinf(self.most) else f"≤ {most}"
        return f"≥ {least}" if math.isinf(self.most) else f"{least.removesuffix(' %')}–{most}"


METRICS: Final = (
    Row(name="site error, mean", figure="site_mae_pp", most=2.5, unit="pp"),
    Row(name="site bias", figure="site_bias_pp", unit="pp"),
    Row(name="site error, 90 % within", figure="site_p90_pp", unit="pp"),
    Row(name="site error, one photo alone", figure="photo_site_mae_pp", unit="pp"),
    Row(name="zone error, mean", figure="zone_mae_pp", unit="pp"),
    Row(name="stage exact, one photo", figure="photo_stage_exact", least=0.85, unit="%"),
    Row(name="stage within one, one photo", figure="photo_stage_within_1", least=0.97, unit="%"),
    Row(name="stage exact, filtered", figure="stage_exact", unit="%"),
    Row(name="stage within one, filtered", figure="stage_within_1", unit="%"),
    Row(name="order: Kendall tau against the day", figure="tau", least=0.98),
    Row(name="order, one photo alone", figure="photo_tau"),
    Row(name="90 % interval holds, site", figure="coverage", least=0.88, most=0.93, unit="%"),
    Row(name="90 % interval holds, zone", figure="zone_coverage", least=0.88, most=0.93, unit="%"),
    Row(name="interval's whole width", figure="interval_width_pp", unit="pp"),
    Row(name="zones hidden", figure="zones_hidden", unit="%"),
    Row(name="photos refused", figure="refused", unit="%"),
    Row(name="baseline: calendar, error", figure="calendar_mae_pp", unit="pp"),
    Row(name="baseline: the plan, error", figure="plan_mae_pp", unit="pp"),
    Row(name="site error on days 5 pp or more off plan", figure="late_site_mae_pp", unit="pp"),
    Row(name="baseline: the plan, error on those days", figure="late_plan_mae_pp", unit="pp"),
    Row(name="baseline: changed area, error", figure="changed_area_mae_pp", unit="pp"),
    Row(name="baseline: changed area, tau", figure="tau_of_changed_area"),
    *(
        Row(name=f"{name}, pixels {what}", figure=f"{figure}_{what}", unit="%")
        for name, figure in (("people", "person"), ("vehicles", "machine_vehicle"), ("nets", "scaffold_net"))
        for what in ("recall", "precision")
    ),
)
_WHO: Final = (
    ("alerts", "model"), ("calendar's alerts", "calendar"), ("plan's alerts", "plan"), ("changed area's alerts", "changed_area"),
)  # fmt: skip
_OF_WHOM: Final = "{group}.{track}.alerts."
ALERTS: Final = (
    *(
        Row(name=f"{name}: {what}", figure=what, table=_OF_WHOM + who, least=0.9 if who == "model" else -math.inf, unit="%")
        for name, who in _WHO
        for what in ("recall", "precision")
    ),
    Row(name="red alerts: recall", figure="red_recall", table=_OF_WHOM + "model", unit="%"),
    Row(name="red alerts: precision", figure="red_precision", table=_OF_WHOM + "model", unit="%"),
    Row(name="courses with slips of 0 and ±3 pp", figure="quiet_trials", table=_OF_WHOM + "apart", unit="n"),
    Row(name="… alerts on them", figure="quiet_alerts", table=_OF_WHOM + "apart", unit="n"),
    Row(name="courses with slips of ±5 pp", figure="on_the_line_trials", table=_OF_WHOM + "apart", unit="n"),
    Row(name="… alerts on them", figure="on_the_line_alerts", table=_OF_WHOM + "apart", unit="n"),
)  # fmt: skip
GATE_TARGETS: Final = {"dark": 0.95, "fog_rain": 0.95, "moved": 0.95}


def shown(value: float | None, unit: str = "") -> str:
    """A figure as it is printed: a dash where nothing was measured, shares as percent."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return ""
    if unit == "n":
        return shown_count(value)
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.2f} pp" if unit == "pp" else f"{value:.3f}"


def metric_table(tables: Tables, rows: Sequence[Row] = METRICS + ALERTS) -> Iterator[tuple[str, ...]]:
    """Rows of text, the head first: what, target, then each group's tracks; a missed target is marked with `!`."""
    columns = [(group, track) for group in GROUPS for track in TRACKS]
    yield ("", "target", *(f"{group.replace('_', ' ')}, {track}" for group, track in columns))
    for row in rows:
        values = [
            tables.get(row.table.format(group=group, track=track), {}).get(row.figure)
            for group, track in columns
        ]
        if any(value is not None and not math.isnan(value) for value in values):
            yield (row.name, row.target, *(_marked(value, row) for value in values))


def gate_table(tables: Tables) -> Iterator[tuple[str, ...]]:
    """Spoiled photos by what is wrong with them, then good ones by weather."""
    yield ("photos", "shots", "refused", "with its own name", "target")
    for name, table in _below(tables, "gate."):
        least = GATE_TARGETS.get(name, -math.inf)
        row = Row(name=name, figure="caught", least=least, unit="%")
        yield (
            name.replace("_", " "), shown_count(table["shots"]), _marked(table["caught"], row),
            shown(table["named"], "%"), row.target,
        )  # fmt: skip
    for name, table in _below(tables, "good_photos."):
        yield (f"good, {name}", shown_count(table["shots"]), shown(table["refused"], "%"), "", "")


def cut_table(
    tables: Tables, group: str, track: str, cut: str, columns: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """One cut of one track, `by_stage`, `by_decile` or `by_family`; `columns` maps figures to units."""
    yield (cut.removeprefix("by_"), *(name.removesuffix("_pp").replace("_", " ") for name in columns))
    for name, table in _below(tables, f"{group}.{track}.{cut}."):
        yield (name.replace("_", " "), *(_cell(table.get(key), unit) for key, unit in columns.items()))


def simple_table(tables: Tables, prefix: str, columns: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Every table whose name begins with `prefix`, a row each."""
    yield ("", *(name.removesuffix("_pp").replace("_", " ") for name in columns))
    for name, table in _below(tables, prefix):
        yield (name.replace("_", " "), *(_cell(table.get(key), unit) for key, unit in columns.items()))


STAGE_COLUMNS: Final = {
    "zones": "n",
    "zone_mae_pp": "pp",
    "zone_bias_pp": "pp",
    "exact": "%",
    "within_1": "%",
}
DECILE_COLUMNS: Final = {"shots": "n", "coverage": "%", "width_pp": "pp", "mae_pp": "pp"}
FAMILY_COLUMNS: Final = {"sites": "n", "mae_pp": "pp", "bias_pp": "pp"}
BLIND_COLUMNS: Final = {"sites": "n", "correlation": "", "tau": "", "mae_pp": "pp"}
REAL_SITE_COLUMNS: Final = {"refused": "yes", "meant_to_be_refused": "yes", "percent": "1"}
REAL_WINDOW_COLUMNS: Final = {"photos": "n", "window_iou": "", "facade_iou": ""}


def shown_count(value: float | None) -> str:
    """How many."""
    return "–" if value is None else f"{value:.0f}"


def rows_of(tables: Tables) -> Iterator[tuple[str, Callable[[], Iterator[tuple[str, ...]]]]]:
    """Title and rows of everything that is printed, in reading order."""
    yield "Renders: the metric table", lambda: metric_table(tables)
    yield "Renders: the gate", lambda: gate_table(tables)
    yield "Renders: a blinded model", lambda: simple_table(tables, "blind.", BLIND_COLUMNS)
    for track in TRACKS:
        for cut, columns in (
            ("by_stage", STAGE_COLUMNS), ("by_decile", DECILE_COLUMNS), ("by_family", FAMILY_COLUMNS),
        ):  # fmt: skip
            title = f"Renders, unseen families, {track}: {cut.replace('_', ' ')}"
            yield title, lambda t=track, c=cut, k=columns: cut_table(tables, "unseen_families", t, c, k)  # type: ignore[misc]
    yield "Real photos: one block", lambda: simple_table(tables, "real.site.", REAL_SITE_COLUMNS)
    yield "Real photos: windows", lambda: simple_table(tables, "real.windows.", REAL_WINDOW_COLUMNS)


def _below(tables: Tables, prefix: str) -> Iterator[tuple[str, Mapping[str, float]]]:
    for name, table in tables.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), table


def _cell(value: float | None, unit: str) -> str:
    if unit == "n":
        return shown_count(value)
    if unit == "yes":
        return "–" if value is None else "yes" if value else "no"
    if unit == "1":
        return "–" if value is None else f"{value:.0f} %"
    return shown(value, unit)


def _marked(value: float | None, row: Row) -> str:
    return shown(value, row.unit) + (" !" if row.is_met(value) is False else "")
