"""All that central has at an InfluxDB, built from its settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from plumbline.clock import Clock
from plumbline_central.schema import Database, Migrations
from plumbline_central.settings import StoreSettings
from plumbline_central.stores import cursors, fixes
from plumbline_central.stores.faults import StoreFaults
from plumbline_central.stores.influx import aging, records, refused
from plumbline_central.stores.influx.coarsen import Coarsening
from plumbline_central.stores.influx.dialect import Dialect, Place
from plumbline_central.stores.influx.store import InfluxTelemetryStore
from plumbline_central.stores.influx.tiers import base_place, places_of, tiers_of

MIGRATIONS: Final[Migrations] = (*refused.MIGRATIONS, *aging.MIGRATIONS, *records.MIGRATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Influx:
    """One server and what is kept there. Building connects to nothing."""

    dialect: Dialect
    places: Sequence[Place]
    telemetry: InfluxTelemetryStore
    records: records.RecordsProjection
    coarsening: Coarsening

    @classmethod
    def built(cls, settings: StoreSettings, db: Database, faults: StoreFaults, clock: Clock) -> Self:
        """`db` is series.db, migrated."""
        dialect, tiers = _dialect(settings), tiers_of(settings)
        telemetry = InfluxTelemetryStore(dialect, db, tiers, faults, clock)
        return cls(
            dialect=dialect,
            places=places_of(settings),
            telemetry=telemetry,
            records=records.RecordsProjection(dialect, telemetry.writer, base_place(settings), db),
            coarsening=Coarsening(dialect, telemetry.writer, tiers, telemetry.aged, clock),
        )

    @classmethod
    def open(cls, settings: StoreSettings, path: Path, faults: StoreFaults, clock: Clock) -> Self:
        """`path` is the file beside the server that keeps what the server does not."""
        db = Database.open(path, (*cursors.MIGRATIONS, *fixes.MIGRATIONS, *MIGRATIONS))
        return cls.built(settings, db, faults, clock)

    def prepare(self) -> Iterator[str]:
        """See `Dialect.prepare`."""
        return self.dialect.prepare(self.places)

    def upkeep(self) -> None:
        """What is due once in a while: try what was refused again, make means. Raises Unreachable."""
        self.telemetry.writer.try_refused()
        self.coarsening.run_once()

    def close(self) -> None:
        self.telemetry.close()


def _dialect(settings: StoreSettings) -> Dialect:
    if settings.kind == "influx2":
        from plumbline_central.stores.influx.dialect2 import Influx2  # noqa: PLC0415 - 50 MB and a second

        return Influx2(settings)
    from plumbline_central.stores.influx.dialect1 import Influx1  # noqa: PLC0415 - the SQLite store needs no httpx

    return Influx1(settings)
