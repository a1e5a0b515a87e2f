"""One thing the doctor looked at: how it stands, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`hint` is the next thing to do, in one sentence; empty where all is well."""

    what: str
    level: Level
    said: str
    hint: str = ""


def counted(number: int, thing: str, things: str = "") -> str:
    """1 meter, 2 meters."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"


def ok(what: str, said: str) -> Finding:
    return Finding(what=what, level="ok", said=said)


def warning(what: str, said: str, hint: str) -> Finding:
    return Finding(what=what, level="warning", said=said, hint=hint)


def fault(what: str, said: str, hint: str) -> Finding:
    return Finding(what=what, level="fault", said=said, hint=hint)
