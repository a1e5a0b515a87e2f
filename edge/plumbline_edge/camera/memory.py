"""What a camera's earlier photos left behind: zones' courses, day-0, what is usual; never a raw picture."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from plumbline.errors import ConfigError
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.reference import Reference
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.course import Course, forgotten, restarted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    day0: list[str]
    zero: dict[str, tuple[float, ...]]
    has_reference: bool
    model: str


class MemoryFile:
    """One camera's memory under the gateway's state folder. A damaged or foreign file is an empty memory."""

    def __init__(self, state_dir: Path, camera: CameraSettings) -> None:
        self._json = state_dir / "cameras" / f"{camera.name}.json"
        self._reference = state_dir / "cameras" / f"{camera.name}.reference"
        self._day0 = state_dir / "day0"
        self._camera = camera.name
        self._view, self._grid = _view(camera), _grid(camera)

    def load(self) -> Memory:
        try:
            kept = msgspec.json.decode(self._json.read_bytes(), type=_OnDisk)
        except (
            OSError,
            ValueError,
            RecursionError,
        ):  # a card rots: msgspec's errors and bad UTF-8 are ValueErrors
            return Memory()
        if kept.view != self._view:
            return Memory()
        pictures = {facade: _read_png(self._png(facade)) for facade in kept.day0}
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
            day0=list(memory.day0),
            zero=memory.zero,
            has_reference=memory.reference is not None,
            model=memory.model,
        )
        _replace(self._json, msgspec.json.encode(kept))

    def _png(self, facade: str) -> Path:
        return self._day0 / f"{self._camera}{'.' if facade else ''}{facade}.png"

    def _read_reference(self) -> Reference | None:
        try:
            return Reference.from_bytes(self._reference.read_bytes())
        except (OSError, ConfigError):
            return None


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


def _read_png(path: Path) -> NDArray[np.uint8] | None:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    return None if image is None else np.asarray(image, np.uint8)
