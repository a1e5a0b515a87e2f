"""Where a device keeps its SunSpec meter: which words to read, and what they say."""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from plumbline.errors import Refused
from plumbline_edge.meters.profiles.profile import Function, Profile, places

Read = tuple[Function, int, int]
"""One read to send: function code, first register, number of registers."""

MARK: Final = b"SunS"
BEGINNINGS: Final = (40_000, 0, 50_000)
"""Where the standard lets the mark stand, in the order in which devices are found to have it."""
MOST_MODELS: Final = 64
"""Longer lists are no list: the longest of real devices have some thirty models."""
MOST_READS: Final = 1 + len(BEGINNINGS) + 2 * MOST_MODELS

_SPACE: Final = 65_536
_END: Final = 0xFFFF
_COMMON: Final = 1
_COMMON_WORDS: Final = 64
_HINT: Final = (
    "Switch SunSpec on in the device (often named Modbus, meter data or SunSpec), and check its unit number."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A meter model: `base` is the address of its id word. `profile.at(base)` then is this meter's profile.

    Maker, device, version and serial number are what the common model before it says; "" where it says nothing or was
    not asked.
    """

    base: int
    model: int
    maker: str = ""
    device: str = ""
    version: str = ""
    serial: str = ""


def discover(profile: Profile, *, known: int | None = None) -> Generator[Read, bytes | None, Found]:
    """Yields what to read and is sent the registers' bytes, or None where the device refused them.

    Returns the first of the profile's models that is long enough for it; where one still begins at `known`, that one,
    after a single read. Ends after at most MOST_READS reads, whatever is sent. Raises Refused where the device has no
    mark, no such model, or a list that makes no sense.
    """
    words = max(place.end for place in places(profile))
    if known is not None and 0 <= known < _SPACE:
        header = yield from _ask(profile.function, known, 2)
        if header is not None:
            model, length = struct.unpack(">HH", header)
            if _holds(profile, words, known, model, length):
                return Found(base=known, model=model)
    at = yield from _after_mark(profile.function)
    common = ("", "", "", "")
    passed: list[int] = []
    for _ in range(MOST_MODELS):
        header = yield from _ask(profile.function, at, 2)
        if header is None:
            raise Refused(f"the SunSpec list breaks off at register {at}, after {_named(passed)}", hint=_HINT)
        model, length = struct.unpack(">HH", header)
        if model == _END or length == 0:
            break
        if model == _COMMON:
            common = yield from _common(profile.function, at + 2, length)
        if _holds(profile, words, at, model, length):
            maker, device, version, serial = common
            return Found(
                base=at, model=model, maker=maker, device=device, version=version, serial=serial
            )  # fmt: skip
        passed.append(model)
        at += 2 + length
    wanted = ", ".join(map(str, profile.models))
    raise Refused(
        f"the device has no SunSpec model {wanted}, but {_named(passed)}",
        hint="Take the other SunSpec profile: sunspec_int reads models 201-204, sunspec_float reads 211-214.",
    )


def _holds(profile: Profile, words: int, at: int, model: int, length: int) -> bool:
    """Whether a model that begins there is one of the profile's, and long enough for it."""
    return model in profile.models and 2 + length >= words and at + 2 + length <= _SPACE


def _after_mark(function: Function) -> Generator[Read, bytes | None, int]:
    for beginning in BEGINNINGS:
        if (yield from _ask(function, beginning, 2)) == MARK:
            return beginning + 2
    tried = ", ".join(map(str, BEGINNINGS))
    raise Refused(f"no SunSpec device: no 'SunS' at {tried}", hint=_HINT)


def _common(
    function: Function, start: int, length: int
) -> Generator[Read, bytes | None, tuple[str, str, str, str]]:
    """Maker, device, version and serial number; as much of them as the model holds."""
    told = yield from _ask(function, start, min(length, _COMMON_WORDS))
    told = told or b""
    return _text(told[0:32]), _text(told[32:64]), _text(told[80:96]), _text(told[96:128])


def _ask(function: Function, start: int, count: int) -> Generator[Read, bytes | None, bytes | None]:
    """The bytes of a read; None where it was refused, answered short, or would run past the last register."""
    if start + count > _SPACE:
        return None
    answer = yield function, start, count
    return answer if answer is not None and len(answer) == 2 * count else None


def _text(raw: bytes) -> str:
    """Text up to its first zero byte, without what cannot be shown."""
    text = raw.split(b"\0")[0].decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable() and letter != "\ufffd").strip()


def _named(models: list[int]) -> str:
    return f"models {', '.join(map(str, models))}" if models else "no model at all"
