"""What a camera's earlier photos left behind: zones' courses, day-0, what is usual; never a raw picture."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from plumbline.errors import ConfigError
from plumbline_edge import bounded
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.reference import Reference
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.course import Course, forgotten, restarted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 64_000_000
LATE_PHOTOS: Final = 6
"""After so many photos in a row that claim to be older than the newest, it is the newest whose date was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The state between two photos of one camera. The empty one knows nothing."""

    accepted: int = 0
    last_at: datetime | None = None
    """When the newest accepted photo was taken."""
    late: int = 0
    """Photos in a row that were refused because they are older."""
    baseline: Baseline = field(default_factory=Baseline)
    courses: dict[str, Course] = field(default_factory=dict)
    day0: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """By facade: BGR, its canvas at the model's size, people and vehicles unrecognisable."""
    zero: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """P(stage >= 1..7) that the model gives each zone before the works begin, when the truth is 0 percent."""
    reference: Reference | None = None
    """Where the camera looked on day 0, else when its first photo was accepted."""
    model: str = ""
    """Which model `courses` and `zero` are of."""

    def judged_by(self, model: str) -> Memory:
        """The same for that model. What another saw in untouched zones, and how zones came on in its eyes, says nothing.

        Their last levels stay, for zones that are hidden.
        """
        if model == self.model:
            return self
        courses = {zone: forgotten(course) for zone, course in self.courses.items()}
        return replace(self, model=model, courses=courses, zero={})

    def noticing_late(self, at: datetime) -> Memory:
        """After one more photo older than the newest; at the LATE_PHOTOS-th the dates begin anew."""
        if self.late + 1 < LATE_PHOTOS:
            return replace(self, late=self.late + 1)
        courses = {zone: restarted(course, at) for zone, course in self.courses.items()}
        return replace(self, late=0, last_at=None, courses=courses)

    def of_day0_only(self) -> Memory:
        """What was there before the works, and nothing of the photos judged so far."""
        return Memory(day0=self.day0, zero=self.zero, reference=self.reference, model=self.model)


class _OnDisk(msgspec.Struct):
    """`view` says which facades this was: another makes all of it void. `grid` says how they were divided and valued:
    another makes what is known of zones void.
    """

    view: str
    grid: str
    accepted: int
    last_at: datetime | None
    late: int
    baseline: Baseline
    courses: dict[str, Course]
    day0: dict[str, str]
    """By facade, what the picture's pixels hash to: a PNG with a flipped bit may still be one."""
    zero: dict[str, tuple[float, ...]]
    has_reference: bool
    model: str


class _Sealed(msgspec.Struct, forbid_unknown_fields=True):
    """One flipped bit makes 12.5 percent 92.5: nothing is believed that does not hash to what was written."""

    sha256: str
    memory: msgspec.Raw


class MemoryFile:
    """One camera's memory under the gateway's state folder.

    What is damaged is never used, and what was lost with it is said. Where the newest file is damaged, the one before it
    counts, which is a photo older; a foreign file is an empty memory.
    """

    def __init__(self, state_dir: Path, camera: CameraSettings) -> None:
        self._json = state_dir / "cameras" / f"{camera.name}.json"
        self._before = state_dir / "cameras" / f"{camera.name}.json.before"
        self._reference = state_dir / "cameras" / f"{camera.name}.reference"
        self._day0 = state_dir / "day0"
        self._camera = camera.name
        self._view, self._grid = _view(camera), _grid(camera)

    def load(self) -> Memory:
        kept = self._kept()
        if kept is None:
            return Memory()
        if kept.view != self._view:
            self._say("its facades or stages in the site file are others than before, so it begins anew")
            return Memory()
        pictures = {facade: self._read_day0(facade, digest) for facade, digest in kept.day0.items()}
        same_zones = kept.grid == self._grid
        return Memory(
            accepted=kept.accepted,
            last_at=kept.last_at,
            late=kept.late,
            baseline=kept.baseline,
            courses=kept.courses if same_zones else {},
            day0={facade: picture for facade, picture in pictures.items() if picture is not None},
            zero=kept.zero if same_zones else {},
            reference=self._read_reference() if kept.has_reference else None,
            model=kept.model,
        )

    def save(self, memory: Memory, *, new_day0: bool = False, new_reference: bool = False) -> None:
        """Replace what was kept; complete or not at all. Raises OSError where the card fails."""
        if new_day0:
            for facade, picture in memory.day0.items():
                _replace(self._png(facade), _png(picture))
        if new_reference and memory.reference is not None:
            _replace(self._reference, memory.reference.to_bytes())
        kept = _OnDisk(
            view=self._view,
            grid=self._grid,
            accepted=memory.accepted,
            last_at=memory.last_at,
            late=memory.late,
            baseline=memory.baseline,
            courses=memory.courses,
            day0={facade: _digest(picture) for facade, picture in memory.day0.items()},
            zero=memory.zero,
            has_reference=memory.reference is not None,
            model=memory.model,
        )
        body = msgspec.json.encode(kept)
        with contextlib.suppress(FileNotFoundError):
            self._json.replace(self._before)
        sealed = _Sealed(sha256=hashlib.sha256(body).hexdigest(), memory=msgspec.Raw(body))
        _replace(self._json, msgspec.json.encode(sealed))

    def _kept(self) -> _OnDisk | None:
        """The newest state that is whole, None where there is none."""
        for path, lost in (
            (self._json, "the last photo's state is lost"),
            (self._before, "where the zones stood, day 0 and what is usual are lost; it begins anew"),
        ):
            try:
                return _unsealed(bounded.read(path, _MOST_BYTES))
            except FileNotFoundError:
                continue
            except (
                OSError,
                ValueError,
                RecursionError,
            ) as why:  # a card rots: msgspec's errors are ValueErrors
                self._say(f"{path} cannot be used ({why}): {lost}")
        return None

    def _say(self, what: str) -> None:
        log.warning("camera %s: %s", self._camera, what)

    def _png(self, facade: str) -> Path:
        return self._day0 / f"{self._camera}{'.' if facade else ''}{facade}.png"

    def _read_reference(self) -> Reference | None:
        try:
            return Reference.from_bytes(bounded.read(self._reference))
        except (OSError, ConfigError) as why:
            self._say(f"{self._reference}: {why}; where the camera looked is learnt anew from the next photo")
            return None

    def _read_day0(self, facade: str, digest: str) -> NDArray[np.uint8] | None:
        path = self._png(facade)
        try:
            picture = _from_png(bounded.read(path))
        except OSError:
            picture = None
        if picture is None or _digest(picture) != digest:
            self._say(f"{path} is damaged or gone: photos are no longer compared with day 0")
            return None
        return picture


def config_name(camera: CameraSettings) -> str:
    """Names the settings that a camera's percents follow from: 16 hex digits, the same for the same settings."""
    return hashlib.sha256(msgspec.json.encode([camera.track, camera.all_facades()])).hexdigest()[:16]


def _view(camera: CameraSettings) -> str:
    """What must be the same for day-0 and for where the camera looked to mean the same."""
    return f"canvas 1 {[(f.name, f.quad) for f in camera.all_facades()]}"


def _grid(camera: CameraSettings) -> str:
    """What must be the same for the zones' percents to mean the same; weights may change."""
    return f"{camera.track} {[(f.name, f.floors, f.bays, f.values) for f in camera.all_facades()]}"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f"{path.suffix}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _png(image: NDArray[np.uint8]) -> bytes:
    import cv2  # noqa: PLC0415

    return bytes(cv2.imencode(".png", image)[1].tobytes())


def _unsealed(content: bytes) -> _OnDisk:
    sealed = msgspec.json.decode(content, type=_Sealed)
    if hashlib.sha256(bytes(sealed.memory)).hexdigest() != sealed.sha256:
        raise ValueError("its checksum is wrong")
    return msgspec.json.decode(sealed.memory, type=_OnDisk)


def _digest(picture: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).hexdigest()


def _from_png(content: bytes) -> NDArray[np.uint8] | None:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    raw = np.frombuffer(content, np.uint8)
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    except cv2.error:  # a size that no memory holds
        return None
    return None if image is None else np.asarray(image, np.uint8)
