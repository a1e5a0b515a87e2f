"""The running central service: builds every part from its settings and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from plumbline.clock import Clock, to_us
from plumbline.errors import ConfigError, PlumblineError
from plumbline.signing import DeviceKey
from plumbline_central import registry
from plumbline_central.account import Books
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.escalation import Handling
from plumbline_central.alerts.evaluate import Evaluator
from plumbline_central.alerts.feed import Feed
from plumbline_central.alerts.projection import ProgressProjection
from plumbline_central.alerts.tables import open_control
from plumbline_central.alerts.timer import EvaluationTimer
from plumbline_central.channels.deliver import Deliverer, Deliveries
from plumbline_central.channels.remind import Reminders
from plumbline_central.deviation import Band
from plumbline_central.indicators import Indicators
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.indicators.metered import Meterer
from plumbline_central.ledger import Ledger
from plumbline_central.ledger.keeper import ArchiveKeeper
from plumbline_central.live import LiveHub
from plumbline_central.plan_store import PlanStore
from plumbline_central.project import Follower, Projection
from plumbline_central.proof import folder as proof_folder
from plumbline_central.proof.heads import DailyHeads, HeadBook
from plumbline_central.proof.treelog import TreeLog
from plumbline_central.rules.built import built
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.metering import EnergyBook
from plumbline_central.schema import Database, migrate
from plumbline_central.settings import CentralSettings, HttpSettings
from plumbline_central.stores import cursors, fixes, gateways, owner, photos, series, sqlite
from plumbline_central.stores import gaps as gap_store
from plumbline_central.stores.choice import Store, sqlite_store, store_of
from plumbline_central.stores.influx import builder as influx
from plumbline_central.stores.port import TelemetryStore

if TYPE_CHECKING:
    import uvicorn

    from plumbline_central.channels.built import Outlets
    from plumbline_central.channels.wording import Language
    from plumbline_central.mqtt import MqttLink

log = logging.getLogger(__name__)

_FAREWELL_S: Final = 5
"""Real seconds that a clean stop waits for open requests."""


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


@contextlib.contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """Hold the data folder, made where it is not there: two writers would each trust what only they cached.

    Raises ConfigError where another process has it.
    """
    try:
        data_dir.mkdir(exist_ok=True, mode=0o750)
        lock = (data_dir / "central.lock").open("w")
    except OSError as error:
        raise ConfigError(f"{data_dir}: {error.strerror}", hint="Check that it can be written to.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{data_dir} is in use by another central",
                hint="Stop it first, or give this one its own data_dir.",
            ) from None
        yield


async def run(settings: CentralSettings, clock: Clock) -> None:
    """Receive, keep, judge and show until SIGTERM or SIGINT.

    Raises ConfigError where a file, the folder or the port cannot be had; nothing is started then.
    """
    with sole_user(Path(settings.data_dir)), _listen(settings.http) as listener:
        parts = Parts.open(
            Path(settings.data_dir),
            band=settings.alerts.band,
            live=LiveHub(first_id=to_us(clock.wall())),
            archive_dir=settings.archive_dir,
            store=store_of(settings.store, clock),
            handling=settings.alerts.handling,
            limits=settings.rules,
            certificates=settings.certificate_files,
        )
        try:
            owner.check(parts.series_db, settings.store.name, projection=parts.series.name)
            link, outlets = _outside(settings, clock, parts.registry)
            parts.book.tell_by(outlets.router.channels)
            await _serve(settings, clock, parts, link, outlets, listener)
        except BaseExceptionGroup as group:
            ours, others = group.split(PlumblineError)
            if ours is None or others is not None:
                raise
            raise _first(ours) from None
        finally:
            await asyncio.get_running_loop().shutdown_default_executor()  # no thread outlives its files
            parts.close()
            log.info("stopped")


async def _serve(
    settings: CentralSettings,
    clock: Clock,
    parts: Parts,
    link: MqttLink,
    outlets: Outlets,
    listener: socket.socket,
) -> None:
    from plumbline_central.api.app import create_api  # noqa: PLC0415 - rebuild and verify need no web server
    from plumbline_central.api.services import Services  # noqa: PLC0415
    from plumbline_central.channels.mqtt import MqttChannel  # noqa: PLC0415
    from plumbline_central.receive import Receiver  # noqa: PLC0415

    followers = [Follower(parts.ledger, projection) for projection in parts.projections]

    def behind() -> dict[str, int]:
        newest = parts.ledger.last_id()
        return {follower.name: max(newest - follower.position, 0) for follower in followers}

    loop = asyncio.get_running_loop()
    timer = EvaluationTimer(parts.evaluator, clock, settings.alerts.evaluate_every_s)

    def judge_soon() -> None:
        loop.call_soon_threadsafe(timer.wake)

    services = Services(
        registry=parts.registry,
        telemetry=parts.telemetry,
        photos=parts.photos,
        gateways=parts.gateways,
        indicators=parts.indicators,
        indicator_book=parts.indicator_book,
        alerts=parts.book,
        feed=parts.feed,
        books=parts.books,
        live=parts.live,
        clock=clock,
        band=parts.band,
        language=settings.language,
        names=settings.http.names,
        stale_after_s=settings.stale_after_s,
        behind=behind,
        faults=parts.store.faults.standing,
        judge_soon=judge_soon,
    )
    deliverer = Deliverer(parts.deliveries, outlets.channels, clock=clock)
    parts.book.on_change(deliverer.wake)

    def wake_followers() -> None:
        for follower in followers:
            follower.wake()

    receiver = Receiver(
        parts.ledger,
        parts.registry.gateway,
        link,
        clock,
        on_stored=wake_followers,
        on_state=parts.gateways.heard,
    )
    server = _web_server(create_api(services), settings.http)
    stop = _stop_on_signals()
    async with asyncio.TaskGroup() as tasks:
        reminders = Reminders(parts.book, clock)

        def connected() -> None:
            receiver.reconnected()
            reminders.due.set()

        working = [
            tasks.create_task(receiver.run(), name="receiver"),
            tasks.create_task(link.keep(receiver.received, connected), name="broker link"),
            *(
                tasks.create_task(follower.run(), name=f"projection {follower.name}")
                for follower in followers
            ),
            tasks.create_task(timer.run(), name="evaluation"),
            tasks.create_task(parts.meterer.run(clock), name="indicators from meters"),
            tasks.create_task(parts.energy.run(clock), name="energy by the hour"),
            tasks.create_task(deliverer.run(), name="delivery"),
            tasks.create_task(reminders.run(MqttChannel.name), name="reminders"),
            *(
                tasks.create_task(Reminders(parts.book, clock).every(name, seconds), name=f"repeat {name}")
                for name, seconds in outlets.repeating.items()
            ),
            tasks.create_task(
                ArchiveKeeper(parts.ledger, clock, settings.ledger.archive_after_s).run(), name="archive"
            ),
            tasks.create_task(parts.store.keep(clock), name="store"),
            tasks.create_task(parts.daily_heads(clock).run(), name="tree heads"),
        ]
        serving = tasks.create_task(server.serve([listener]), name="web")
        log.info("central is ready: %s", address(settings.http))
        await stop.wait()
        log.info("stopping: what was received is kept, the rest waits at the broker and the gateways")
        services.stopping.set()
        server.should_exit = True
        await serving
        for task in working:
            task.cancel()


def address(http: HttpSettings) -> str:
    """Where a person on this machine finds the page."""
    host = "127.0.0.1" if http.host == "0.0.0.0" else http.host  # noqa: S104 - compared, not bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if http.tls_cert_file else 'http'}://{shown}:{http.port}/"


def _outside(settings: CentralSettings, clock: Clock, sites: registry.Registry) -> tuple[MqttLink, Outlets]:
    """The link to the broker, and the channels that alerts leave by. Raises ConfigError for an unreadable file."""
    from plumbline_central.channels.built import outlets  # noqa: PLC0415
    from plumbline_central.mqtt import MqttLink  # noqa: PLC0415

    link = MqttLink(settings.broker)

    def name_of(site: str, language: Language) -> str:
        known = sites.site(site)
        return site if known is None else (known.name_zh if language == "zh" else known.name_en)

    return link, outlets(settings, link.publish, clock, name_of)


def _listen(http: HttpSettings) -> socket.socket:
    """The page's socket, bound before anything starts. Raises ConfigError where it cannot be had."""
    try:
        family = socket.getaddrinfo(http.host, http.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((http.host, http.port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {http.host}:{http.port}: {error.strerror}",
            hint="Choose another port under [http], or end the program that has it.",
        ) from None


def _web_server(api: Any, http: HttpSettings) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415

    class Server(uvicorn.Server):
        """Leaves signals to us."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            api,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ssl_certfile=http.tls_cert_file,
            ssl_keyfile=http.tls_key_file,
            timeout_graceful_shutdown=_FAREWELL_S,
        )
    )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _first(group: BaseExceptionGroup[PlumblineError]) -> PlumblineError:
    """The first error a person can act on; the others have the same cause or come up at the next start."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, PlumblineError)
    return error
