"""What a camera's earlier photos left behind: held zones, day-0, usual sharpness; never a raw picture."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.progress import Held

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KEEP_SHARPNESS: Final = 20
_ENOUGH_SHARPNESS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The state between two photos of one camera."""

    accepted: int = 0
    digest: str = ""
    """Of the last bytes the camera sent."""
    sharpness: tuple[float, ...] = ()
    held: dict[str, Held] = field(default_factory=dict)
    day0: NDArray[np.uint8] | None = None
    """BGR, the facade's crop at the model's size, people and vehicles pixelated."""
    zero: dict[str, float] = field(default_factory=dict)
    """What the model says of each zone before the works begin, when the truth is 0 percent."""

    @property
    def sharpness_median(self) -> float | None:
        """None until there were enough photos."""
        if len(self.sharpness) < _ENOUGH_SHARPNESS:
            return None
        return sorted(self.sharpness)[len(self.sharpness) // 2]

    def noticing(self, sharpness: float) -> Memory:
        """Rejected photos count too: a facade that changed its look for good must not be blurred for ever."""
        return replace(self, sharpness=(*self.sharpness, sharpness)[-_KEEP_SHARPNESS:])


class _HeldOnDisk(msgspec.Struct):
    percent: float
    at: datetime


class _OnDisk(msgspec.Struct):
    """`view` says which facade in which grid this was; another view makes all of it void."""

    view: str
    accepted: int
    digest: str
    sharpness: tuple[float, ...]
    held: dict[str, _HeldOnDisk]
    has_day0: bool
    zero: dict[str, float] = {}


class MemoryFile:
    """One camera's memory under the gateway's state folder. A damaged or foreign file is an empty memory."""

    def __init__(self, state_dir: Path, camera: CameraSettings) -> None:
        self._json = state_dir / "cameras" / f"{camera.name}.json"
        self._png = state_dir / "day0" / f"{camera.name}.png"
        self._view = f"{camera.track} {camera.floors}x{camera.bays} {camera.quad}"

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
        return Memory(
            accepted=kept.accepted,
            digest=kept.digest,
            sharpness=kept.sharpness,
            held={name: Held(percent=h.percent, at=h.at) for name, h in kept.held.items()},
            day0=_read_png(self._png) if kept.has_day0 else None,
            zero=kept.zero,
        )

    def save(self, memory: Memory, *, new_day0: bool = False) -> None:
        """Replace what was kept; complete or not at all. Raises OSError where the card fails."""
        if new_day0 and memory.day0 is not None:
            _replace(self._png, _png(memory.day0))
        kept = _OnDisk(
            view=self._view,
            accepted=memory.accepted,
            digest=memory.digest,
            sharpness=memory.sharpness,
            held={name: _HeldOnDisk(percent=h.percent, at=h.at) for name, h in memory.held.items()},
            has_day0=memory.day0 is not None,
            zero=memory.zero,
        )
        _replace(self._json, msgspec.json.encode(kept))


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
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
