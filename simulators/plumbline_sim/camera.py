"""A simulated snapshot camera: serves what its scene shows at the simulated time, and every way a camera can fail."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final, Literal, Protocol, Self, get_args
from zoneinfo import ZoneInfo

import msgspec
import typer

from plumbline.clock import Clock, ScaledClock, SystemClock, to_us
from plumbline.errors import ConfigError, MissingExtra, Unreachable
from plumbline.stages import Track
from plumbline_sim.scene.pack import Pack, find_pack, freshened
from plumbline_sim.scene.project import Project, Slip

log = logging.getLogger(__name__)

CameraFault = Literal[
    "hang", "slow", "half_jpeg", "pixel_bomb", "endless", "wrong_content", "not_found", "broken", "redirect",
    "frozen", "black",
]  # fmt: skip
"""hang: never answers · slow: some bytes a second · half_jpeg: half the file, said to be whole · pixel_bomb: a header
of 100 megapixels · endless: a body without end · wrong_content: a web page · not_found: 404 · broken: 503 ·
redirect: to another host · frozen: the last picture again · black: nothing but black."""

PATH: Final = "/snapshot.jpg"
_MAX_HEAD_BYTES: Final = 8192
_SLOW_PART_BYTES: Final = 256
_SLOW_PAUSE_S: Final = 0.1
_NOON: Final = 11.0
_MINUTES_A_DAY: Final = 24 * 60
_GET_MODERNGL: Final = "pip install moderngl (compiled on ARM: apt-get install g++ python3-dev)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One picture and what is true in it: `percent` of the visible works, and what else the source knows."""

    jpeg: bytes
    truth: Mapping[str, Any]


class PhotoSource(Protocol):
    """What stands before the camera."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures in pixels."""
        ...

    def picture(self, at: datetime) -> Snapshot:
        """What the camera sees at simulated time `at`; called in a thread, may take a while."""
        ...


class SceneSource:
    """A rendered project, whose day 0 begins at `begin`: local midnight, so that hours are the sun's.

    The scene moves by the minute and is rendered once for each, in 0.3 to 1 s; shots within a minute differ by their
    grain, as a burst's do.
    """

    def __init__(self, project: Project, *, begin: datetime, size: tuple[int, int] = (1280, 720)) -> None:
        self._project = project
        self._begin = begin
        self._last: tuple[int, Snapshot] | None = None
        self.size = size

    def picture(self, at: datetime) -> Snapshot:
        minute = (at - self._begin) // timedelta(minutes=1)
        if self._last is None or self._last[0] != minute:
            self._last = minute, self._drawn(minute)
        drawn = self._last[1]
        return Snapshot(jpeg=freshened(drawn.jpeg, abs(to_us(at)) // 1_000_000), truth=drawn.truth)

    def _drawn(self, minute: int) -> Snapshot:
        from plumbline_sim import drawing  # noqa: PLC0415 - only where pictures are made
        from plumbline_sim.scene.conditions import Conditions  # noqa: PLC0415

        day, of_day = divmod(minute, _MINUTES_A_DAY)
        conditions = Conditions.workday(self._project.seed, max(day, 0), hour=of_day / 60)
        shown_day = min(max(minute / _MINUTES_A_DAY, 0.0), float(self._project.days))
        truth = {
            "percent": round(self._project.percent(shown_day), 4),
            "planned": round(self._project.planned_percent(shown_day), 4),
            "day": round(minute / _MINUTES_A_DAY, 4),
        }
        return Snapshot(jpeg=drawing.jpeg_of(self._project, shown_day, conditions, self.size), truth=truth)


class PackSource:
    """A project's photos from a pack rendered beforehand: at any time the nearest, with what was true in it."""

    def __init__(self, project: Project, pack: Pack, *, begin: datetime) -> None:
        self._project = project
        self._pack = pack
        self._begin = begin
        self.size = pack.size

    def picture(self, at: datetime) -> Snapshot:
        day = (at - self._begin) / timedelta(days=1)
        share, jpeg = self._pack.at(self._nearest(day / self._project.days))
        shown_day = share * self._project.days
        truth = {
            "percent": round(self._project.percent(shown_day), 4),
            "planned": round(self._project.planned_percent(shown_day), 4),
            "day": round(day, 4),
        }
        return Snapshot(jpeg=freshened(jpeg, abs(to_us(at)) // 1_000_000), truth=truth)

    def _nearest(self, share: float) -> float:
        return min(self._pack.shares, key=lambda taken: abs(taken - share))


def source_of(project: Project, *, begin: datetime, size: tuple[int, int] = (640, 360)) -> PhotoSource:
    """The project's pack where one came with the package, else the renderer, which needs OpenGL."""
    pack = find_pack(project.seed, project.track)
    if pack is not None:
        return PackSource(project, pack, begin=begin)
    return SceneSource(project, begin=begin, size=size)


def prove_drawable(project: Project, *, command: str, otherwise: str = "") -> None:
    """Return where this machine can draw; to be asked before anything else is started.

    Raises MissingExtra or Unreachable in one sentence on `command`, whose hint ends in what to do `otherwise`.
    """
    from plumbline_sim import drawing  # noqa: PLC0415 - only where pictures are made
    from plumbline_sim.scene.conditions import Conditions  # noqa: PLC0415

    try:
        drawing.jpeg_of(project, 0, Conditions(), (64, 36))
    except MissingExtra:
        missing = MissingExtra(command, "sim", "moderngl")
        missing.hint = f"{_GET_MODERNGL}{otherwise}."
        raise missing from None
    except Unreachable as error:
        error.hint = f"{error.hint}{otherwise}."
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request and what went back: simulated time, hash of the whole body, fault played, truth of the scene."""

    at_us: int
    sha256: str
    outcome: str
    truth: dict[str, Any]


@dataclass(slots=True)
class ShotLog:
    """What a camera really served: the ground truth that an independent checker counts."""

    path: Path | None = None
    shots: list[Shot] = field(default_factory=list)

    def add(self, shot: Shot) -> None:
        self.shots.append(shot)
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(shot) + b"\n")


class CameraServer:
    """GET /snapshot.jpg answers with the source's picture of the clock's now. Set `fault` to make it fail."""

    def __init__(
        self,
        source: PhotoSource,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        oplog: ShotLog | None = None,
    ) -> None:
        self.fault: CameraFault | None = None
        self.oplog = oplog or ShotLog()
        self._source = source
        self._clock = clock
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()
        self._last: Snapshot | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for, or a free one."""
        return self._port

    @property
    def size(self) -> tuple[int, int]:
        return self._source.size

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}{PATH}"

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._accept, self._host, self._port, limit=_MAX_HEAD_BYTES
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}", hint="Name another --port."
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        finally:
            self._busy.discard(task)
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method != b"GET" or path != PATH.encode("ascii"):
            writer.write(_head(404, "text/plain", 0))
            await writer.drain()
            return
        fault, at = self.fault, self._clock.wall()
        snapshot = await self._picture(fault, at)
        body = _spoiled(snapshot.jpeg, fault, self._source.size)
        self.oplog.add(
            Shot(
                at_us=to_us(at),
                sha256=hashlib.sha256(body).hexdigest(),
                outcome=fault or "picture",
                truth=dict(snapshot.truth),
            )
        )
        await _send(body, fault, reader, writer)

    async def _picture(self, fault: CameraFault | None, at: datetime) -> Snapshot:
        if fault != "frozen" or self._last is None:
            self._last = await asyncio.to_thread(self._source.picture, at)
        return self._last


async def _send(
    body: bytes, fault: CameraFault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    match fault:
        case "hang":
            await reader.read()  # until the other side gives up
            return
        case "not_found":
            writer.write(_head(404, "text/plain", 0))
        case "broken":
            writer.write(_head(503, "text/plain", 0))
        case "redirect":
            writer.write(_head(302, "text/plain", 0, "location: http://192.0.2.1/snapshot.jpg\r\n"))
        case "wrong_content":
            writer.write(_head(200, "text/html", len(body)) + body)
        case "endless":
            writer.write(_head(200, "image/jpeg", None))
            while True:
                writer.write(body)
                await writer.drain()
        case "slow":
            writer.write(_head(200, "image/jpeg", len(body)))
            for start in range(0, len(body), _SLOW_PART_BYTES):
                writer.write(body[start : start + _SLOW_PART_BYTES])
                await writer.drain()
                await asyncio.sleep(_SLOW_PAUSE_S)
        case _:
            writer.write(_head(200, "image/jpeg", len(body)) + body)
    await writer.drain()


def _head(status: int, kind: str, length: int | None, more: str = "") -> bytes:
    size = "" if length is None else f"content-length: {length}\r\n"
    text = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n{size}{more}connection: close\r\n\r\n"
    return text.encode("ascii")


def _spoiled(jpeg: bytes, fault: CameraFault | None, size: tuple[int, int]) -> bytes:
    match fault:
        case "half_jpeg":
            return jpeg[: len(jpeg) // 2]
        case "pixel_bomb":
            return pixel_bomb(jpeg)
        case "wrong_content":
            return b"<!doctype html><title>Camera</title><p>Please log in.</p>"
        case "black":
            return _black(size)
        case "not_found" | "broken" | "redirect":
            return b""
        case _:
            return jpeg


def pixel_bomb(jpeg: bytes, side_px: int = 10_000) -> bytes:
    """The same file with a header that promises `side_px` squared pixels."""
    at = 2
    while jpeg[at + 1] not in {0xC0, 0xC1, 0xC2}:
        at += 2 + int(struct.unpack_from(">H", jpeg, at + 2)[0])
    return jpeg[: at + 5] + struct.pack(">HH", side_px, side_px) + jpeg[at + 9 :]


def _black(size: tuple[int, int]) -> bytes:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    return cv2.imencode(".jpg", np.zeros((size[1], size[0], 3), np.uint8))[1].tobytes()


app = typer.Typer()


@app.command(
    epilog="Example: plumbline sim camera --project-seed 7 --track reno --days 60 --port 8081 --speed 3600"
)
def camera(
    project_seed: Annotated[int, typer.Option(help="Which building; same seed, same building.")] = 1,
    track: Annotated[str, typer.Option(help="new (new building) or reno (renovation).")] = "new",
    days: Annotated[int, typer.Option(help="How many days the works take.")] = 60,
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = 8081,
    speed: Annotated[float, typer.Option(help="Simulated seconds per real second.")] = 1.0,
    slip_pp: Annotated[float, typer.Option(help="How far the works fall behind in between.")] = 0.0,
    fault: Annotated[str | None, typer.Option(help=f"One of: {', '.join(get_args(CameraFault))}.")] = None,
    log_file: Annotated[Path | None, typer.Option(help="Write each shot with its truth, JSON lines.")] = None,
) -> None:
    """Serve http://127.0.0.1:PORT/snapshot.jpg, a rendered site that grows at SPEED."""
    if track not in ("new", "reno"):
        raise ConfigError(f"no track {track!r}", hint="Use --track new or --track reno.")
    if fault is not None and fault not in get_args(CameraFault):
        raise ConfigError(f"no fault {fault!r}", hint="plumbline sim camera --help lists them.")
    slips = (Slip(from_day=0.25 * days, to_day=0.72 * days, lag_pp=slip_pp),) if slip_pp else ()
    known: Track = "new" if track == "new" else "reno"
    project = Project.sample(project_seed, track=known, days=days, slips=slips)
    today = SystemClock().wall().astimezone(ZoneInfo("Asia/Shanghai"))
    begin = today.replace(hour=0, minute=0, second=0, microsecond=0)
    start = begin + timedelta(hours=_NOON)
    prove_drawable(project, command="sim camera")
    clock = ScaledClock.starting(start.astimezone(UTC), speed)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(project, begin, clock, port, fault, log_file))


async def _serve(
    project: Project, begin: datetime, clock: Clock, port: int, fault: str | None, log_file: Path | None
) -> None:
    source = SceneSource(project, begin=begin)
    async with CameraServer(source, clock=clock, port=port, oplog=ShotLog(log_file)) as server:
        server.fault = fault  # type: ignore[assignment]  # checked by the command
        quad = [
            [round(x / source.size[0], 4), round(y / source.size[1], 4)]
            for x, y in project.facade_quad(source.size)
        ]
        typer.echo(f"{server.url}  track {project.track}, {project.floors} floors x {project.bays} bays")
        typer.echo(f"quad = {quad}")
        await asyncio.Event().wait()
