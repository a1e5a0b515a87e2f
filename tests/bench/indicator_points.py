"""1,000 sites x 5 indicators: how long a timer's look at all points and plans takes, and a ranking, on one core."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import machine
import msgspec

from plumbline.clock import to_us
from plumbline_central.alerts.tables import open_control
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.templates import templates
from plumbline_central.plan import PlanCurve

SITES, DAYS, PHOTOS = 1_000, 40, 60
PUSHED = ("funds_paid", "satisfaction", "progress_total", "safety_inspections")
START = datetime(2026, 3, 1, tzinfo=UTC)


def fill(db, book: IndicatorBook) -> None:
    curve = PlanCurve(points=tuple((START + timedelta(days=day), float(day)) for day in range(100)))
    points = msgspec.json.encode(curve.points).decode()
    with db.write() as write:
        for number in range(SITES):
            site = f"s{number}"
            for id_ in ("progress", *PUSHED):
                scope = "visible" if id_ == "progress" else "total"
                write.execute(
                    "INSERT INTO plan_baseline VALUES (?, ?, 1, 0, 'p', 'b', ?, ?, 'percent', 1)",
                    (site, id_, points, scope),
                )
            for id_ in PUSHED:
                body = msgspec.json.encode(from_template(templates()[id_], site)).decode()
                write.execute("INSERT INTO indicator VALUES (?, ?, 0, ?)", (site, id_, body))
                write.executemany(
                    "INSERT INTO indicator_value VALUES (?, ?, ?, 1, ?, '', 'b', '', 0)",
                    [(site, id_, to_us(START + timedelta(days=day)), float(day)) for day in range(DAYS)],
                )
            write.executemany(
                "INSERT INTO alert_observation VALUES (?, ?, 'c', 'p', ?, 0, ?, ?, ?, NULL, 1, 'judged', '', x'')",
                [
                    (f"{site}/{i}", site, to_us(START + timedelta(hours=12 * i)), i / 2, i / 2, i / 2)
                    for i in range(PHOTOS)
                ],
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = open_control(Path(folder) / "control.db")
        book = IndicatorBook.on(db)
        fill(db, book)
        now = START + timedelta(days=DAYS)
        for name, look in (
            ("first look (plans are read)", lambda: book.points.all_points(4)),
            ("the same again, nothing has changed", lambda: book.points.all_points(4)),
            ("8 newest points", lambda: book.points.all_points(8)),
            ("ranking", lambda: book.scores([f"s{i}" for i in range(SITES)], now)),
        ):
            started, cpu = time.perf_counter(), time.process_time()
            found = look()
            how = {"wall_s": round(time.perf_counter() - started, 3), "answers": len(found)}
            machine.say(f"1,000 sites x 5 indicators, {name}", time.process_time() - cpu, "s of CPU", **how)
        db.close()


if __name__ == "__main__":
    main()
