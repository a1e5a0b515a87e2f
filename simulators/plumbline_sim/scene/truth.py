"""What is true of every pixel of the facade: its zone and its stage, from the same cut that the drawing follows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.camera import plane_homography
from plumbline_sim.scene.project import Project

UNSEEN: Final = 255
OUTSIDE: Final = -1


def truth_maps(
    project: Project, day: float, matrix: NDArray[Any], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """`stage` [h, w], 0..7 and UNSEEN outside the facade, and `zone`, floor * bays + bay and OUTSIDE.

    A pixel is judged at its centre. What stands before the facade changes neither: that is the aux map's to say.
    """
    width, height = size
    stage, zone = np.full((height, width), UNSEEN, np.uint8), np.full((height, width), OUTSIDE, np.int16)
    warp = plane_homography(matrix, (0, 0, 0), (project.width_m, 0, 0), (0, project.height_m, 0))
    corners = np.array([(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]) @ warp.T
    pixels = corners[:, :2] / corners[:, 2:]
    x0, y0 = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, (width, height))
    x1, y1 = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 1, 0, (width, height))
    ys = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5)
    xs = np.arange(x0, x1, dtype=np.float32)[None] + np.float32(0.5)
    u, v, w = (row[0] * xs + row[1] * ys + row[2] for row in np.linalg.inv(warp).astype(np.float32))
    with np.errstate(divide="ignore", invalid="ignore"):
        across, up = u / w * project.bays, v / w * project.floors
    inside = (across >= 0) & (across < project.bays) & (up >= 0) & (up < project.floors)
    across, up = (np.where(inside, a, 0).astype(np.float32) for a in (across, up))
    bay, floor = across.astype(np.int16), up.astype(np.int16)
    here = floor * np.int16(project.bays) + bay
    stage[y0:y1, x0:x1] = np.where(inside, _stage_at(project, day, here, across - bay, up - floor), UNSEEN)
    zone[y0:y1, x0:x1] = np.where(inside, here, OUTSIDE)
    return stage, zone


def _stage_at(
    project: Project,
    day: float,
    zone: NDArray[np.int16],
    along_x: NDArray[np.float32],
    along_y: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The stage at a place inside its zone, given as shares of the zone's width and height; see scene.parts."""
    stages = project.zone_stages(day).ravel()
    whole = np.minimum(np.floor(stages + 1e-9), 7).astype(np.uint8)
    share = np.where(whole >= 7, 0.0, stages - whole).astype(np.float32)
    mode = np.asarray(project.fill_modes, np.uint8)[whole]
    modes = mode[zone]
    filled = np.where(modes < 2, along_x, along_y)
    filled = np.where(modes % 2 == 1, 1 - filled, filled)
    return np.asarray(whole[zone] + (filled < share[zone]), np.uint8)
