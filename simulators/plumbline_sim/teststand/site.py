"""The site of a test, as plain calls: its processes live in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar, get_args

from plumbline.errors import ConfigError
from plumbline.messages import Event
from plumbline.metrics import BY_NAME, Flaw
from plumbline_sim.demo.tally import Tally
from plumbline_sim.meter.server import Fault, FaultKind
from plumbline_sim.teststand.stand import Stand, raise_stand
from plumbline_sim.teststand.wishes import SiteWish

_T = TypeVar("_T")
_TAIL: Final = 12


class Value(NamedTuple):
    """One value as central shows it. `at` is when the gateway asked; `flaw` names why `quality` is not good."""

    value: float | None
    unit: str
    at: datetime
    quality: Literal["good", "uncertain", "bad"]
    flaw: str | None


class Site:
    """A running site. Every time is simulated. `close` ends all it started."""

    def __init__(self, wish: SiteWish, folder: Path) -> None:
        self.folder = folder
        """Site file, central file, outbox, ledger; `logs` has what each process said."""
        self._wish = wish
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="plumbline test stand", daemon=True
        )
        self._exits = AsyncExitStack()
        self._stand: Stand | None = None

    def open(self) -> Self:
        """Return when everything runs. Raises PlumblineError, and leaves nothing running then."""
        self._thread.start()
        try:
            self._stand = self._do(raise_stand(self._wish, self.folder, self._exits))
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End every process and server; no effect the second time."""
        if self._loop.is_closed():
            return
        self._do(self._exits.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    @property
    def url(self) -> str:
        """Central's page and API."""
        return self._up.url

    @property
    def now(self) -> datetime:
        """The site's time."""
        return self._up.clock.wall()

    def play(self, *, hours: float = 0.0, minutes: float = 0.0, seconds: float = 0.0) -> None:
        """Let so much time pass; afterwards central has what was read in it, unless the broker is down."""
        length_s = 3600 * hours + 60 * minutes + seconds
        if not length_s > 0:
            raise ConfigError("play: no time given", hint="For example site.play(hours=6).")
        self._do(self._up.play(length_s))

    def value(self, device: str, metric: str) -> Value:
        """The newest value that central has. Raises ConfigError where there is none, and says what there is."""
        found = self.readings(device)
        if metric not in found:
            known = ", ".join(found) or "nothing yet"
            raise ConfigError(f"central has no {metric} of {device}", hint=f"It has: {known}.")
        return found[metric]

    def readings(self, device: str) -> dict[str, Value]:
        """The newest value of each metric of a device; empty where it never answered."""
        self._known(device)
        return {r["metric"]: _value(r) for r in self._do(self._up.latest()) if r["device"] == device}

    def series(self, device: str, metric: str) -> list[tuple[datetime, float]]:
        """All values from the beginning on, ascending; missing ones are left out."""
        self._known(device)
        if metric not in BY_NAME:
            raise ConfigError(f"there is no metric {metric!r}", hint="docs/wire.md lists them.")
        return self._do(self._up.series(device, metric))

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert, open or over, as /api/v1/alerts tells it; the newest first."""
        return self._do(self._up.alerts())

    def events(self) -> list[tuple[str, str]]:
        """What happened at the gateway, in order: (code, device), for example ("meter_lost", "crane")."""
        return [(body.code, body.subject) for body in self._do(self._up.stored()) if isinstance(body, Event)]

    @property
    def lost(self) -> int:
        """Polls that a meter answered and central does not have. Ends the gateway; `play` starts it again."""
        return self.tally().lost

    @property
    def duplicated(self) -> int:
        """Polls that central has more often than a meter answered. Ends the gateway; `play` starts it again."""
        return self.tally().duplicated

    def tally(self) -> Tally:
        """Both at once, with how many were answered and stored."""
        return self._do(self._up.count())

    def fault(
        self, device: str, kind: FaultKind, *, for_s: float | None = None, seconds: float = 0.0, code: int = 4
    ) -> None:
        """Break a meter, for so much simulated time or until `mend`. `seconds` (real): how late a slow one is."""
        if kind not in get_args(FaultKind):
            raise ConfigError(f"no fault {kind!r}", hint=f"Known: {', '.join(get_args(FaultKind))}.")
        self._simulated(device)
        self._do(self._up.set_fault(device, Fault(kind=kind, seconds=seconds, code=code), for_s))

    def mend(self, device: str) -> None:
        """The meter is well again."""
        self._simulated(device)
        self._do(self._up.set_fault(device, None, None))

    def broker_down(self) -> None:
        """Nothing reaches central from now on; the gateway keeps it."""
        self._do(self._up.broker_down())

    def broker_up(self) -> None:
        """The broker is back, on the same port."""
        self._do(self._up.broker_up())

    def last_words(self) -> str:
        """The end of each process's log, for a report."""
        logs = sorted((self.folder / "logs").glob("*.log"))
        tails = [
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:])
            for log in logs
        ]
        return "\n".join([f"site's folder: {self.folder}", *tails])

    @property
    def _up(self) -> Stand:
        assert self._stand is not None
        return self._stand

    def _known(self, device: str) -> None:
        names = [meter.name for meter in self._wish.meters]
        if device not in names:
            raise ConfigError(f"the site has no meter {device!r}", hint=f"It has: {', '.join(names)}.")

    def _simulated(self, device: str) -> None:
        self._known(device)
        if device not in self._up.meters:
            raise ConfigError(f"{device} plays a tape", hint="A recorded bus misbehaves as it was recorded.")

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _value(reading: dict[str, Any]) -> Value:
    flaw = None if reading["flaw"] is None else Flaw(reading["flaw"])
    return Value(
        value=reading["value"],
        unit=reading["unit"],
        at=datetime.fromisoformat(reading["at"]),
        quality="good" if flaw is None else flaw.quality,
        flaw=None if flaw is None else flaw.name.lower(),
    )
