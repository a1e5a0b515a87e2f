"""1,000 sites x 5 indicators on one timer tick, on one core: the first ever, a start, nothing new, all new at every site."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import machine
import msgspec

from plumbline import codec
from plumbline.clock import to_us
from plumbline.messages import DeviceHealth, Health, Progress, Record, ZoneProgress
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.milestones import Milestone
from plumbline_central.indicators.templates import templates
from plumbline_central.parts import Parts
from plumbline_central.plan import PlanCurve
from plumbline_central.project import LedgerRow

SITES, DAYS, SHARE_OFF = 1_000, 40, 20
PUSHED = ("funds_paid", "satisfaction", "progress_total", "safety_inspections")
START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=DAYS)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def progress(site: int, day: int, number: int) -> LedgerRow:
    """One site in `SHARE_OFF` is 9 points behind."""
    percent = max(0.0, float(day) - (9 if site % SHARE_OFF == 0 else 0))
    zones = tuple(
        ZoneProgress(id=f"f{f}b{b}", percent=percent, low=None, high=None, visible=1.0)
        for f in range(5)
        for b in range(6)
    )
    body = Progress(
        camera="c", photo=f"p{day}", percent=percent, low=percent - 3, high=percent + 3, zones=zones
    )
    return row(site, number, day, body)


def row(site: int, number: int, day: float, body) -> LedgerRow:
    record = Record(seq=number, at_us=to_us(at(day)), boot="b", mono_us=number, clock="synced", body=body)
    return LedgerRow(
        id=number,
        received_us=to_us(at(day)),
        site=f"s{site}",
        gateway=f"g{site}",
        epoch="e",
        lane="data",
        records=(record,),
    )


def fill(parts: Parts) -> int:
    """What a city of sites has after 40 days; the number of the next ledger row."""
    curve = PlanCurve(points=tuple((at(day), float(day)) for day in range(100)))
    points = msgspec.json.encode(curve.points).decode()
    milestones = tuple(
        Milestone(id=f"m{i}", name_zh="封顶", name_en="topped out", due=at(60 + i)) for i in range(5)
    )
    with parts.control.write() as db:
        for site in range(SITES):
            for id_ in ("progress", *PUSHED):
                scope = "visible" if id_ == "progress" else "total"
                db.execute(
                    "INSERT INTO plan_baseline VALUES (?, ?, 1, 0, 'p', 'b', ?, ?, 'percent', 1)",
                    (f"s{site}", id_, points, scope),
                )
            for id_ in PUSHED:
                body = msgspec.json.encode(from_template(templates()[id_], f"s{site}")).decode()
                db.execute("INSERT INTO indicator VALUES (?, ?, 0, ?)", (f"s{site}", id_, body))
                db.executemany(
                    "INSERT INTO indicator_value VALUES (?, ?, ?, 1, ?, '', 'b', '', 0)",
                    [(f"s{site}", id_, to_us(at(day)), float(day)) for day in range(DAYS)],
                )
            db.execute(
                "INSERT INTO milestone_plan VALUES (?, 1, 0, 'm', 'b', ?)",
                (f"s{site}", msgspec.json.encode(milestones).decode()),
            )
            db.executemany(
                "INSERT INTO alert_observation VALUES (?, ?, 'c', 'p', ?, 0, ?, ?, ?, NULL, 1, 'judged', '', ?)",
                [
                    (
                        f"g{site}/e/data/-{day}",
                        f"s{site}",
                        to_us(at(day)),
                        float(day),
                        day - 3.0,
                        day + 3.0,
                        codec.encode_body(progress(site, day, 1).records[0].body),
                    )
                    for day in range(DAYS - 2)
                ],
            )
    number = 0
    for day in (DAYS - 2, DAYS - 1):
        rows = [progress(site, day, number + site + 1) for site in range(SITES)]
        number += SITES
        parts.progress.apply(rows)
    meters = tuple(DeviceHealth(name=f"m{i}", status="ok", answers=9) for i in range(4))
    rows = [
        row(site, number + site + 1, DAYS - 0.001, Health(version="1", devices=meters))
        for site in range(SITES)
    ]
    parts.gateways.apply(rows)
    return number + SITES + 1


def timed(name: str, parts: Parts, day: float) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    parts.evaluator.tick(at(day))
    machine.say(
        "rules_tick",
        time.process_time() - cpu,
        "s of CPU",
        goal="<= 1",
        what=name,
        sites=SITES,
        indicators=1 + len(PUSHED),
        wall_s=round(time.perf_counter() - began, 3),
        open_alerts=len(parts.book.open()),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts.open(Path(folder))
        number = fill(parts)
        timed("the first ever", parts, DAYS)
        parts.close()
        parts = Parts.open(Path(folder))
        timed("the first after a start", parts, DAYS + 0.0005)
        timed("nothing new", parts, DAYS + 0.001)
        parts.progress.apply([progress(site, DAYS, number + site) for site in range(SITES)])
        with parts.control.write() as db:
            db.executemany(
                "INSERT INTO indicator_value VALUES (?, ?, ?, 1, ?, '', 'b', '', 0)",
                [(f"s{site}", id_, to_us(at(DAYS)), float(DAYS)) for site in range(SITES) for id_ in PUSHED],
            )
        timed("a photo and four values new at every site", parts, DAYS + 0.002)
        parts.close()


if __name__ == "__main__":
    main()
