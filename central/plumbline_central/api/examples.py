"""One example of each shape that the API speaks; a test holds each against its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_AT: Final = "2026-03-22T04:00:00Z"
_UNTIL: Final = "2026-03-24T00:00:00Z"
_SITE: Final[dict[str, Any]] = {"id": "a12", "name_zh": "甲十二号楼", "name_en": "Building A12"}
_EVIDENCE: Final[dict[str, Any]] = {
    "ref": "gw-1/3f/data/812", "at": _AT, "percent": 12.0, "low": 11.0, "high": 13.0, "planned": 21.0,
    "deviation_pp": -9.0, "photo": "north-20260322T040000",
}  # fmt: skip
_SLOT: Final[dict[str, Any]] = {"site": "a12", "rule": "meter_fault", "subject": "crane"}
_RATE: Final[dict[str, Any]] = {"now": 0, "peak": 4, "mean": 0.2}
_OFTEN: Final[dict[str, Any]] = {"slot": _SLOT, "raised": 3, "most_within": 3, "share": 0.75}
_STALE: Final[dict[str, Any]] = {
    "id": 7, **_SLOT, "severity": "red", "state": "unacknowledged", "raised_at": "2026-03-20T04:00:00Z",
}  # fmt: skip
_ZONE: Final[dict[str, Any]] = {
    "id": "f2b3",
    "percent": 40.0,
    "low": 35.0,
    "high": 45.0,
    "visible": 0.9,
    "stage": 3,
}
_DEVICE: Final[dict[str, Any]] = {
    "name": "crane", "status": "ok", "answers": 90_000, "errors": {"timeout": 3}, "latency_ms": 41.5,
}  # fmt: skip
_PROJECTED: Final[dict[str, Any]] = {"applied": 812, "passed_over": 0, "behind": 0, "balanced": True}
_OBSERVATION: Final[dict[str, Any]] = {
    "at": _AT, "camera": "north", "photo": "north-20260322T040000", "percent": 12.0, "low": 11.0, "high": 13.0,
    "planned": 21.0, "deviation_pp": -9.0, "standing": "judged", "gate": [], "zones": [_ZONE],
    "quad": [[0.25, 0.2], [0.8, 0.25], [0.8, 0.9], [0.25, 0.85]], "grid": [4, 6], "model": "stage_seg 1",
}  # fmt: skip

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "FaultOut": {"at": "row 7", "value": "101", "expected": "a percentage from 0 to 100"},
    "Problem": {
        "type": "about:blank", "title": "Conflict", "status": 409,
        "detail": "an alert that is acknowledged cannot take 'acknowledge'",
        "hint": "Someone was quicker; add a comment instead.",
    },
    "SiteOut": _SITE,
    "SiteState": {
        **_SITE, "level": "alarm", "percent": 12.0, "planned": 21.0, "deviation_pp": -9.0, "at": _AT, "open_alerts": 1,
    },
    "ReadingOut": {
        "gateway": "gw-1", "device": "crane", "metric": "voltage_l1", "unit": "V", "value": None, "flaw": 102, "at": _AT,
    },
    "SeriesOut": {"device": "crane", "metric": "voltage_l1", "unit": "V", "points": [[_AT, 230.1]]},
    "PhotoOut": {
        "photo": "north-20260322T040000", "gateway": "gw-1", "camera": "north", "at": _AT, "width": 960, "height": 540,
        "mask": "blur:v1", "href": "/api/v1/sites/a12/photos/north-20260322T040000.jpg",
    },
    "ZoneOut": _ZONE,
    "ObservationOut": _OBSERVATION,
    "ProgressOut": {
        "site": "a12", "plan_version": 1, "planned": [["2026-03-01T00:00:00Z", 0.0], ["2026-06-09T00:00:00Z", 100.0]],
        "actual": [_OBSERVATION],
    },
    "EvidenceOut": _EVIDENCE,
    "AlertOut": {
        "id": 7, "key": "deviation-north", "site": "a12", "rule": "deviation", "subject": "north", "severity": "red",
        "state": "acknowledged", "shown": "acknowledged", "since": _AT, "raised_at": _AT, "deviation_pp": -9.0,
        "planned": 21.0, "actual": 12.0, "low": 11.0, "high": 13.0, "latest_pp": -9.4, "latest_at": "2026-03-23T04:00:00Z",
        "acknowledged_by": "李伟", "acknowledged_at": "2026-03-22T05:00:00Z", "cleared_at": None, "closed_at": None,
        "evidence": [_EVIDENCE], "gateway": "gw-1", "facts": {}, "assigned_to": "王建国",
        "assigned_at": "2026-03-22T05:10:00Z", "rectified_by": None, "rectified_at": None, "shelved_until": None,
        "shelved_by": None, "suppressed_by": None, "out_of_service": False, "escalation": 0,
    },
    "StepOut": {
        "at": _AT, "who": "李伟", "what": "acknowledged", "old": "unacknowledged", "new": "acknowledged", "comment": "",
    },
    "PersonIn": {"by": "李伟", "comment": "换表"},
    "AssignIn": {"by": "李伟", "comment": "", "to": "王建国"},
    "ReasonIn": {"by": "李伟", "comment": "换表"},
    "ShelveIn": {"by": "李伟", "comment": "换表", "until": _UNTIL},
    "SlotIn": {"by": "李伟", "comment": "换表", **_SLOT},
    "MaintenanceIn": {"by": "李伟", "comment": "检修", "site": "a12", "subject": "crane", "until": _UNTIL},
    "SilenceOut": {
        "id": 3, "kind": "maintenance", "site": "a12", "rule": None, "subject": "crane", "start": _AT, "until": _UNTIL,
        "by": "李伟", "why": "检修", "at": _AT, "ended_at": None, "ended_by": None, "ended_why": "",
    },
    "RateOut": _RATE,
    "SlotOut": _SLOT,
    "OftenOut": _OFTEN,
    "StaleOut": _STALE,
    "RatesOut": {
        "start": "2026-03-15T04:00:00Z", "end": _AT, "per_hour": _RATE, "per_10_minutes": _RATE, "standing": 1,
        "stale": [_STALE], "chattering": [_OFTEN], "bad_actors": [_OFTEN],
    },
    "DeviceOut": _DEVICE,
    "GatewayOut": {
        "gateway": "gw-1", "site": "a12", "last_seen": _AT, "online": True, "version": "0.1.0", "health_at": _AT,
        "gauges": {"disk_free_mb": 21_400.0}, "counters": {"polls": 90_000}, "devices": [_DEVICE],
    },
    "GapOut": {
        "site": "a12", "gateway": "gw-1", "epoch": "3f", "lane": "data", "first": 5, "last": 9, "count": 5,
        "declared": True, "why": "thinned", "start": "2026-03-01T00:00:00Z", "end": "2026-03-01T00:05:00Z",
        "summarised": True,
    },
    "ProjectedOut": _PROJECTED,
    "HealthOut": {
        "status": "ok", "now": _AT, "version": "0.1.0", "balanced": True,
        "equations": {"received = stored + duplicate + refused": True}, "counters": {"received": 812},
        "projections": {"series": _PROJECTED}, "behind": {"series": 0}, "faults": {}, "missing_records": 0,
        "declared_missing_records": 5, "ledger_bytes": 1_048_576, "archive_bytes": 0, "archive_segments": 0,
        "last_seen": _AT,
    },
}  # fmt: skip
