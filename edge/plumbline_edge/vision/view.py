"""The facade seen straight on: a picture and four corners to the canvas the model is shown, and back.

Every facade fills the same rectangle of its canvas, so that a zone is an upright cell of it whatever the camera's
place; a margin around it keeps the ground, the sky and the scaffold in view. Training and the gateway both cut here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline_edge.vision.zones import Quad, square_to_quad

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CANVAS_HW: Final = (256, 320)
"""Rows and columns of the canvas; a model's input has this size."""
FACADE_BOX: Final = (0.10, 0.16, 0.90, 0.90)
"""Where the facade lies on the canvas: left, top, right, bottom, in shares of its width and height."""
CANVAS_QUAD: Final[Quad] = (
    (FACADE_BOX[0], FACADE_BOX[1]), (FACADE_BOX[2], FACADE_BOX[1]),
    (FACADE_BOX[2], FACADE_BOX[3]), (FACADE_BOX[0], FACADE_BOX[3]),
)  # fmt: skip
"""The same as four corners, for zones.pool and zones.zone_map."""

_FINER: Final = 2
_NEAREST_W: Final = 0.05


@dataclass(frozen=True)
class View:
    """One facade of one camera. `quad` holds its corners in shares of a picture of `picture_wh` pixels."""

    quad: Quad
    picture_wh: tuple[int, int]
    canvas_hw: tuple[int, int] = CANVAS_HW

    @cached_property
    def to_picture(self) -> NDArray[np.float64]:
        """The 3x3 homography from canvas pixels to picture pixels."""
        height, width = self.canvas_hw
        x0, y0, x1, y1 = FACADE_BOX
        to_unit = np.array(
            [
                [1 / (width * (x1 - x0)), 0, -x0 / (x1 - x0)],
                [0, 1 / (height * (y1 - y0)), -y0 / (y1 - y0)],
                [0, 0, 1],
            ]
        )
        scale = np.diag([self.picture_wh[0], self.picture_wh[1], 1.0])
        return np.asarray(scale @ square_to_quad(self.quad) @ to_unit)

    def cut(self, picture: Image) -> Image:
        """The canvas [H, W, 3] or [H, W] of a picture; black where the picture ends."""
        import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera

        height, width = self.canvas_hw
        source, shrunk = _shrunk_to(picture, self._picture_px_per_canvas_px() / _FINER)
        finer = np.diag([1 / _FINER, 1 / _FINER, 1.0])
        onto = np.diag([shrunk[0], shrunk[1], 1.0]) @ self.to_picture @ finer
        warped = cv2.warpPerspective(
            source, onto, (width * _FINER, height * _FINER), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        return np.asarray(cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def cut_classes(self, sheet: NDArray[Any], outside: int) -> NDArray[Any]:
        """A picture-sized map of numbers on the canvas: nearest value, `outside` where the picture ends."""
        import cv2  # noqa: PLC0415

        height, width = self.canvas_hw
        return np.asarray(
            cv2.warpPerspective(
                sheet, self.to_picture, (width, height),
                flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=outside,
            )
        )  # fmt: skip

    def lay_back(self, canvas: NDArray[Any], outside: int) -> NDArray[Any]:
        """A map on the canvas, at any resolution, brought back to picture size; `outside` where the canvas ends."""
        import cv2  # noqa: PLC0415

        height, width = self.canvas_hw
        rows, columns = canvas.shape[:2]
        coarse = np.diag([columns / width, rows / height, 1.0])
        onto = coarse @ np.linalg.inv(self.to_picture)
        return np.asarray(
            cv2.warpPerspective(
                canvas, onto, self.picture_wh,
                flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=outside,
            )
        )  # fmt: skip

    def in_picture(self) -> NDArray[np.bool_]:
        """Which canvas pixels lie inside the picture, [H, W]."""
        height, width = self.canvas_hw
        ys, xs = np.mgrid[0:height, 0:width] + 0.5
        u, v, w = np.tensordot(self.to_picture, np.stack([xs, ys, np.ones_like(xs)]), 1)
        safe = np.maximum(w, _NEAREST_W)
        x, y = u / safe, v / safe
        return np.asarray((w > 0) & (x >= 0) & (y >= 0) & (x < self.picture_wh[0]) & (y < self.picture_wh[1]))

    def cells_shown(self, shown: NDArray[np.bool_] | None, map_hw: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which cells of a map of the canvas [h, w] lie in the picture, and where `shown` [H, W] of it is true."""
        where = self.in_picture()
        if shown is not None:
            where &= self.cut_classes(shown.astype(np.uint8), 0) > 0
        (height, width), (rows, columns) = self.canvas_hw, map_hw
        step_y, step_x = height // rows, width // columns
        return where[step_y // 2 :: step_y, step_x // 2 :: step_x][:rows, :columns]

    def _picture_px_per_canvas_px(self) -> float:
        """How much finer the picture is than the canvas, at the facade's finest edge."""
        corners = np.asarray(self.quad, float) * self.picture_wh
        edges = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        height, width = self.canvas_hw
        x0, y0, x1, y1 = FACADE_BOX
        across, down = width * (x1 - x0), height * (y1 - y0)
        return float(min(max(edges[0], edges[2]) / across, max(edges[1], edges[3]) / down))


def filled_quad(quad: Quad, size_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where in a picture of that size a facade is, [h, w]."""
    import cv2  # noqa: PLC0415

    height, width = size_hw[:2]
    sheet = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(sheet, (np.asarray(quad) * (width, height)).round().astype(np.int32), 1)
    return sheet > 0


def _shrunk_to(picture: Image, factor: float) -> tuple[Image, tuple[float, float]]:
    """The picture shrunk by whole steps so that a warp with linear interpolation misses no pixel; and its scale."""
    import cv2  # noqa: PLC0415

    step = int(factor)
    if step < 2:
        return picture, (1.0, 1.0)
    height, width = picture.shape[:2]
    size = (max(1, width // step), max(1, height // step))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, (size[0] / width, size[1] / height)
