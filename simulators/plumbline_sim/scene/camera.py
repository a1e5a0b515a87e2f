"""World metres to image pixels for one pinhole camera.

World axes: x along the facade from its left end, y up from the ground, z out of the facade towards the street.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinhole:
    """Where the camera stands, what it looks at, and how wide; the image's aspect comes with the size asked for."""

    position_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    hfov_deg: float
    roll_deg: float = 0.0
    k1: float = 0.0
    """Radial distortion, Brown 1966: a point at radius r (in half widths) is seen at r (1 + k1 r^2); below 0 a barrel."""

    def matrix(self, size: tuple[int, int]) -> Points:
        """The 3x4 projection to pixels of a (width, height) image."""
        width, height = size
        eye = np.asarray(self.position_m, float)
        forward = np.asarray(self.target_m, float) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        roll = math.radians(self.roll_deg)
        axes = np.stack(
            [
                right * math.cos(roll) + down * math.sin(roll),
                down * math.cos(roll) - right * math.sin(roll),
                forward,
            ]
        )
        focal = 0.5 * width / math.tan(math.radians(self.hfov_deg) / 2)
        inner = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return np.asarray(inner @ np.hstack([axes, (-axes @ eye)[:, None]]))

    def pixels(self, points: Any, size: tuple[int, int]) -> Points:
        """Where world points [n, 3] are seen in a (width, height) image, the lens' distortion included."""
        half = size[0] / 2
        middle = np.array((half, size[1] / 2))
        flat = (project(self.matrix(size), points) - middle) / half
        bent = flat * (1 + self.k1 * (flat**2).sum(axis=1, keepdims=True))
        return np.asarray(bent * half + middle)

    def undistorting(self, size: tuple[int, int]) -> tuple[Any, Any]:
        """For each pixel of the image, x and y [h, w] float32 in the picture a lens without distortion would make."""
        return _undistorting(self.k1, size)


@lru_cache(maxsize=4)
def _undistorting(k1: float, size: tuple[int, int]) -> tuple[Any, Any]:
    width, height = size
    half = width / 2
    x = ((np.arange(width, dtype=np.float32) + 0.5 - half) / half)[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5 - height / 2) / half)[:, None]
    seen = np.hypot(x, y)
    true = seen
    for _ in range(6):  # |k1| <= 0.07 and r <= 1.2: six steps come within a thousandth of a pixel
        true = seen / (1 + np.float32(k1) * true**2)
    scale = np.where(seen > 0, true / np.maximum(seen, np.float32(1e-9)), np.float32(1.0)) * np.float32(half)
    return x * scale + np.float32(half - 0.5), y * scale + np.float32(height / 2 - 0.5)


def project(matrix: Points, points: Any) -> Points:
    """Image points [n,2] of world points [n,3]; a point at or behind the camera is held just in front of it."""
    homogeneous = np.asarray(points, float) @ matrix[:, :3].T + matrix[:, 3]
    depth = np.maximum(homogeneous[:, 2:], 0.3)
    return np.asarray(homogeneous[:, :2] / depth)


def plane_homography(matrix: Points, origin: Any, along_u: Any, along_v: Any) -> Points:
    """The 3x3 map from plane coordinates (u, v), in units of the two world vectors, to pixels."""
    return np.stack(
        [matrix[:, :3] @ np.asarray(along_u, float), matrix[:, :3] @ np.asarray(along_v, float),
         matrix[:, :3] @ np.asarray(origin, float) + matrix[:, 3]],
        axis=1,
    )  # fmt: skip
