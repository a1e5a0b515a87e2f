"""What is kept of day-0 to lay later pictures onto it, and its bytes.

Corners and their descriptors and a coarse grey thumbnail: nobody can be seen in them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from plumbline.errors import ConfigError
from plumbline_edge.camera.outline import THUMBNAIL_WH

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC: Final = b"plumbline-ref1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What is kept of one picture for alignment; pixels are those of that picture."""

    picture_wh: tuple[int, int]
    facade_box: tuple[float, float, float, float]
    """Left, top, right, bottom of what was kept out: the part whose shift counts; the middle half where nothing was."""
    points: NDArray[np.float32]
    """Corners, [n, 2]."""
    descriptors: NDArray[np.uint8]
    """ORB, [n, 32]."""
    static: NDArray[np.bool_]
    """Which of them lie outside the facade, [n]."""
    thumbnail: NDArray[np.uint8]
    """Grey, [36, 64]."""

    @property
    def facade_shares(self) -> tuple[float, float, float, float]:
        (x0, y0, x1, y1), (width, height) = self.facade_box, self.picture_wh
        return x0 / width, y0 / height, x1 / width, y1 / height

    def to_bytes(self) -> bytes:
        """For a file of its own; some 41 bytes a feature."""
        body = msgspec.msgpack.encode(
            _Written(
                picture_wh=self.picture_wh,
                facade_box=self.facade_box,
                points=self.points.astype("<f4").tobytes(),
                descriptors=self.descriptors.tobytes(),
                static=self.static.astype(np.uint8).tobytes(),
                thumbnail=self.thumbnail.tobytes(),
            )
        )
        return _MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """What `to_bytes` wrote. Raises ConfigError where the bytes are damaged or another version's."""
        start = len(_MAGIC) + 32
        if (
            data[: len(_MAGIC)] != _MAGIC
            or data[len(_MAGIC) : start] != hashlib.sha256(data[start:]).digest()
        ):
            raise _damaged("its checksum is wrong")
        try:
            kept = msgspec.msgpack.decode(data[start:], type=_Written)
        except msgspec.MsgspecError as error:
            raise _damaged(str(error)) from None
        count, columns, rows = len(kept.static), *THUMBNAIL_WH
        if (len(kept.points), len(kept.descriptors), len(kept.thumbnail)) != (
            8 * count,
            32 * count,
            columns * rows,
        ):
            raise _damaged("its parts do not fit together")
        points = np.frombuffer(kept.points, "<f4").astype(np.float32).reshape(count, 2)
        if min(kept.picture_wh) < 1 or not np.isfinite([*points.ravel(), *kept.facade_box]).all():
            raise _damaged("it holds places outside any picture")
        return cls(
            picture_wh=kept.picture_wh,
            facade_box=kept.facade_box,
            points=points,
            descriptors=np.frombuffer(kept.descriptors, np.uint8).reshape(count, 32),
            static=np.frombuffer(kept.static, np.uint8) > 0,
            thumbnail=np.frombuffer(kept.thumbnail, np.uint8).reshape(rows, columns),
        )


class _Written(msgspec.Struct):
    picture_wh: tuple[int, int]
    facade_box: tuple[float, float, float, float]
    points: bytes
    descriptors: bytes
    static: bytes
    thumbnail: bytes


def _damaged(why: str) -> ConfigError:
    return ConfigError(
        f"the alignment reference cannot be used: {why}",
        hint="Delete the camera's reference file; the next usable photo becomes day 0 anew.",
    )
