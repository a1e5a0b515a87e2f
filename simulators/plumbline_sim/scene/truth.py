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
    warp = plane_homography(matrix, (0, 0, 0), (project.width_m, 0, 0), (0, project.height_m, 0))
    ys, xs = np.mgrid[0:height, 0:width] + 0.5
    u, v, w = np.tensordot(np.linalg.inv(warp), np.stack([xs, ys, np.ones_like(xs)]), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        across, up = u / w, v / w
        inside = (across >= 0) & (across < 1) & (up >= 0) & (up < 1)
    across, up = np.where(inside, across, 0) * project.bays, np.where(inside, up, 0) * project.floors
    bay, floor = np.floor(across).astype(int), np.floor(up).astype(int)
    zone = floor * project.bays + bay
    stages = project.zone_stages(day).ravel()
    whole = np.minimum(np.floor(stages + 1e-9), 7).astype(int)
    share = np.where(whole >= 7, 0.0, stages - whole)
    mode = np.asarray(project.fill_modes)[np.minimum(whole, 6)]
    along_x, along_y = across - bay, up - floor
    filled = np.choose(mode[zone], [along_x, 1 - along_x, along_y, 1 - along_y])
    stage = whole[zone] + (filled < share[zone])
    return (
        np.where(inside, stage, UNSEEN).astype(np.uint8),
        np.where(inside, zone, OUTSIDE).astype(np.int16),
    )
