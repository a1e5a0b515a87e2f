"""The files a person would write for the demo's site: site file, central file, plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from plumbline_sim.camera import CameraServer
from plumbline_sim.demo.stage import CAMERA, DAY_S, METERS, PHOTO_HOURS, ZONE, Stage
from plumbline_sim.scene.project import Project
from plumbline_sim.tomltext import toml_text

SITE = "demo"
GATEWAY = "demo-gw1"
_POLL_S = 1800
_PATIENCE_S = 20
"""Generous: on a busy machine a late answer is not what the demo is about."""


def write_site(path: Path, stage: Stage, *, broker_port: int, broker_version: str) -> None:
    """A site file for `plumbline edge run`."""
    project = stage.project
    tables: list[tuple[str, dict[str, Any]]] = [
        (
            "",
            {
                "site": SITE,
                "gateway": GATEWAY,
                "state_dir": "edge-state",
                "timezone": ZONE.key,
                "health_every_s": 6 * 3600,
            },
        ),
        ("[broker]", {"host": "127.0.0.1", "port": broker_port, "version": broker_version}),
        *(
            (
                "[[meters]]",
                {
                    "name": role,
                    "profile": profile,
                    "host": "127.0.0.1",
                    "port": stage.meters[role].port,
                    "every_s": _POLL_S,
                    "timeout_s": _PATIENCE_S,
                },
            )
            for role, profile in METERS.items()
        ),
        ("[[cameras]]", camera_table(CAMERA, stage.camera, project, stage.begin, zone=ZONE)),
    ]
    path.write_text(toml_text(tables), encoding="utf-8")


def camera_table(
    name: str, camera: CameraServer, project: Project, begin: datetime, *, zone: ZoneInfo
) -> dict[str, Any]:
    """What a person would write for a camera who knows the drawn works exactly."""
    width, height = camera.size
    return {
        "name": name,
        "url": f"http://127.0.0.1:{camera.port}/snapshot.jpg",
        "track": project.track,
        "at": [f"{hour}:00" for hour in PHOTO_HOURS],
        "works_begin": begin.astimezone(zone).date(),
        "quad": [
            [round(x / width, 5), round(y / height, 5)] for x, y in project.facade_quad((width, height))
        ],
        "floors": project.floors,
        "bays": project.bays,
        "weights": [[round(w, 9) for w in row] for row in project.weights],
        "timeout_s": _PATIENCE_S,
        "burst_frames": 1,  # pauses are real seconds: in a demo's time a burst would last for days
    }


def write_central(
    path: Path,
    *,
    broker_port: int,
    broker_version: str,
    http_port: int,
    store: Mapping[str, str] | None = None,
) -> None:
    """A file for `plumbline central run`; `store` is its table of that name."""
    tables: list[tuple[str, dict[str, Any]]] = [
        ("", {"data_dir": "central-data", "stale_after_s": 3 * _POLL_S}),
        ("[broker]", {"host": "127.0.0.1", "port": broker_port, "version": broker_version}),
        ("[http]", {"host": "127.0.0.1", "port": http_port}),
        ("[alerts]", {"evaluate_every_s": 6 * 3600, "fresh_for_s": 4 * DAY_S}),
        # a busy machine's second is an hour of the demo
        ("[rules]", {"gateway_silent_s": 4 * DAY_S, "meter_after_s": 2 * DAY_S}),
        *([("[store]", dict(store))] if store else []),
    ]
    path.write_text(toml_text(tables), encoding="utf-8")


def write_plan(path: Path, stage: Stage) -> None:
    """The plan as a planner would hand it in: one dated cumulative percent a day."""
    rows = ["date,percent"]
    for day in range(stage.project.days + 1):
        date = (stage.begin + timedelta(days=day)).astimezone(ZONE)
        rows.append(f"{date:%Y-%m-%d},{stage.project.planned_percent(day):.3f}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
