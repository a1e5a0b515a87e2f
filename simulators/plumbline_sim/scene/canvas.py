"""A picture being painted back to front, with the class of every pixel beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.camera import Points, plane_homography, project
from plumbline_sim.scene.families import Bgr
from plumbline_sim.scene.textures import Image

Map = NDArray[Any]


@dataclass(slots=True)
class Canvas:
    """Colours and aux classes of one view; `matrix` takes world metres to its pixels."""

    bgr: Image
    aux: Map
    matrix: Points

    @property
    def size(self) -> tuple[int, int]:
        return self.bgr.shape[1], self.bgr.shape[0]

    def at(self, points: Any) -> Points:
        return project(self.matrix, points)

    def px_per_m(self, point: Any) -> float:
        """How many pixels a metre upright has at this place."""
        low, high = self.at([point, np.asarray(point, float) + np.array((0.0, 1.0, 0.0))])
        return float(np.hypot(*(high - low)))

    def polygon(self, points: Any, colour: Bgr, kind: int) -> None:
        """Fill a convex outline of world points."""
        self.outline(self.at(points), colour, kind)

    def outline(self, pixels: Any, colour: Bgr, kind: int) -> None:
        """Fill a convex outline of image points."""
        corners = np.clip(np.asarray(pixels), -20000, 20000).round().astype(np.int32)
        cv2.fillConvexPoly(self.bgr, corners, colour, cv2.LINE_AA)
        cv2.fillConvexPoly(self.aux, corners, kind)

    def stroke(self, points: Any, colour: Bgr, kind: int, width_m: float) -> None:
        """A line of `width_m` through world points; never thinner than a pixel."""
        pixels = np.clip(self.at(points), -20000, 20000).round().astype(np.int32)
        thick = max(1, round(width_m * self.px_per_m(points[0])))
        cv2.polylines(self.bgr, [pixels], False, colour, thick, cv2.LINE_AA)
        cv2.polylines(self.aux, [pixels], False, kind, thick)

    def box(self, low: Any, high: Any, colour: Bgr, kind: int, *, light: tuple[float, float, float]) -> None:
        """An upright box between two world corners; `light` shades its front, sides and top."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        front, side, top = (tuple(min(255, int(c * share)) for c in colour) for share in light)
        eye = _eye(self.matrix)
        if eye[1] > y1:
            self.polygon([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], _bgr(top), kind)
        if eye[0] < x0:
            self.polygon([(x0, y0, z0), (x0, y1, z0), (x0, y1, z1), (x0, y0, z1)], _bgr(side), kind)
        if eye[0] > x1:
            self.polygon([(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)], _bgr(side), kind)
        self.polygon([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], _bgr(front), kind)

    def lay(self, sheet: Image, alpha: Map, corner: Any, along: Any, down: Any, aux: Any) -> None:
        """Blend a flat sheet whose top-left is `corner` and whose edges are the vectors `along` and `down`.

        `aux` is one class for every pixel at least half covered, or a sheet of classes.
        """
        height, width = alpha.shape
        warp = plane_homography(self.matrix, corner, np.asarray(along) / width, np.asarray(down) / height)
        shift, box = _box_of(warp, (width, height), self.size)
        if box is None:
            return
        x0, y0, x1, y1 = box
        size = (x1 - x0, y1 - y0)
        colours = cv2.warpPerspective(sheet, shift, size, flags=cv2.INTER_LINEAR)
        cover = cv2.warpPerspective(alpha, shift, size, flags=cv2.INTER_LINEAR)
        view = self.bgr[y0:y1, x0:x1]
        view[:] = cv2.blendLinear(
            colours, view, cover.astype(np.float32) / 255, 1 - cover.astype(np.float32) / 255
        )
        classes = self.aux[y0:y1, x0:x1]
        here = (cover >= 128).astype(np.uint8)
        if isinstance(aux, int):
            classes[here > 0] = aux
        else:
            cv2.copyTo(cv2.warpPerspective(aux, shift, size, flags=cv2.INTER_NEAREST), here, classes)


def warp_map(
    sheet: Any, matrix: Points, corner: Any, along: Any, down: Any, size: tuple[int, int], outside: int
) -> Any:
    """A sheet of numbers laid into an image of (width, height), nearest value, `outside` elsewhere."""
    height, width = sheet.shape
    warp = plane_homography(matrix, corner, np.asarray(along) / width, np.asarray(down) / height)
    return cv2.warpPerspective(sheet, warp, size, flags=cv2.INTER_NEAREST, borderValue=outside)


def _eye(matrix: Points) -> Points:
    return np.asarray(-np.linalg.solve(matrix[:, :3], matrix[:, 3]))


def _bgr(colour: Any) -> Bgr:
    return int(colour[0]), int(colour[1]), int(colour[2])


def _box_of(
    warp: Points, sheet: tuple[int, int], size: tuple[int, int]
) -> tuple[Points, tuple[int, int, int, int] | None]:
    corners = np.array([(0, 0, 1), (sheet[0], 0, 1), (sheet[0], sheet[1], 1), (0, sheet[1], 1)]) @ warp.T
    if (corners[:, 2] <= 0.01).any():
        return warp, None
    pixels = corners[:, :2] / corners[:, 2:]
    x0, y0 = np.floor(np.maximum(pixels.min(0), 0)).astype(int)
    x1, y1 = np.ceil(np.minimum(pixels.max(0) + 1, size)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return warp, None
    move = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]])
    return move @ warp, (int(x0), int(y0), int(x1), int(y1))
