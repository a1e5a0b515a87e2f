"""What the demo found out, as the JSON document that CI reads."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from plumbline_sim.demo.files import SITE
from plumbline_sim.demo.stage import CAMERA, Stage
from plumbline_sim.demo.tally import Tally

VERSION = 1
_LONG_ENOUGH_DAYS = 20
"""In a shorter project the slip is over before two photos in a row can show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was counted and read after the simulated project ended."""

    seed: int
    wall_s: float
    broker: str
    store: str
    records: Tally
    readings: Tally
    interrupted: int
    """Polls and photos that the end of the gateway caught in the middle: said, and no record yet."""
    dropped_declared: int
    photos_served: int
    observations: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    verify: str


def document(found: Findings, stage: Stage) -> dict[str, Any]:
    """The report; its layout is relied on from outside."""
    progress = list(_progress(found.observations, stage))
    errors = [abs(point["percent"] - point["truth"]) for point in progress]
    rejected = Counter(
        reason for seen in found.observations if seen["percent"] is None for reason in seen["gate"]
    )
    return {
        "version": VERSION,
        "seed": found.seed,
        "simulated_days": stage.project.days,
        "wall_s": round(found.wall_s, 1),
        "broker": found.broker,
        "store": found.store,
        "records": {
            **asdict(found.records),
            "interrupted": found.interrupted,
            "dropped_declared": found.dropped_declared,
        },
        "readings": {"produced": found.readings.produced, "stored": found.readings.stored},
        "photos": {
            "taken": found.photos_served,
            "accepted": len(progress),
            "rejected": dict(rejected),
        },
        "progress": progress,
        "progress_mae_pp": round(statistics.fmean(errors), 2) if errors else None,
        "alerts": [
            {
                key: alert.get(key)
                for key in ("site", "rule", "subject", "raised_at", "deviation_pp", "state", "cleared_at")
            }
            for alert in found.alerts
        ],
        "verify": found.verify,
    }


def failures(report: dict[str, Any]) -> list[str]:
    """Why this run did not show what it should; empty when it did."""
    records, readings = report["records"], report["readings"]
    deviations = [alert for alert in report["alerts"] if alert["rule"] == "deviation"]
    checks = {
        f"{records['lost']} records were lost": records["lost"] == 0,
        f"{records['duplicated']} records were stored twice": records["duplicated"] == 0,
        "readings produced and stored differ": readings["produced"] == readings["stored"],
        f"the ledger does not verify: {report['verify']}": report["verify"] == "ok",
        "no photo was accepted": report["photos"]["accepted"] > 0,
    }
    if report["simulated_days"] >= _LONG_ENOUGH_DAYS:
        checks["no deviation alert was raised"] = bool(deviations)
        checks["no deviation alert was cleared"] = any(alert["cleared_at"] for alert in deviations)
    return [words for words, fine in checks.items() if not fine]


def _progress(observations: Iterable[dict[str, Any]], stage: Stage) -> Iterator[dict[str, Any]]:
    for seen in observations:
        if seen["percent"] is None:
            continue
        day = stage.day(datetime.fromisoformat(seen["at"]))
        yield {
            "site": SITE,
            "camera": CAMERA,
            "at": seen["at"],
            "percent": round(seen["percent"], 2),
            "low": round(seen["low"], 2),
            "high": round(seen["high"], 2),
            "truth": round(stage.project.percent(day), 2),
            "planned": round(stage.project.planned_percent(day), 2),
        }
