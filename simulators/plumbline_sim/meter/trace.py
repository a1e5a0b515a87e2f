"""A recorded CSV played as a meter: what the MAP.toml names, in the meter's units, with its gaps kept as gaps."""

from __future__ import annotations

import bisect
import csv
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from annotated_types import Gt, MinLen
from pydantic import TypeAdapter, ValidationError

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.metrics import BY_NAME

_STRICT: Final[dict[str, Any]] = {"extra": "forbid"}
_BAD_CELLS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMap:
    """When a row was. It covers `interval_s` from its time (`stamp = "start"`) or up to it (`"end"`).

    `midnight = "end"`: a row written 00:00 closes the date beside it, so it is that date's 24:00.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    columns: Annotated[list[str], MinLen(1)]
    format: str
    timezone: str
    interval_s: Annotated[float, Gt(0)]
    stamp: Literal["start", "end"] = "start"
    midnight: Literal["start", "end"] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingMap:
    """Which cells hold nothing, and what a meter answers then: exception 4 for everything, or a sentinel for one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    cells: list[str] = field(default_factory=lambda: [""])
    answer: Literal["exception", "sentinel"] = "exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricMap:
    """Where a metric's values come from; exactly one of column, constant, rate_of, integral_of, derive.

    column x `scale` (less the column `minus` x scale) is in the metric's unit. `per_interval`: the column is what
    was counted in the interval, and the metric is the running sum. `rate_of`: power from a counter's growth.
    `integral_of`: a counter from a power. `derive`: apparent power or power factor from active and reactive.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    column: str | None = None
    minus: str | None = None
    scale: float = 1.0
    per_interval: bool = False
    constant: float | None = None
    rate_of: str | None = None
    integral_of: str | None = None
    derive: Literal["apparent", "factor"] | None = None

    @property
    def origins(self) -> list[str]:
        named = ("column", "constant", "rate_of", "integral_of", "derive")
        return [name for name in named if getattr(self, name) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceMap:
    """A whole MAP.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    title: str
    source: str
    time: TimeMap
    metrics: dict[str, MetricMap]
    missing: MissingMap = field(default_factory=MissingMap)


_MAP: Final = TypeAdapter(TraceMap)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceReport:
    """What was found in the file, for the person who plays it."""

    rows: int
    begins: datetime
    ends: datetime
    out_of_order: int
    duplicates: int
    """Rows with the time of another; the later in the file counts."""
    gaps: int
    """Places where intervals are missing between two rows."""
    missing: Mapping[str, int]
    """Intervals without a value, by metric."""
    energy_kwh: float | None
    """What the active import counter grows by over the whole file."""

    def __str__(self) -> str:
        lines = [f"{self.rows} rows, {self.begins:%Y-%m-%d %H:%M:%S %Z} to {self.ends:%Y-%m-%d %H:%M:%S %Z}"]
        if self.energy_kwh is not None:
            lines.append(f"energy {self.energy_kwh:.3f} kWh")
        for count, what in (
            (self.out_of_order, "rows out of order, sorted"),
            (self.duplicates, "rows with a time given before, the later one kept"),
            (self.gaps, "gaps between rows, played as missing"),
        ):
            if count:
                lines.append(f"{count} {what}")
        if worst := max(self.missing.values(), default=0):
            lines.append(f"{worst} intervals with missing cells; counters stand still there")
        return "; ".join(lines)


class Trace:
    """A recording on its own time axis. Gauges hold over an interval, counters grow evenly through it.

    Where cells are missing a counter does not advance: nobody knows what was used, and to guess would be to invent.
    """

    def __init__(
        self, *, begins_s: Sequence[float], interval_s: float, columns: Mapping[str, Sequence[float | None]],
        answer: Literal["exception", "sentinel"], report: TraceReport,
    ) -> None:  # fmt: skip
        self.report = report
        self.begin_s = begins_s[0]
        self.end_s = begins_s[-1] + interval_s
        self._begins_s = begins_s
        self._interval_s = interval_s
        self._fails_whole = answer == "exception"
        self._gauges = {name: cells for name, cells in columns.items() if BY_NAME[name].kind == "gauge"}
        self._growth = {name: cells for name, cells in columns.items() if BY_NAME[name].kind == "counter"}
        self._counted = {
            name: list(itertools.accumulate((cell or 0.0 for cell in cells), initial=0.0))
            for name, cells in self._growth.items()
        }

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(self._gauges) | frozenset(self._growth)

    def at(self, when_s: float) -> dict[str, float | None] | None:
        """The values at a time of the recording; None where the whole meter cannot answer."""
        i = bisect.bisect_right(self._begins_s, when_s) - 1
        if i < 0 or when_s > self.end_s:
            return None
        through = (when_s - self._begins_s[i]) / self._interval_s
        known = through <= 1
        if not known:  # between two rows: the last one is over, the next not begun
            if self._fails_whole:
                return None
            return {
                **dict.fromkeys(self._gauges),
                **{name: sums[i + 1] for name, sums in self._counted.items()},
            }
        values: dict[str, float | None] = {name: cells[i] for name, cells in self._gauges.items()}
        if self._fails_whole and (
            None in values.values() or any(cells[i] is None for cells in self._growth.values())
        ):
            return None
        for name, cells in self._growth.items():
            values[name] = self._counted[name][i] + (cells[i] or 0.0) * through
        return values

    def growth(self, counter: str) -> float:
        """What a counter grows by over the whole recording."""
        return self._counted[counter][-1]


class TracePlayer:
    """A trace as a source of meter values: its beginning laid on a time of the simulation, once or over and over.

    Counters begin at `start` (by metric) and go on growing where the recording begins again.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        begin_s: float | None = None,
        repeat: bool = False,
        start: Mapping[str, float] | None = None,
    ) -> None:
        self.trace = trace
        self.begin_s = trace.begin_s if begin_s is None else begin_s
        self._repeat = repeat
        self._start = start or {}

    def at(self, when_s: float) -> dict[str, float | None] | None:
        """See Source.at; None before its begin and, without repeat, after its end."""
        length_s = self.trace.end_s - self.trace.begin_s
        rounds, into_s = divmod(when_s - self.begin_s, length_s)
        if rounds and not self._repeat:
            if rounds < 0 or when_s - self.begin_s > length_s:
                return None
            rounds, into_s = 0.0, length_s  # the very end still belongs to the recording
        values = self.trace.at(self.trace.begin_s + into_s)
        if values is not None:
            for name, value in values.items():
                if value is not None and BY_NAME[name].kind == "counter":
                    values[name] = value + rounds * self.trace.growth(name) + self._start.get(name, 0.0)
        return values


def load_map(path: Path) -> TraceMap:
    """The map in a file. Raises FaultyFile with every mistake, ConfigError where there is no such file."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Name a map; firmware_configs/traces has three."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None
    try:
        found = _MAP.validate_python(raw)
    except ValidationError as bad:
        raise FaultyFile(
            [
                Fault(
                    file=str(path),
                    key=".".join(map(str, problem["loc"])),
                    value=None if problem["type"] == "missing" else problem["input"],
                    expected=problem["msg"].removeprefix("Input should be "),
                )
                for problem in bad.errors(include_url=False)
            ]
        ) from None
    faults = [
        Fault(file=str(path), key=key, value=value, expected=wanted)
        for key, value, wanted in _senseless(found)
    ]
    if faults:
        raise FaultyFile(faults)
    return found


def _senseless(found: TraceMap) -> Iterator[tuple[str, object, str]]:
    """What the shape of a map cannot show."""
    try:
        ZoneInfo(found.time.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "time.timezone", found.time.timezone, "a time zone like Asia/Seoul"
    if not found.metrics:
        yield "metrics", {}, "at least one metric"
    for name, entry in found.metrics.items():
        key = f"metrics.{name}"
        metric = BY_NAME.get(name)
        if metric is None:
            yield key, name, "a metric of plumbline.metrics"
            continue
        if len(entry.origins) != 1:
            yield key, entry.origins, "exactly one of column, constant, rate_of, integral_of, derive"
        counts = entry.per_interval or entry.integral_of is not None
        if counts != (metric.kind == "counter"):
            yield key, name, "per_interval or integral_of for a counter, neither for anything else"
        for other, wants in ((entry.rate_of, "counter"), (entry.integral_of, "gauge")):
            if other is not None and not _recorded(found, other, wants):
                yield key, other, f"a {wants} that this map takes from a column"
        if entry.derive and not all(
            _recorded(found, name, "gauge") for name in ("power_active_total", "power_reactive_total")
        ):
            yield key, entry.derive, "power_active_total and power_reactive_total in this map"


def _recorded(found: TraceMap, name: str, kind: str) -> bool:
    """Whether a metric of the map can be the origin of another."""
    entry = found.metrics.get(name)
    if entry is None or name not in BY_NAME or BY_NAME[name].kind != kind:
        return False
    if entry.rate_of is not None:
        return _recorded(found, entry.rate_of, "counter") and found.metrics[entry.rate_of].rate_of is None
    return entry.column is not None or entry.constant is not None


def load_trace(csv_path: Path, found: TraceMap) -> Trace:
    """The recording in a CSV file, sorted by time. Raises FaultyFile, or ConfigError where it cannot be read."""
    try:
        with csv_path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = tuple(reader.fieldnames or ())
            if faults := list(_absent_columns(csv_path, header, found)):
                raise FaultyFile(faults)
            table = _Table(csv_path, found)
            for number, row in enumerate(reader, start=2):
                table.take(number, row)
    except OSError as error:
        raise ConfigError(f"{csv_path}: {error.strerror}", hint="Name a CSV file that exists.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{csv_path}: not CSV in UTF-8: {error}", hint="Save it as plain CSV.") from None
    return table.trace()


def _absent_columns(path: Path, header: Sequence[str], found: TraceMap) -> Iterator[Fault]:
    wanted = {*found.time.columns}
    for entry in found.metrics.values():
        wanted |= {name for name in (entry.column, entry.minus) if name is not None}
    for name in sorted(wanted - set(header)):
        yield Fault(
            file=str(path), key=name, value=None, expected=f"a column; the file has {', '.join(header)}"
        )


class _Table:
    """Rows as they come, by the start of their interval."""

    def __init__(self, path: Path, found: TraceMap) -> None:
        self._path = path
        self._map = found
        self._zone = ZoneInfo(found.time.timezone)
        self._missing = frozenset(found.missing.cells)
        self._columns = {name: entry for name, entry in found.metrics.items() if entry.column is not None}
        self._rows: dict[float, dict[str, float | None]] = {}
        self._faults: list[Fault] = []
        self._last_s = -math.inf
        self._out_of_order = self._duplicates = 0

    def take(self, number: int, row: Mapping[str, str | None]) -> None:
        written = " ".join(row[name] or "" for name in self._map.time.columns)
        try:
            begin_s = self._begin_s(written)
        except ValueError:
            self._fault(
                number, "/".join(self._map.time.columns), written, f"a time like {self._map.time.format}"
            )
            return
        self._out_of_order += begin_s < self._last_s
        self._duplicates += begin_s in self._rows
        self._last_s = begin_s
        self._rows[begin_s] = {name: self._value(number, row, entry) for name, entry in self._columns.items()}

    def _begin_s(self, written: str) -> float:
        time = self._map.time
        at = datetime.strptime(written, time.format)  # noqa: DTZ007 - the zone comes next
        if time.midnight == "end" and (at.hour, at.minute, at.second) == (0, 0, 0):
            at += timedelta(days=1)
        stamp_s = at.replace(tzinfo=self._zone).timestamp()
        return stamp_s - time.interval_s if time.stamp == "end" else stamp_s

    def _value(self, number: int, row: Mapping[str, str | None], entry: MetricMap) -> float | None:
        total = 0.0
        for name, sign in ((entry.column, 1), (entry.minus, -1)):
            if name is None:
                continue
            cell = (row[name] or "").strip()
            if cell in self._missing:
                return None
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                self._fault(number, name, cell, "a number, or one of [missing] cells")
                return None
            total += sign * value * entry.scale
        return total

    def _fault(self, number: int, key: str, value: object, expected: str) -> None:
        if len(self._faults) < _BAD_CELLS_SHOWN:
            self._faults.append(Fault(file=f"{self._path}:{number}", key=key, value=value, expected=expected))

    def trace(self) -> Trace:
        if self._faults:
            raise FaultyFile(self._faults)
        if not self._rows:
            raise ConfigError(f"{self._path}: no rows", hint="Name a CSV file with data under its header.")
        begins_s = sorted(self._rows)
        columns: dict[str, list[float | None]] = {
            name: [self._rows[begin_s][name] for begin_s in begins_s] for name in self._columns
        }
        _derive(columns, self._map, len(begins_s))
        interval_s = self._map.time.interval_s
        energy = columns.get("energy_import_total")
        report = TraceReport(
            rows=len(begins_s),
            begins=datetime.fromtimestamp(begins_s[0], self._zone),
            ends=datetime.fromtimestamp(begins_s[-1] + interval_s, self._zone),
            out_of_order=self._out_of_order,
            duplicates=self._duplicates,
            gaps=sum(b - a > 1.001 * interval_s for a, b in itertools.pairwise(begins_s)),
            missing={name: cells.count(None) for name, cells in columns.items()},
            energy_kwh=None if energy is None else math.fsum(cell or 0.0 for cell in energy),
        )
        return Trace(
            begins_s=begins_s, interval_s=interval_s, columns=columns,
            answer=self._map.missing.answer, report=report,
        )  # fmt: skip


def _derive(columns: dict[str, list[float | None]], found: TraceMap, rows: int) -> None:
    """Add the metrics that the map makes out of others. A missing cell makes all that stands on it missing."""
    hours = found.time.interval_s / 3600
    for name, entry in found.metrics.items():
        if entry.constant is not None:
            columns[name] = [entry.constant] * rows
    for name, entry in found.metrics.items():
        if entry.rate_of is not None:
            columns[name] = [_times(cell, 1000 / hours) for cell in columns[entry.rate_of]]
    for name, entry in found.metrics.items():
        if entry.integral_of is not None:
            columns[name] = [_times(cell, hours / 1000) for cell in columns[entry.integral_of]]
    for name, entry in found.metrics.items():
        if entry.derive is not None:
            pairs = zip(columns["power_active_total"], columns["power_reactive_total"], strict=True)
            columns[name] = [_apparent_or_factor(entry.derive, p, q) for p, q in pairs]


def _times(cell: float | None, factor: float) -> float | None:
    return None if cell is None else cell * factor


def _apparent_or_factor(
    what: Literal["apparent", "factor"], p: float | None, q: float | None
) -> float | None:
    if p is None or q is None:
        return None
    apparent = math.hypot(p, q)
    if what == "apparent":
        return apparent
    return p / apparent if apparent else 1.0


def utc_begin(trace: Trace) -> datetime:
    """The recording's own beginning as an aware UTC time."""
    return datetime.fromtimestamp(trace.begin_s, UTC)
