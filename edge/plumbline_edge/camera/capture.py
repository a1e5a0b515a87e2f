"""One photo from camera to records: fetch, decode, gate, model, zones, combine, mask."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from plumbline.clock import to_us
from plumbline.errors import ConfigError, PlumblineError, Refused
from plumbline.messages import DeviceHealth, Photo, Progress
from plumbline.stages import DEFAULT_VALUES
from plumbline_edge.camera import gate, image, privacy
from plumbline_edge.camera.memory import Memory, MemoryFile
from plumbline_edge.camera.source import CameraSource, PhotoRefused, PhotoUnreachable, kind_of, source_of
from plumbline_edge.outage import Outage
from plumbline_edge.settings import CameraSettings, SiteSettings
from plumbline_edge.vision import model as stage_model
from plumbline_edge.vision.model import Outputs, StageModel
from plumbline_edge.vision.preprocess import roi_box, to_input
from plumbline_edge.vision.progress import Combined, combine, flat_weights, from_zero
from plumbline_edge.vision.zones import ZoneReading, pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

DAY0_WITHIN: Final = 3
DAY0_MAX_LOW: Final = 5.0
"""One of the first DAY0_WITHIN accepted photos becomes the day-0 reference, if its 90 % interval reaches down to
DAY0_MAX_LOW percent: a gateway that arrives in the middle of a project must not take that for the beginning."""

ModelLoader = Callable[[], StageModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """The two records of one photo.

    Where `progress.gate` names a reason there is no percent; and no picture either, except with NOT_VISIBLE, where the
    model did look and so can mask.
    """

    progress: Progress
    photo: Photo


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one picture's bytes came to, and the memory for the next."""

    captured: Captured
    memory: Memory
    new_day0: bool = False


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
    ) -> None:
        self._settings = settings
        self._source = source
        self._load_model = load_model
        self._file = MemoryFile(state_dir, settings)
        self._day0_until = day0_until
        self._turn = one_at_a_time or asyncio.Semaphore(1)
        self._memory: Memory | None = None
        self._outage = Outage(f"camera {settings.name}")
        self._status: Literal["ok", "degraded", "silent", "unknown"] = "unknown"
        self._answers = 0
        self._errors: Counter[str] = Counter()
        self._latency_ms: float | None = None
        self._last_good_us: int | None = None

    @property
    def name(self) -> str:
        return self._settings.name

    async def capture(self, at: datetime) -> Captured:
        """Take and judge one photo, dated `at`; what goes wrong becomes a reason in `progress.gate`."""
        began = asyncio.get_running_loop().time()
        try:
            raw = await self._source.snapshot()
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
        async with self._turn:  # one decoded picture in memory, however many cameras there are
            captured = await asyncio.to_thread(self._judge, raw, at)
        self._errors.update(captured.progress.gate)
        self._status = "degraded" if captured.progress.gate else "ok"
        if not captured.progress.gate:
            self._last_good_us = to_us(at)
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

    def _judge(self, raw: bytes, at: datetime) -> Captured:
        """Blocks; the only caller's thread is also the only one to touch the memory."""
        try:
            memory = self._memory if self._memory is not None else self._file.load()
            judged = judge(raw, at, self._settings, self._load_model, memory, day0_until=self._day0_until)
        except Exception:
            log.exception("camera %s: a photo could not be judged", self.name)
            return unusable(self._settings, at, ("FAULT",), digest=hashlib.sha256(raw).hexdigest())
        finally:
            give_memory_back()
        self._memory = judged.memory
        try:
            self._file.save(judged.memory, new_day0=judged.new_day0)
        except OSError as error:
            log.warning("camera %s: its memory cannot be kept: %s", self.name, error.strerror)
        return judged.captured


def watches(settings: SiteSettings, sources: Mapping[str, CameraSource] | None = None) -> list[CameraWatch]:
    """One watch per camera of a site file, in its order; they share one model and take turns.

    `sources` are taken in place of what the file names, by camera.
    """
    folder = Path(settings.model.folder) if settings.model.folder else stage_model.shipped_folder()
    load_model = LazyModel(folder, threads=settings.model.threads)
    turn = asyncio.Semaphore(1)
    return [
        CameraWatch(
            camera,
            (sources or {}).get(camera.name) or source_of(camera, ZoneInfo(settings.timezone)),
            load_model,
            Path(settings.state_dir),
            turn,
            day0_until=_local_midnight(camera.works_begin, settings.timezone),
        )
        for camera in settings.cameras
    ]


def _local_midnight(day: date | None, timezone: str) -> datetime | None:
    return None if day is None else datetime.combine(day, time_of_day(), ZoneInfo(timezone))


def judge(
    raw: bytes,
    at: datetime,
    settings: CameraSettings,
    load_model: ModelLoader,
    memory: Memory,
    *,
    day0_until: datetime | None = None,
) -> Judged:
    """One picture's bytes to its records. Pure but for the model; blocks for tens of milliseconds.

    Each usable picture before `day0_until` becomes the day-0 reference, and is judged against itself.

    A picture that fails the gate leaves the memory as it was, but for its digest and sharpness.
    """
    seen = replace(memory, digest=hashlib.sha256(raw).hexdigest())
    if seen.digest == memory.digest:
        return _rejected(settings, at, seen, "FROZEN")
    try:
        picture = image.decode(raw, max_megapixels=settings.max_megapixels)
    except PhotoRefused as why:
        return _rejected(settings, at, seen, why.code)
    view = _View.of(picture, settings)
    sharpness = gate.sharpness(view.crop)
    seen = seen.noticing(sharpness)
    if reasons := gate.judge(view.crop, sharpness, sharpness_median=memory.sharpness_median):
        return _rejected(settings, at, seen, *reasons)
    return _judge_view(picture, view, at, settings, load_model, seen, day0_until)


def _judge_view(
    picture: NDArray[np.uint8],
    view: _View,
    at: datetime,
    settings: CameraSettings,
    load_model: ModelLoader,
    memory: Memory,
    day0_until: datetime | None,
) -> Judged:
    """The rest of `judge`, for a picture that shows something."""
    before_works = day0_until is not None and at < day0_until
    try:
        model = load_model()
        outputs = model.run(to_input(view.crop, memory.day0, model.size_hw), settings.track)
        if before_works:
            memory = replace(memory, day0=_day0(view, outputs, model))
            outputs = model.run(to_input(view.crop, memory.day0, model.size_hw), settings.track)
            memory = replace(memory, zero=_zero(_readings(outputs, view, settings), memory.zero))
    except (ConfigError, Refused) as why:
        log.warning("the model gave nothing for camera %s: %s", settings.name, why)
        return _rejected(settings, at, memory, "MODEL")
    limits = gate.QUALITY_LIMITS | model.card.quality_limits
    if reasons := gate.judge_quality(outputs.quality.tolist(), limits):
        return _rejected(settings, at, memory, *reasons)
    combined = _combined(outputs, view, settings, memory, model, at)
    after = replace(memory, accepted=memory.accepted + 1, held=combined.held)
    is_first = day0_until is None and memory.day0 is None and memory.accepted < DAY0_WITHIN
    adopted = is_first and combined.low is not None and combined.low <= DAY0_MAX_LOW
    if adopted:
        after = replace(after, day0=_day0(view, outputs, model))
    return Judged(
        captured=_seen(settings, at, memory.digest, picture, view, outputs, combined, model.card.id),
        memory=after,
        new_day0=before_works or adopted,
    )


def _rejected(settings: CameraSettings, at: datetime, memory: Memory, *reasons: str) -> Judged:
    return Judged(captured=unusable(settings, at, reasons, digest=memory.digest), memory=memory)


def give_memory_back() -> None:
    """Return the freed buffers of a photo to the system: glibc keeps 60 MB of them otherwise, for one photo an hour."""
    with contextlib.suppress(AttributeError, OSError):  # another C library keeps less and has no such call
        ctypes.CDLL(None).malloc_trim(0)


def unusable(
    settings: CameraSettings, at: datetime, reasons: tuple[str, ...], *, digest: str = ""
) -> Captured:
    """The records of a photo that says nothing: no percent, no zones, no picture, and why; `digest` if one came."""
    name = photo_name(settings.name, at)
    return Captured(
        progress=Progress(
            camera=settings.name,
            photo=name,
            percent=None,
            low=None,
            high=None,
            gate=reasons,
            quad=settings.quad,
            grid=(settings.floors, settings.bays),
        ),
        photo=Photo(camera=settings.name, photo=name, source=digest),
    )


def photo_name(camera: str, at: datetime) -> str:
    """How the records of one photo name it: camera and UTC second."""
    return f"{camera}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The part of a picture that the model is shown."""

    box: tuple[int, int, int, int]
    crop: NDArray[np.uint8]
    quad: tuple[tuple[float, float], ...]
    """The facade in shares of the crop."""

    @classmethod
    def of(cls, picture: NDArray[np.uint8], settings: CameraSettings) -> _View:
        height, width = picture.shape[:2]
        pixels = [(x * width, y * height) for x, y in settings.quad]
        box = x0, y0, x1, y1 = roi_box(pixels, (width, height))
        quad = tuple(((x - x0) / (x1 - x0), (y - y0) / (y1 - y0)) for x, y in pixels)
        return cls(box=box, crop=picture[y0:y1, x0:x1], quad=quad)


def _combined(
    outputs: Outputs, view: _View, settings: CameraSettings, memory: Memory, model: StageModel, at: datetime
) -> Combined:
    return combine(
        from_zero(_readings(outputs, view, settings), memory.zero),
        flat_weights(settings.weights, settings.floors, settings.bays),
        memory.held,
        at,
        interval_pp=model.card.interval_pp[settings.track],
        zone_interval_pp=model.card.zone_interval_pp[settings.track],
    )


def _readings(outputs: Outputs, view: _View, settings: CameraSettings) -> tuple[ZoneReading, ...]:
    values = settings.values or DEFAULT_VALUES[settings.track]
    return pool(outputs.stage, outputs.aux, view.quad, settings.floors, settings.bays, values)


def _zero(readings: Sequence[ZoneReading], before: Mapping[str, float]) -> dict[str, float]:
    """What the model says of each zone before the works, the newest picture counting as much as all earlier ones."""
    seen = {reading.id: reading.percent for reading in readings if reading.percent is not None}
    return {**before, **{zone: (percent + before.get(zone, percent)) / 2 for zone, percent in seen.items()}}


def _day0(view: _View, outputs: Outputs, model: StageModel) -> NDArray[np.uint8]:
    """The crop at the model's size, with nobody recognisable in it: the only picture that is ever kept on disk."""
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera
    import numpy as np  # noqa: PLC0415

    height, width = model.size_hw
    small = np.asarray(cv2.resize(view.crop, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return privacy.hide_people(small, outputs.aux)


def _seen(
    settings: CameraSettings,
    at: datetime,
    digest: str,
    picture: NDArray[np.uint8],
    view: _View,
    outputs: Outputs,
    combined: Combined,
    model_id: str,
) -> Captured:
    preview = privacy.mask(
        picture,
        outputs.aux,
        quad=settings.quad,
        box=view.box,
        hfov_deg=settings.hfov_deg,
        distance_m=settings.distance_m,
    )
    name = photo_name(settings.name, at)
    photo = Photo(camera=settings.name, photo=name, source=digest)
    if preview is not None:
        photo = Photo(
            camera=settings.name,
            photo=name,
            jpeg=preview.jpeg,
            width_px=preview.width_px,
            height_px=preview.height_px,
            mask=f"{privacy.METHOD} {model_id}",
            source=digest,
        )
    return Captured(
        progress=Progress(
            camera=settings.name,
            photo=name,
            percent=_rounded(combined.percent),
            low=_rounded(combined.low),
            high=_rounded(combined.high),
            gate=combined.gate,
            zones=tuple(
                msgspec.structs.replace(
                    zone,
                    percent=_rounded(zone.percent),
                    low=_rounded(zone.low),
                    high=_rounded(zone.high),
                    visible=round(zone.visible, 3),
                )
                for zone in combined.zones
            ),
            model=model_id,
            quad=settings.quad,
            grid=(settings.floors, settings.bays),
        ),
        photo=photo,
    )


def _rounded(percent: float | None) -> float | None:
    """To a hundredth of a point: finer is noise that costs bytes."""
    return None if percent is None else round(percent, 2)
