"""The running central service: builds every part from its settings and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.clock import Clock, to_us
from plumbline.errors import PlumblineError
from plumbline_central import registry
from plumbline_central.alerts.timer import EvaluationTimer
from plumbline_central.channels.deliver import Deliverer
from plumbline_central.channels.remind import Reminders
from plumbline_central.ledger.keeper import ArchiveKeeper
from plumbline_central.live import LiveHub
from plumbline_central.parts import Parts
from plumbline_central.project import Follower
from plumbline_central.settings import CentralSettings
from plumbline_central.sole_user import sole_user
from plumbline_central.stores import owner
from plumbline_central.stores.choice import store_of
from plumbline_central.webserver import address, listen, web_server

if TYPE_CHECKING:
    from plumbline_central.channels.built import Outlets
    from plumbline_central.channels.wording import Language
    from plumbline_central.mqtt import MqttLink

log = logging.getLogger(__name__)


async def run(settings: CentralSettings, clock: Clock) -> None:
    """Receive, keep, judge and show until SIGTERM or SIGINT.

    Raises ConfigError where a file, the folder or the port cannot be had; nothing is started then.
    """
    with sole_user(Path(settings.data_dir)), listen(settings.http) as listener:
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
        deliveries=parts.deliveries.list,
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
    server = web_server(create_api(services), settings.http)
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


def _outside(settings: CentralSettings, clock: Clock, sites: registry.Registry) -> tuple[MqttLink, Outlets]:
    """The link to the broker, and the channels that alerts leave by. Raises ConfigError for an unreadable file."""
    from plumbline_central.channels.built import outlets  # noqa: PLC0415
    from plumbline_central.mqtt import MqttLink  # noqa: PLC0415

    link = MqttLink(settings.broker)

    def name_of(site: str, language: Language) -> str:
        known = sites.site(site)
        return site if known is None else (known.name_zh if language == "zh" else known.name_en)

    return link, outlets(settings, link.publish, clock, name_of)


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
