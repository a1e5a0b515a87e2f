"""Everything that lives in the data folder, opened: databases, stores, books and projections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from plumbline.clock import Clock
from plumbline.signing import DeviceKey
from plumbline_central import registry
from plumbline_central.account import Books
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.escalation import Handling
from plumbline_central.alerts.evaluate import Evaluator
from plumbline_central.alerts.feed import Feed
from plumbline_central.alerts.projection import ProgressProjection
from plumbline_central.alerts.tables import open_control
from plumbline_central.channels.deliver import Deliveries
from plumbline_central.deviation import Band
from plumbline_central.indicators import Indicators
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.indicators.metered import Meterer
from plumbline_central.ledger import Ledger
from plumbline_central.live import LiveHub
from plumbline_central.plan_store import PlanStore
from plumbline_central.project import Projection
from plumbline_central.proof import folder as proof_folder
from plumbline_central.proof.heads import DailyHeads, HeadBook
from plumbline_central.proof.treelog import TreeLog
from plumbline_central.rules.built import built
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.metering import EnergyBook
from plumbline_central.schema import Database, migrate
from plumbline_central.stores import cursors, fixes, gateways, owner, photos, series, sqlite
from plumbline_central.stores import gaps as gap_store
from plumbline_central.stores.choice import Store, sqlite_store
from plumbline_central.stores.influx import builder as influx
from plumbline_central.stores.port import TelemetryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that lives in the data folder, opened."""

    control: Database
    series_db: Database
    proof_db: Database
    key: DeviceKey
    registry: registry.Registry
    ledger: Ledger
    indicators: Indicators
    indicator_book: IndicatorBook
    deliveries: Deliveries
    feed: Feed
    store: Store
    series: series.SeriesProjection
    photos: photos.PhotoStore
    gateways: gateways.GatewayStore
    gaps: gap_store.GapStore
    live: LiveHub
    plans: PlanStore
    band: Band
    book: AlertBook
    evaluator: Evaluator
    energy: EnergyBook
    progress: ProgressProjection

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        band: Band | None = None,
        channels: Sequence[str] = (),
        live: LiveHub | None = None,
        archive_dir: Path | None = None,
        store: Callable[[Database], Store] = sqlite_store,
        handling: Handling | None = None,
        limits: Limits | None = None,
        certificates: Mapping[str, Path] | None = None,
    ) -> Self:
        """The parts kept in `data_dir`, made where they are not there. Raises ConfigError."""
        hub = live or LiveHub()
        control = open_control(data_dir / "control.db")
        migrate(control.path, registry.MIGRATIONS)
        series_db = Database.open(
            data_dir / "series.db",
            (
                *cursors.MIGRATIONS,
                *fixes.MIGRATIONS,
                *sqlite.MIGRATIONS,
                *series.MIGRATIONS,
                *photos.MIGRATIONS,
                *gateways.MIGRATIONS,
                *gap_store.MIGRATIONS,
                *influx.MIGRATIONS,
                *owner.MIGRATIONS,
            ),
        )
        plans = PlanStore(control)
        band = band or Band()
        book = AlertBook(control, channels=channels, live=hub, handling=handling)
        opened = store(series_db)
        gateway_store = gateways.GatewayStore(series_db, hub)
        indicator_book = IndicatorBook.on(control, plans)
        judge, energy = built(
            control,
            indicator_book,
            gateway_store,
            opened.telemetry,
            band=band,
            limits=limits or Limits(),
            store_faults=opened.faults.standing,
            certificates=certificates or {},
        )
        evaluator = Evaluator(book, plans, band, judge)
        ledger = Ledger.open(data_dir / "ledger.db", archive_dir)
        return cls(
            control=control,
            series_db=series_db,
            proof_db=Database.open(data_dir / "proof.db", proof_folder.MIGRATIONS),
            key=proof_folder.central_key(data_dir),
            registry=registry.Registry(control),
            ledger=ledger,
            indicators=Indicators(control, plans),
            indicator_book=indicator_book,
            deliveries=Deliveries(control),
            feed=Feed(control),
            store=opened,
            series=series.SeriesProjection(opened.telemetry, series_db, ledger, hub),
            photos=photos.PhotoStore(series_db, hub),
            gateways=gateway_store,
            gaps=gap_store.GapStore(series_db),
            live=hub,
            plans=plans,
            band=band,
            book=book,
            evaluator=evaluator,
            energy=energy,
            progress=ProgressProjection(control, evaluator, hub),
        )

    @property
    def telemetry(self) -> TelemetryStore:
        return self.store.telemetry

    @property
    def projections(self) -> tuple[Projection, ...]:
        return (self.series, *self.store.projections, self.photos, self.gateways, self.gaps, self.progress)

    @property
    def books(self) -> Books:
        own = (self.photos, self.gateways, self.gaps, self.progress)
        counted = (self.series, *self.store.projections, *own)
        return Books(self.ledger, counted, self.gaps)

    @property
    def meterer(self) -> Meterer:
        book = self.indicator_book
        return Meterer(self.control, book.indicators, book.plans, self.telemetry)

    def daily_heads(self, clock: Clock) -> DailyHeads:
        return DailyHeads(TreeLog(self.proof_db, self.ledger), HeadBook(self.proof_db), self.key, clock)

    def close(self) -> None:
        self.proof_db.close()
        self.ledger.close()
        self.store.close()
        self.series_db.close()
        self.control.close()
