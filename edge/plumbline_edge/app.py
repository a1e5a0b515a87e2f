"""The running gateway: builds every part from its settings and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from plumbline import __version__
from plumbline.clock import TRUSTED, Clock, clock_from_environment, to_us
from plumbline.errors import ConfigError, PlumblineError, Unreachable
from plumbline.messages import DeviceHealth, Event, EventCode, GatewayState
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_edge.camera.seclude import seclude
from plumbline_edge.clockwatch import ClockWatch
from plumbline_edge.cycle import Cycle
from plumbline_edge.health import HealthProbe
from plumbline_edge.meters.wiring import open_meters
from plumbline_edge.mqtt import MqttLink
from plumbline_edge.outbox import Damaged, Limits, Outbox, RolledBack, salvage
from plumbline_edge.recorder import Moment, Recorder
from plumbline_edge.schedule import Taken, due_capture
from plumbline_edge.settings import CameraSettings, SiteSettings
from plumbline_edge.uplink import Budget, SpentFile, Uplink

if TYPE_CHECKING:
    from plumbline_edge.camera.capture import CameraWatch

log = logging.getLogger(__name__)

_DRAIN_S = 20.0
"""Real seconds that a clean stop waits for central; what is left is sent after the next start."""
_TRIM_EVERY_S = 600.0
_PHOTOS_REMEMBERED = 64
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 900.0
"""Real seconds before a gateway whose outbox was damaged begins again."""
_LEAVE_S = 5.0
_JUDGING_S = 5.0
_LONGEST_PHOTO_S = 30.0
"""Real seconds that a stop waits for a burst; one that takes longer is given up at once."""


async def run(settings: SiteSettings, clock: Clock) -> None:
    """Observe, keep and send until SIGTERM or SIGINT; then keep and send what there is, and return."""
    state_dir = Path(settings.state_dir)
    key = DeviceKey.load_or_create(state_dir / "device.key")
    stop = _stop_on_signals()
    pause_s = _FIRST_PAUSE_S
    with _sole_user(state_dir):
        while not stop.is_set():
            try:
                await _run_alone(settings, clock, key, stop)
            except* Damaged as damaged:
                why = _first(damaged)
                log.error("%s; starting again in %.0f s", why, pause_s)  # noqa: TRY400 - a person reads this
                if not isinstance(why, RolledBack):
                    salvage.order(state_dir / "outbox.db")
            else:
                return
            with contextlib.suppress(
                TimeoutError
            ):  # a card that is always damaged must not be salvaged all day
                await asyncio.wait_for(stop.wait(), pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 4 * pause_s)


async def _run_alone(settings: SiteSettings, clock: Clock, key: DeviceKey, stop: asyncio.Event) -> None:
    topics = GatewayTopics(settings.site, settings.gateway)
    state_dir = Path(settings.state_dir)
    kept = settings.outbox
    limits = Limits(
        max_bytes=round(kept.max_mb * 1e6),
        keep_acknowledged_s=kept.keep_acknowledged_s,
        max_age_s=kept.max_age_s,
    )
    async with Outbox(
        state_dir / "outbox.db", gateway=settings.gateway, limits=limits, clock=clock
    ) as outbox:
        link = MqttLink(
            settings.broker,
            client_id=f"plumbline-{settings.site}-{settings.gateway}",
            state_topic=topics.state,
            birth=_state(settings, outbox.epoch, clock, online=True),
            will=_state(settings, outbox.epoch, clock, online=False),
            subscribe=topics.ack,
        )
        spent_file = SpentFile(state_dir / "sent_today.json")
        budget = Budget(
            settings.uplink.daily_mb,
            zone=ZoneInfo(settings.timezone),
            clock=clock,
            spent=spent_file.read(),
        )
        uplink = Uplink(outbox, link, topics, key, budget=budget, spent_file=spent_file)
        recorder = Recorder(outbox, clock, uplink.wake)
        async with asyncio.TaskGroup() as transport:
            carrying = [
                transport.create_task(link.keep(uplink.acknowledged, uplink.reconnected), name="broker link"),
                transport.create_task(uplink.run(), name="uplink"),
            ]
            await _observe(settings, clock, outbox, recorder, uplink, stop)
            await _drain(outbox, uplink, link)
            for task in carrying:
                task.cancel()


@contextlib.contextmanager
def _sole_user(state_dir: Path) -> Iterator[None]:
    """Hold the state folder: two gateways in one would record every reading twice. Raises ConfigError."""
    with (state_dir / "gateway.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ConfigError(
                f"{state_dir} is in use by another gateway (pid {holder})",
                hint="Stop that one first, or give this one a state_dir of its own.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


async def _observe(
    settings: SiteSettings,
    clock: Clock,
    outbox: Outbox,
    recorder: Recorder,
    uplink: Uplink,
    stop: asyncio.Event,
) -> None:
    """Run everything that reads the site until a signal, then keep the last answers."""
    state_dir = Path(settings.state_dir)
    meters = open_meters(settings, clock)
    periods = sorted({meter.every_s for meter in meters})
    cycles = [Cycle([m for m in meters if m.every_s == period], recorder, clock) for period in periods]
    cameras = _cameras(settings)
    clock_watch = ClockWatch(recorder, clock)

    def devices() -> tuple[DeviceHealth, ...]:
        return (*(meter.health() for meter in meters), *(watch.health() for _, watch in cameras))

    probe = HealthProbe(
        outbox,
        state_dir,
        [*(c.counters for c in cycles), uplink.counters, outbox.counters, clock_watch.counters],
        [uplink.gauges],
        devices,
        clock,
    )
    with contextlib.suppress(Unreachable):  # a card that takes nothing stops nobody: the cycle will say so
        await recorder.keep([recorder.now().saw(Event(code=EventCode.STARTED, text=__version__))])
    log.info(
        "gateway %s of site %s reads %d meters and %d cameras",
        settings.gateway, settings.site, len(meters), len(cameras),
    )  # fmt: skip
    try:
        async with asyncio.TaskGroup() as sources:
            reading = [
                sources.create_task(clock_watch.run(), name="clock"),
                *(sources.create_task(cycle.run(), name="poll cycle") for cycle in cycles),
                *(
                    sources.create_task(
                        _photograph(camera, watch, settings, clock, recorder, clock_watch), name=camera.name
                    )
                    for camera, watch in cameras
                ),
                sources.create_task(_report_health(probe, settings, clock, recorder), name="health"),
                sources.create_task(_trim(outbox), name="trim"),
            ]
            await stop.wait()
            log.info("stopping: reading ends, what was read is kept and sent")
            for task in reading:
                task.cancel()
    finally:  # a meter has one connection to give: the next run wants it
        for cycle in cycles:
            await cycle.stop()
        for meter in meters:
            await meter.close()
    with contextlib.suppress(Unreachable):  # a broken card has been reported by the cycle
        await recorder.keep(
            [recorder.now().saw(await probe.look()), recorder.now().saw(Event(code=EventCode.STOPPED))]
        )


async def _photograph(
    camera: CameraSettings,
    watch: CameraWatch,
    settings: SiteSettings,
    clock: Clock,
    recorder: Recorder,
    clock_watch: ClockWatch,
) -> None:
    zone = ZoneInfo(settings.timezone)
    since, taken = clock.mono(), deque[Taken](maxlen=_PHOTOS_REMEMBERED)
    while True:
        due = due_capture(clock.wall(), clock.mono(), since, taken, camera.at, zone)
        if clock.wall() < due:
            await clock_watch.until(due)
            continue
        now = recorder.now()
        since = now.mono
        taken.append(Taken(due=due, mono=since))
        taking = asyncio.ensure_future(_take(watch, now, recorder))
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:  # stopping: a camera that was asked is waited for, as meters are
            await _end(taking, camera, watch)
            raise


async def _end(taking: asyncio.Task[None], camera: CameraSettings, watch: CameraWatch) -> None:
    """Wait for a photo that comes within a bearable time, and give up any other: the outbox closes next."""
    burst_s = camera.timeout_s + (camera.burst_frames - 1) * camera.burst_every_s
    if watch.is_judging:
        await asyncio.wait([taking], timeout=_JUDGING_S)
    elif burst_s + _JUDGING_S <= _LONGEST_PHOTO_S:
        await asyncio.wait([taking], timeout=burst_s + _JUDGING_S)
    taking.cancel()
    await asyncio.wait([taking], timeout=_LEAVE_S)  # what grabs pictures in another process ends with it


async def _take(watch: CameraWatch, now: Moment, recorder: Recorder) -> None:
    """One photo, judged and kept."""
    captured = await watch.capture(now.at, clock_set=now.trust != "unset")
    progress, photo = captured.progress, captured.photo
    if now.trust not in TRUSTED:  # the same wall time may come again with the next boot
        name = f"{photo.photo}-{recorder.boot[:8]}"
        progress, photo = replace(progress, photo=name), replace(photo, photo=name)
    with contextlib.suppress(Unreachable):  # the cycle has said that the card fails
        await recorder.keep([now.saw(progress), now.saw(photo), *map(now.saw, captured.events)])


async def _report_health(
    probe: HealthProbe, settings: SiteSettings, clock: Clock, recorder: Recorder
) -> None:
    while True:
        await clock.sleep(settings.health_every_s)
        with contextlib.suppress(Unreachable):  # the cycle has said that the card fails
            await recorder.keep([recorder.now().saw(await probe.look())])


async def _trim(outbox: Outbox) -> None:
    """Now and then, and at once where the outbox nears its bound."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TRIM_EVERY_S):
                await outbox.crowded()
        with contextlib.suppress(Unreachable):  # the cycle has said that the card fails
            await outbox.trim()


async def _drain(outbox: Outbox, uplink: Uplink, link: MqttLink) -> None:
    """Where there is a link, wait until central has everything, or for as long as a clean stop may take."""
    if link.connected:
        with contextlib.suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_DRAIN_S):
                await uplink.drained()
        with contextlib.suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_LEAVE_S):
                await link.leave()
    waiting = 0
    with contextlib.suppress(Unreachable):
        waiting = sum(state.waiting for state in await outbox.states())
    if waiting:
        log.warning("stopped with %d records not yet acknowledged; they go out after the next start", waiting)


def _cameras(settings: SiteSettings) -> list[tuple[CameraSettings, CameraWatch]]:
    if not settings.cameras:
        return []
    from plumbline_edge.camera.capture import watches  # noqa: PLC0415 - vision costs 100 MB; only where there is a camera

    return list(zip(settings.cameras, watches(settings), strict=True))


def _state(settings: SiteSettings, epoch: str, clock: Clock, *, online: bool) -> bytes:
    return msgspec.json.encode(
        GatewayState(
            online=online,
            site=settings.site,
            gateway=settings.gateway,
            version=__version__,
            epoch=epoch,
            since_us=to_us(clock.wall()),
        )
    )


def _first(group: BaseExceptionGroup[PlumblineError]) -> PlumblineError:
    """The first error a person can act on; the others have the same cause or come up at the next start."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, PlumblineError)
    return error


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _settings_from(descriptor: int) -> SiteSettings:
    with os.fdopen(descriptor, "rb") as file:
        return msgspec.json.decode(file.read(), type=SiteSettings)


def main(arguments: list[str]) -> Any:
    """`python -m plumbline_edge.app FD`: run with the checked settings that `plumbline edge run` left in FD."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = _settings_from(int(arguments[0]))
    if settings.cameras:
        seclude()
    gc.freeze()  # what is loaded by now stays for years; a collector that walks it every second is a third of the work
    gc.set_threshold(20_000, 20, 100)
    code = 0
    try:
        asyncio.run(run(settings, clock_from_environment()))
    except* PlumblineError as group:
        error = _first(group)
        log.critical("%s. %s", error, error.hint)
        code = 2 if isinstance(error, ConfigError) else 1
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
