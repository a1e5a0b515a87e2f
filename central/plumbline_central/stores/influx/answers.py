"""What an InfluxDB server's answer means for what was sent; 1.6 to 3 differ in how they say it.

400 and 422 may have stored a part, so the rest is found by halving. An unknown database is 404 to a write and stands
inside a 200 of /query, an unknown retention policy is a 500 of 1.x: neither is a fault of the data, nor of the network.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from plumbline.errors import Busy, PlumblineError, Refused, Unreachable

_LONGEST: Final = 300
_LONGEST_PAUSE_S: Final = 3_600.0
_CONFIGURATION: Final = re.compile(
    r"(database|retention policy|bucket|org|organization) (\S+ )?(not found|is required|required)|bucket \S* not found"
    r"|max-(series-per-database|values-per-tag)|unauthorized|invalid precision",
    re.IGNORECASE,
)

_NOT_ITS_WORK: Final = re.compile(
    r"not (yet )?(supported|implemented|allowed)|unsupported|unimplemented|error parsing", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Done:
    """All of it is kept."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in it is refused for good; the rest may or may not be stored, and may be sent again."""

    words: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Half of it may pass."""

    words: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """A person must change something, here or at the server; until then nothing passes."""

    words: str


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The server asks for a pause; None: it does not say how long."""

    words: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """It does not answer, or cannot write now."""

    words: str


_BY_STATUS: Final[dict[int, type[Rejected | TooLarge | Away]]] = {
    400: Rejected,
    422: Rejected,
    413: TooLarge,
    408: Away,
    425: Away,
}
"""Of the others, 5xx pass by themselves; the rest (401, 403, 404, a redirection) waits for a person."""
Answer = Done | Rejected | TooLarge | Misconfigured | Overloaded | Away


def meaning(status: int, text: str = "", *, retry_after: str = "") -> Answer:
    """Of a write's status, the words beside it and its Retry-After."""
    if 200 <= status < 300:
        return Done()
    words = f"{status} {spoken(text)}".strip()
    if status in {429, 503}:
        return Overloaded(words, pause_s(retry_after))
    if _CONFIGURATION.search(text):
        return Misconfigured(words)
    kind = _BY_STATUS.get(status, Away if status >= 500 else Misconfigured)
    return kind(words)


def of_results(document: dict[str, Any]) -> Answer:
    """Of a 200 that /query gave: errors stand inside it, statement by statement."""
    for one in (document, *document.get("results", ())):
        if error := one.get("error"):
            words = spoken(str(error))
            return Misconfigured(words) if _CONFIGURATION.search(words) else Rejected(words)
    return Done()


def cannot(words: str) -> bool:
    """Whether a server says that what it was asked is nothing that it does at all."""
    return _NOT_ITS_WORK.search(words) is not None


def pause_s(retry_after: str) -> float | None:
    """Seconds of a Retry-After; None for a date, which asks for the server's clock, and for nonsense."""
    return min(float(retry_after), _LONGEST_PAUSE_S) if retry_after.strip().isdecimal() else None


def spoken(text: str) -> str:
    """The server's own words, out of its JSON where it is that."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        text = str(document.get("message") or document.get("error") or text)
        if document.get("data"):  # 3 lists the lines it refused
            text += f" {document['data']}"
    return " ".join(text.split())[:_LONGEST]


def error(answer: Answer, server: str) -> PlumblineError:
    """What the caller of a store hears of an answer that is not `Done`."""
    assert not isinstance(answer, Done)
    said = f"{server}: {answer.words}"
    match answer:
        case Overloaded(after_s=float(after_s)):
            return Busy(said, after_s=after_s)
        case Misconfigured():
            return Unreachable(
                said, hint="Look at [store] in the settings and at the server; nothing is lost meanwhile."
            )
        case Rejected() | TooLarge():
            return Refused(said, hint="docs/influxdb.md says what the server must be able to do.")
        case _:
            return Unreachable(
                said, hint="It is tried again by itself; the ledger keeps everything meanwhile."
            )
