"""What a caller hears when something cannot be done: who must act decides the status code."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from plumbline.errors import FaultyFile, PlumblineError, Refused, Unreachable
from plumbline_central.alerts.book import NotInTheBook
from plumbline_central.indicators.store import NoSuch


class Missing(Refused):
    """There is nothing of that name."""


class Unreadable(Refused):
    """What was asked or sent cannot be read."""


def status_of(error: PlumblineError) -> HTTPStatus:
    """The HTTP status that says the same as `error`."""
    if isinstance(error, Missing | NotInTheBook | NoSuch):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, FaultyFile | Unreadable):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, Refused):
        return HTTPStatus.CONFLICT
    if isinstance(error, Unreachable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


PROBLEM: Final = "application/problem+json"


def problem(status: int, detail: str, hint: str = "", error: PlumblineError | None = None) -> dict[str, Any]:
    """The body after RFC 9457; `hint` says what to do, `faults` names each fault of a file for programs."""
    said: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "hint": hint,
    }  # fmt: skip
    if isinstance(error, FaultyFile):
        said["faults"] = [
            {"at": fault.key, "value": str(fault.value), "expected": fault.expected} for fault in error.faults
        ]
    return said
