"""Where every time in Plumbline comes from; nothing else reads the machine's clocks.

Three clocks: the system's, a scaled one that lets a simulated site live 60 days in minutes, and a test's own.
Intervals and deadlines on the network always use real seconds; only the *subject's* time (when a meter was read,
when a plan is due) is asked here.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Literal, Protocol, Self, cast

from plumbline.errors import ConfigError

Trust = Literal["synced", "unsynced", "unset", "simulated"]
TRUSTED: Final = frozenset[Trust](("synced", "simulated"))
"""Where the wall clock's own word is the time that counts."""

ENVIRONMENT: Final = "PLUMBLINE_SIMULATED_CLOCK"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY_WAS_INSTALLED_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_NOBODY_RUNS_AFTER: Final = datetime(2100, 1, 1, tzinfo=UTC)
_LEAST_FIRST: Final[tuple[Trust, ...]] = ("unset", "unsynced", "synced", "simulated")
_STA_UNSYNC: Final = 0x0040  # linux/timex.h
_STATUS_OFFSET: Final = (
    40  # struct timex: modes(4)+pad, offset, freq, maxerror, esterror are longs before status
)


class Clock(Protocol):
    """Wall time, time since boot, and how far the wall time can be trusted."""

    def wall(self) -> datetime:
        """Now, aware UTC."""
        ...

    def mono(self) -> float:
        """Seconds since some fixed start of this boot; never steps."""
        ...

    def trust(self) -> Trust: ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's own clocks; trusted while the kernel says that NTP disciplines it."""

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def mono(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def trust(self) -> Trust:
        if not _NOBODY_WAS_INSTALLED_BEFORE <= self.wall() < _NOBODY_RUNS_AFTER:
            return "unset"
        return "synced" if _kernel_is_disciplined() else "unsynced"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledClock:
    """Simulated time that runs `speed` times as fast as real time, the same in every process of one machine.

    `start` is the simulated time at `real_mono`, a reading of CLOCK_MONOTONIC, which all processes share.
    """

    start: datetime
    real_mono: float
    speed: float

    @classmethod
    def starting(cls, start: datetime, speed: float) -> Self:
        """One that says `start` now."""
        return cls(start=start, real_mono=time.monotonic(), speed=speed)

    def wall(self) -> datetime:
        return self.start + timedelta(seconds=self.mono())

    def mono(self) -> float:
        return (time.monotonic() - self.real_mono) * self.speed

    def trust(self) -> Trust:
        return "simulated"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def to_environment(self) -> dict[str, str]:
        """The variable that makes `clock_from_environment` in a child process tell the same time."""
        return {ENVIRONMENT: f"{self.start.isoformat()} {self.real_mono!r} {self.speed!r}"}


class ManualClock:
    """A test's clock: it stands still until told. Started in 1970 with trust `unset`, it is a board without a battery."""

    def __init__(self, start: datetime, *, trust: Trust = "synced") -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._trust: Trust = trust
        self._moved = asyncio.Event()
        self.sleeping = 0
        """How many tasks wait for it now."""

    def wall(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def mono(self) -> float:
        return self._elapsed_s

    def trust(self) -> Trust:
        return self._trust

    def set_trust(self, trust: Trust) -> None:
        """From now on the wall clock is that good; what it says stays."""
        self._trust = trust

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; sleepers whose time has come wake up."""
        self._elapsed_s += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back without time passing."""
        self._start += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        due = self._elapsed_s + seconds
        self.sleeping += 1
        try:
            while self._elapsed_s < due:
                await self._moved.wait()
        finally:
            self.sleeping -= 1


def lesser(one: Trust, other: Trust) -> Trust:
    """The word that promises less."""
    return min(one, other, key=_LEAST_FIRST.index)


def clock_from_environment() -> Clock:
    """The system's clock, or the simulated one that a demo started this process under.

    Raises ConfigError where the variable is not one that `ScaledClock.to_environment` wrote.
    """
    text = os.environ.get(ENVIRONMENT)
    if text is None:
        return SystemClock()
    try:
        start, real_mono, speed = text.split()
        return ScaledClock(
            start=datetime.fromisoformat(start), real_mono=float(real_mono), speed=float(speed)
        )
    except ValueError:
        raise ConfigError(
            f"{ENVIRONMENT}={text!r} is not a simulated clock", hint=f"Unset {ENVIRONMENT}."
        ) from None


def to_us(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_us(at_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def boot_id() -> str:
    """Names this boot of this machine: 32 hex digits, new at every start of the kernel."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:  # no procfs: one run of this process stands for a boot
        return os.urandom(16).hex()


def _kernel_is_disciplined() -> bool:
    """Ask adjtimex(2) without changing anything; a kernel that does not answer is not trusted."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return False
    timex = ctypes.create_string_buffer(256)  # modes = 0: read only
    state = adjtimex(timex)
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
    return state >= 0 and not status & _STA_UNSYNC


@cache
def _adjtimex() -> Callable[[object], int] | None:
    try:
        return cast("Callable[[object], int]", ctypes.CDLL(None).adjtimex)
    except (OSError, AttributeError):
        return None
