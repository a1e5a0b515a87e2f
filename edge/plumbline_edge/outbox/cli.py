"""`plumbline edge status|tail|export`: look at what a gateway keeps, also while it runs."""

from __future__ import annotations

import csv
import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from plumbline import codec, ranges
from plumbline.clock import from_us
from plumbline.errors import ConfigError, Refused
from plumbline.messages import Body, Frame, Health, Summary
from plumbline.metrics import BY_CODE, Flaw
from plumbline_edge.config import load_site
from plumbline_edge.outbox.rows import LaneState
from plumbline_edge.outbox.view import lane_states
from plumbline_edge.settings import SiteSettings

app = typer.Typer()

Site = Annotated[Path, typer.Argument(metavar="SITE.toml", help="The site file of this gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]
_SELECT: Final = (
    "SELECT e.name, l.name, r.seq, r.at_us, r.clock, r.body FROM record r JOIN lane l ON l.id = r.lane"
    " JOIN epoch e ON e.id = l.epoch"
)
_LOOK_BACK: Final = 200
"""Records of the status lane in which the newest health is looked for."""
_Line = tuple[str, str, int, int, str, bytes]
"""(epoch, lane, seq, at_us, clock, body)"""
_COLUMNS: Final = ("at", "clock", "device", "metric", "value", "unit", "flaw", "epoch", "seq")


@app.command(epilog="Example: plumbline edge status /etc/plumbline/site.toml --json")
def status(site: Site, *, as_json: AsJson = False) -> None:
    """How much is kept here, how much of it central has not acknowledged yet, and what had to go."""
    settings = load_site(site)
    with closing(_open(settings)) as db:
        epoch = db.execute("SELECT name FROM epoch ORDER BY id DESC").fetchone()[0]
        states = list(lane_states(db))
        health = _newest_health(db)
    size = sum(file.stat().st_size for file in Path(settings.state_dir).glob("outbox.*"))
    if as_json:
        lanes = [_as_json(state) for state in states]
        devices = [] if health is None else msgspec.to_builtins(health[1].devices)
        said = {
            "gateway": settings.gateway, "epoch": epoch, "bytes": size, "lanes": lanes,
            "at": None if health is None else health[0].isoformat(), "devices": devices,
        }  # fmt: skip
        print(json.dumps(said))
        return
    table = Table("lane", title=f"{settings.gateway} · epoch {epoch}", show_edge=False)
    for name in (
        "written",
        "at central",
        "waiting",
        "refused",
        "gone",
        "waiting since",
    ):  # 80 columns hold these
        table.add_column(name, no_wrap=True)
    for state in states:
        lane = state.lane if state.epoch == epoch else f"{state.lane} of {state.epoch}"
        oldest = state.oldest_unacknowledged_us
        numbers = (state.last, ranges.size(state.acknowledged), state.waiting, state.parked, state.gone)
        waits_since = "" if oldest is None else f"{from_us(oldest):%Y-%m-%d %H:%M}"
        table.add_row(lane, *map(str, numbers), waits_since)
    Console().print(table)
    kept = sum(state.kept for state in states)
    print(f"{kept:,} records on the card, {size / 1e6:.1f} MB of at most {settings.outbox.max_mb:g} MB.")
    print("Acknowledgements are written with the next reading; `waiting` may lag by one.")
    if health is not None and health[1].devices:
        Console().print(_device_table(*health))


def _newest_health(db: sqlite3.Connection) -> tuple[datetime, Health] | None:
    """How the gateway was when it last said so, and when that was."""
    newest = db.execute(
        "SELECT r.at_us, r.body FROM record r JOIN lane l ON l.id = r.lane WHERE l.name = 'status'"
        " ORDER BY r.lane DESC, r.seq DESC LIMIT ?",
        (_LOOK_BACK,),
    )
    for at_us, raw in newest:
        if isinstance(body := codec.decode_body(raw), Health):
            return from_us(at_us), body
    return None


def _device_table(at: datetime, health: Health) -> Table:
    """One line a meter or camera; `last good` is how old a camera's last judged photo was."""
    table = Table("device", title=f"devices at {at:%Y-%m-%d %H:%M} UTC", show_edge=False)
    for name in ("source", "status", "answers", "latency", "last good", "errors"):
        table.add_column(name)
    for device in health.devices:
        errors = ", ".join(f"{code} {count}" for code, count in sorted(device.errors.items()))
        latency = "" if device.latency_ms is None else f"{device.latency_ms:.0f} ms"
        good = "" if device.last_good_us is None else f"{_ago(at - from_us(device.last_good_us))} before"
        source = device.source or "meter"
        table.add_row(device.name, source, device.status, str(device.answers), latency, good, errors)
    return table


def _ago(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return (
        f"{60 * hours:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
    )


@app.command(epilog="Example: plumbline edge tail /etc/plumbline/site.toml -n 5")
def tail(
    site: Site,
    *,
    count: Annotated[int, typer.Option("-n", help="How many records.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """The newest records of this gateway, oldest first. A line shows what fits into it, --json everything."""
    with closing(_open(load_site(site))) as db:
        lanes = db.execute("SELECT id FROM lane").fetchall()
        newest = (
            db.execute(f"{_SELECT} WHERE r.lane = ? ORDER BY r.seq DESC LIMIT ?", (lane, count))
            for (lane,) in lanes
        )
        lines: list[_Line] = heapq.nlargest(
            count, (line for lane in newest for line in lane), key=lambda x: x[3]
        )
    width = Console().width
    for _, lane, seq, at_us, _, raw in reversed(lines):
        said = _readable(codec.decode_body(raw))
        at = from_us(at_us)
        if as_json:
            print(json.dumps({"lane": lane, "seq": seq, "at": at.isoformat(), **said}))
        else:
            print(_line(lane, seq, at, said, width))


@app.command(epilog="Example: plumbline edge export /etc/plumbline/site.toml --out readings.csv")
def export(
    site: Site,
    *,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[
        Literal["csv", "jsonl"],
        typer.Option("--format", help="csv: one reading a line. jsonl: every record, one a line."),
    ] = "csv",
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only what central has not acknowledged.")
    ] = False,
) -> None:
    """Write what is kept here to a file, for when no network will ever carry it. The gateway may go on running."""
    with closing(_open(load_site(site))) as db:
        states = list(lane_states(db))
        total = sum(state.waiting if waiting else state.kept for state in states)
        console = Console(stderr=True)
        lines = track(
            _kept(db, states, waiting=waiting),
            "Exporting",
            total=total,
            console=console,
            disable=not console.is_terminal,
        )
        try:
            with out.open("w", encoding="utf-8", newline="") as file:
                (_write_csv if form == "csv" else _write_jsonl)(file, lines)
        except OSError as error:
            raise ConfigError(f"{out}: {error.strerror}", hint="Name a file where there is room.") from None
    print(f"{out}: {total} records")


def _kept(db: sqlite3.Connection, states: Iterable[LaneState], *, waiting: bool) -> Iterator[_Line]:
    """Every record that is here, or that waits, lane by lane."""
    for state in states:
        gone = state.settled if waiting else state.cut
        for first, last in ranges.missing(gone, (1, state.last)) if state.last else ():
            yield from db.execute(
                f"{_SELECT} WHERE e.name = ? AND l.name = ? AND r.seq BETWEEN ? AND ? ORDER BY r.seq",
                (state.epoch, state.lane, first, last),
            )


def _write_csv(file: IO[str], lines: Iterable[_Line]) -> None:
    """Readings only; a summary gives the mean of its stretch of time."""
    table = csv.writer(file)
    table.writerow(_COLUMNS)
    for epoch, lane, seq, at_us, clock, raw in lines:
        if lane != "data":
            continue
        body = codec.decode_body(raw)
        if isinstance(body, Frame):
            values, flaws = body.values, dict(body.flaws)
        elif isinstance(body, Summary):
            values, flaws = body.mean, dict.fromkeys(range(len(body.mean)), int(Flaw.THINNED))
        else:
            continue
        for at, (code, value) in enumerate(zip(body.metrics, values, strict=True)):
            metric = BY_CODE[code]
            shown = "" if value is None else metric.from_wire(value)
            flaw = Flaw(flaws[at]).name.lower() if at in flaws else ""
            moment = from_us(at_us).isoformat()
            table.writerow((moment, clock, body.device, metric.name, shown, metric.unit, flaw, epoch, seq))


def _write_jsonl(file: IO[str], lines: Iterable[_Line]) -> None:
    for epoch, lane, seq, at_us, clock, raw in lines:
        where = {"epoch": epoch, "lane": lane, "seq": seq, "at": from_us(at_us).isoformat(), "clock": clock}
        json.dump(where | _readable(codec.decode_body(raw)), file, ensure_ascii=False)
        file.write("\n")


def _open(settings: SiteSettings) -> sqlite3.Connection:
    path = Path(settings.state_dir) / "outbox.db"
    if not path.exists():
        raise ConfigError(f"{path} is not there yet", hint="Start the gateway once: plumbline edge run")
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        db.execute("SELECT name FROM epoch LIMIT 1")
    except sqlite3.Error as error:
        db.close()
        raise Refused(
            f"{path}: {error}",
            hint="Start this version of the gateway once: it brings an older file up to date.",
        ) from None
    return db


def _as_json(state: LaneState) -> dict[str, Any]:
    return {
        "epoch": state.epoch,
        "lane": state.lane,
        "last": state.last,
        "acknowledged": ranges.through(state.acknowledged),
        "waiting": state.waiting,
        "parked": state.parked,
        "gone": state.gone,
        "kept": state.kept,
        "oldest_unacknowledged_us": state.oldest_unacknowledged_us,
    }


def _readable(body: Body) -> dict[str, Any]:
    if not isinstance(body, Frame):
        said: dict[str, Any] = msgspec.to_builtins(body, builtin_types=(bytes,))
        return {
            key: f"{len(value)} bytes" if isinstance(value, bytes) else value for key, value in said.items()
        }
    flaws = {at: Flaw(code).name.lower() for at, code in body.flaws}
    values = {
        BY_CODE[code].name: flaws.get(i) if value is None else BY_CODE[code].from_wire(value)
        for i, (code, value) in enumerate(zip(body.metrics, body.values, strict=True))
    }
    return {"kind": "frame", "device": body.device, "values": values}


def _line(lane: str, seq: int, at: datetime, said: dict[str, Any], width: int) -> str:
    """A record as one line that fits; an event is told whole."""
    shown = {key: value for key, value in said.items() if key not in ("kind", "values", "zones")}
    parts = [f" {key}={value}" for key, value in (shown | said.get("values", {})).items()]
    line = f"{at:%Y-%m-%d %H:%M:%S} {lane}/{seq} {said['kind']}"
    return line + ("".join(parts) if said["kind"] == "event" else _fitting(parts, width - len(line)))


def _fitting(parts: list[str], width: int) -> str:
    """As many of the parts as the width holds, and how many more there are; at least one of them."""
    if sum(map(len, parts)) <= width:
        return "".join(parts)
    taken = 1
    while sum(map(len, parts[: taken + 1])) + len(f" and {len(parts)} more") <= width:
        taken += 1
    return "".join(parts[:taken]) + f" and {len(parts) - taken} more"
