"""The floodlights that light a site at night, for `light_of`."""

from __future__ import annotations

import numpy as np

from plumbline_sim.scene.project import Project


def site_lamps(project: Project) -> tuple[tuple[float, float, float, float], ...]:
    """Up to three lamps as x, y, z and reach in metres; some sites have none."""
    rng = np.random.default_rng([project.seed, 71])
    if rng.random() < 0.3:
        return ()
    places = [(-4.0, float(rng.uniform(6, 10)), 6.0), (project.width_m + 4, float(rng.uniform(6, 10)), 6.0),
              (project.width_m * float(rng.uniform(0.3, 0.7)), float(rng.uniform(7, 12)), 9.0)]  # fmt: skip
    keep = rng.permutation(3)[: int(rng.integers(1, 4))]
    return tuple((*places[int(i)], float(rng.uniform(6, 16))) for i in keep)
