"""One camera from its source to records: takes a burst, judges it in its turn, keeps the memory, tells how it does."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from plumbline.clock import to_us
from plumbline.errors import ConfigError, PlumblineError, Refused
from plumbline.messages import DeviceHealth
from plumbline_edge import bounded
from plumbline_edge.camera.chosen import model_folder, works_begin
from plumbline_edge.camera.judge import Judged, ModelLoader, judge
from plumbline_edge.camera.memory import Memory, MemoryFile
from plumbline_edge.camera.records import Captured, photo_name, unusable
from plumbline_edge.camera.shot import digest_of
from plumbline_edge.camera.sources.kinds import source_of
from plumbline_edge.camera.sources.place import kind_of
from plumbline_edge.camera.sources.port import CameraSource, PhotoRefused, PhotoUnreachable
from plumbline_edge.outage import Outage
from plumbline_edge.settings import CameraSettings, SiteSettings
from plumbline_edge.vision import calibration as site_calibration
from plumbline_edge.vision import model as stage_model
from plumbline_edge.vision.calibration import Calibration
from plumbline_edge.vision.model import StageModel

__all__ = [
    "CameraWatch",
    "Captured",
    "Judged",
    "LazyModel",
    "ModelLoader",
    "give_memory_back",
    "judge",
    "photo_name",
    "read_calibration",
    "unusable",
    "watches",
]

log = logging.getLogger(__name__)

_AHEAD: Final = timedelta(days=1)
"""A camera may keep another time zone's time."""


class LazyModel:
    """Loads the model at its first use and keeps it; a failed load is tried again with the next photo."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._folder = folder
        self._threads = threads
        self._loaded: StageModel | None = None
        self._lock = threading.Lock()

    def __call__(self) -> StageModel:
        with self._lock:
            if self._loaded is None:
                self._loaded = stage_model.load(self._folder, threads=self._threads)
            return self._loaded


class CameraWatch:
    """One camera as the gateway sees it. `capture` never raises for anything the camera, picture or model does."""

    def __init__(
        self,
        settings: CameraSettings,
        source: CameraSource,
        load_model: ModelLoader,
        state_dir: Path,
        one_at_a_time: asyncio.Semaphore | None = None,
        *,
        day0_until: datetime | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        self._settings = settings
        self._source = source
        self._load_model = load_model
        self._file = MemoryFile(state_dir, settings)
        self._day0_until = day0_until
        self._zone = zone
        self._turn = one_at_a_time or asyncio.Semaphore(1)
        self._memory: Memory | None = None
        self._new_day0 = self._new_reference = False  # what the card does not have yet
        self._outage = Outage(f"camera {settings.name}")
        self._status: Literal["ok", "degraded", "silent", "unknown"] = "unknown"
        self._answers = 0
        self._errors: Counter[str] = Counter()
        self._latency_ms: float | None = None
        self._last_good_us: int | None = None
        self._judging = False

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def is_judging(self) -> bool:
        """Whether a burst is complete and its records are to come within seconds."""
        return self._judging

    async def capture(self, at: datetime, *, clock_set: bool = True) -> Captured:
        """Take and judge one burst, dated `at`; what goes wrong becomes a reason in `progress.gate`."""
        began = asyncio.get_running_loop().time()
        settings = self._settings
        try:
            raws = await self._source.burst(settings.burst_frames, settings.burst_every_s)
        except (PhotoUnreachable, PhotoRefused) as why:
            return self._lost(at, why.code, why)
        except ConfigError as why:
            return self._lost(at, "SETTINGS", why)
        except Exception as why:  # what a camera answers must never end the meters' gateway
            log.exception("camera %s: its answer could not be read", self.name)
            return self._lost(at, "FAULT", Refused(f"its answer could not be read: {type(why).__name__}"))
        self._latency_ms = round((asyncio.get_running_loop().time() - began) * 1000, 1)
        self._answers += 1
        self._outage.worked()
        taken_at = self._source.taken_at or at
        if clock_set and taken_at > at + _AHEAD:  # accepted, it would make every later photo too old
            self._errors["CLOCK"] += 1
            self._status = "degraded"
            return unusable(settings, at, ("CLOCK",), digest=digest_of(raws))
        self._judging = True
        try:
            async with self._turn:  # one decoded burst in memory, however many cameras there are
                captured = await asyncio.to_thread(
                    self._judge, raws, taken_at.astimezone(self._zone), clock_set
                )
        finally:
            self._judging = False
        self._errors.update(captured.progress.gate)
        self._status = "degraded" if captured.progress.gate else "ok"
        if not captured.progress.gate:
            self._last_good_us = to_us(taken_at)
        return captured

    def health(self) -> DeviceHealth:
        """How the camera does; `errors` counts gate codes since this process began."""
        return DeviceHealth(
            name=self.name,
            status=self._status,
            answers=self._answers,
            errors=dict(self._errors),
            latency_ms=self._latency_ms,
            source=kind_of(self._settings),
            last_good_us=self._last_good_us,
        )

    def _lost(self, at: datetime, code: str, why: PlumblineError) -> Captured:
        self._outage.failed(why)
        self._errors[code] += 1
        self._status = "silent"
        return unusable(self._settings, at, (code,))

    def _judge(self, raws: list[bytes], at: datetime, clock_set: bool) -> Captured:
        """Blocks; the only caller's thread is also the only one to touch the memory."""
        try:
            memory = self._memory if self._memory is not None else self._file.load()
            judged = judge(
                raws,
                at,
                self._settings,
                self._load_model,
                memory,
                day0_until=self._day0_until,
                calibration=read_calibration(self._settings),
                clock_set=clock_set,
            )
        except ConfigError as why:
            log.warning("camera %s: %s. %s", self.name, why, why.hint)
            return unusable(self._settings, at, ("CALIBRATION",), digest=digest_of(raws))
        except Exception:
            log.exception("camera %s: a photo could not be judged", self.name)
            return unusable(self._settings, at, ("FAULT",), digest=digest_of(raws))
        finally:
            give_memory_back()
        self._memory = judged.memory
        self._new_day0 |= judged.new_day0
        self._new_reference |= judged.new_reference
        try:
            self._file.save(judged.memory, new_day0=self._new_day0, new_reference=self._new_reference)
        except OSError as error:  # the next photo tries again
            log.warning("camera %s: its memory cannot be kept: %s", self.name, error.strerror)
        else:
            self._new_day0 = self._new_reference = False
        return judged.captured


def watches(settings: SiteSettings, sources: Mapping[str, CameraSource] | None = None) -> list[CameraWatch]:
    """One watch per camera of a site file, in its order; they share one model and take turns.

    `sources` are taken in place of what the file names, by camera.
    """
    load_model = LazyModel(model_folder(settings), threads=settings.model.threads)
    turn = asyncio.Semaphore(1)
    return [
        CameraWatch(
            camera,
            (sources or {}).get(camera.name) or source_of(camera, ZoneInfo(settings.timezone)),
            load_model,
            Path(settings.state_dir),
            turn,
            day0_until=works_begin(camera, settings.timezone),
            zone=ZoneInfo(settings.timezone),
        )
        for camera in settings.cameras
    ]


def read_calibration(camera: CameraSettings) -> Calibration:
    """What the camera's calibration file says now, the identity where none is named. Raises ConfigError."""
    if camera.calibration is None:
        return site_calibration.IDENTITY
    try:
        content = bounded.read(camera.calibration)
    except OSError as error:
        raise ConfigError(
            f"{camera.calibration}: {error.strerror}",
            hint="Make it with `plumbline model calibrate`, or take `calibration` out of the site file.",
        ) from None
    return site_calibration.decoded(content, camera.calibration)


def give_memory_back() -> None:
    """Return the freed buffers of a photo to the system: glibc keeps 60 MB of them otherwise, for one photo an hour."""
    with contextlib.suppress(AttributeError, OSError):  # another C library keeps less and has no such call
        ctypes.CDLL(None).malloc_trim(0)
