"""Keeps what the gateway has found out about its meters over a restart, in one small file."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Annotated, Final

import msgspec

from plumbline_edge.meters.profiles.profile import Profile

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 1 << 20
_Address = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16)]
_Label = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=255)]
"""What serial_number.text_of lets through: it goes into log lines and events."""


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """About one meter. It holds for the profile that `family` is a digest of, and for no other."""

    family: str = ""
    barriers: tuple[_Address, ...] = ()
    refused: tuple[_Address, ...] = ()
    base: _Address | None = None
    """Where its SunSpec model begins; barriers and refused registers hold for that place only."""
    serial_number: _Label = ""


def family_of(profile: Profile) -> str:
    """A digest of what a profile reads: what was learned about a meter holds for no other."""
    parts = (
        profile.name,
        profile.protocol,
        profile.function,
        [(r.address, r.type) for r in profile.registers],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class Remembered:
    """By the meter's name. Losing the file loses nothing but the time to find it all out again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Known] = {}
        if path is not None:
            # UnicodeDecodeError and RecursionError: msgspec lets them through for bytes that a bad card made up
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if path.stat().st_size <= _MOST_BYTES:
                    self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, Known])

    def of(self, name: str) -> Known:
        return self._known.get(name, Known())

    def keep(self, name: str, known: Known) -> None:
        """Write it down where it is news; a card that takes nothing is said once by others, and costs nothing here."""
        if self._known.get(name) == known:
            return
        self._known[name] = known
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        try:
            draft.write_bytes(msgspec.json.encode(self._known))
            draft.replace(self._path)
        except OSError as error:
            log.debug("%s: %s", self._path, error)
