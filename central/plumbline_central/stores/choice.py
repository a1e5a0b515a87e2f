"""Which time-series store a central writes to, with all that comes with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from plumbline.clock import Clock
from plumbline.errors import PlumblineError
from plumbline_central.project import Counted, Projection
from plumbline_central.schema import Database
from plumbline_central.settings import StoreSettings
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.port import TelemetryStore
from plumbline_central.stores.sqlite import SqliteTelemetryStore

log = logging.getLogger(__name__)

_UPKEEP_EVERY_S: Final = 600.0
_LEAST_REAL_S: Final = 10.0  # a clock at thousands of times real time shall not keep a core busy


class CountedProjection(Projection, Counted, Protocol):
    """A projection that says what became of every record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One store, its projections beside that of the readings, and what is to be done for it once in a while."""

    telemetry: TelemetryStore
    projections: tuple[CountedProjection, ...] = ()
    faults: StandingFaults = field(default_factory=StandingFaults)
    upkeep: Callable[[], None] | None = None
    close: Callable[[], None] = lambda: None

    async def keep(self, clock: Clock) -> None:
        """Do `upkeep` for ever; a server that is away is a standing fault already."""
        while self.upkeep is not None:
            try:
                await asyncio.to_thread(self.upkeep)
            except PlumblineError as why:
                log.debug("store: %s", why)
            except Exception:
                log.exception("upkeep of the store failed")
            await asyncio.gather(clock.sleep(_UPKEEP_EVERY_S), asyncio.sleep(_LEAST_REAL_S))


def sqlite_store(db: Database) -> Store:
    """The one that needs no server."""
    return Store(telemetry=SqliteTelemetryStore(db))


def store_of(settings: StoreSettings, clock: Clock) -> Callable[[Database], Store]:
    """What opens the store of the settings, given series.db. Nothing is connected to yet."""
    if settings.kind == "sqlite":
        return sqlite_store

    def influx_store(db: Database) -> Store:
        from plumbline_central.stores.influx.builder import Influx  # noqa: PLC0415 - SQLite needs none of it

        faults = StandingFaults()
        influx = Influx.built(settings, db, faults, clock)
        return Store(
            telemetry=influx.telemetry,
            projections=(influx.records,),
            faults=faults,
            upkeep=influx.upkeep,
            close=influx.close,
        )

    return influx_store
