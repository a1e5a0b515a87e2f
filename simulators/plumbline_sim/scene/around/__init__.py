"""Everything around the building as one mesh: ground, streets, fence, town, trees, cranes, machines, people."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from plumbline_sim.scene.around.cranes import raise_cranes
from plumbline_sim.scene.around.fence import fence_in
from plumbline_sim.scene.around.ground import lay_ground
from plumbline_sim.scene.around.lamps import site_lamps
from plumbline_sim.scene.around.machines import place_machines
from plumbline_sim.scene.around.neighbours import build_town, poles
from plumbline_sim.scene.around.people import draw_people, people_of
from plumbline_sim.scene.around.photos import load_facades
from plumbline_sim.scene.around.plot import Floats, Plot, plot_of
from plumbline_sim.scene.around.trees import plant
from plumbline_sim.scene.conditions import Conditions, Season
from plumbline_sim.scene.mesh import Mesh
from plumbline_sim.scene.project import Project

__all__ = ["load_facades", "site_lamps", "surroundings"]


def surroundings(project: Project, day: float, conditions: Conditions, rng_fixed: np.random.Generator, rng_shot: np.random.Generator,
                 *, photos: int = 0) -> Mesh:  # fmt: skip
    """All but the building, as the camera of `project` sees it on `day`.

    What belongs to the place follows from `rng_fixed` and the season, what moves from `rng_shot`; `photos` is how many
    facades `gl.paint` is given. Instance numbers count from 1. The building's footprint is left free, its ground too.
    """
    seed = int(rng_fixed.integers(2**31))
    plot, houses, standing = _standing(project, conditions.season, seed, photos)
    mesh = Mesh().add(standing)
    free = raise_cranes(mesh, project, plot, day, np.random.default_rng([seed, 5]), rng_shot, 1)
    free = place_machines(mesh, project, plot, day, houses, np.random.default_rng([seed, 7]), rng_shot, free)
    draw_people(mesh, people_of(project, plot, day, rng_shot), free)
    return mesh


@lru_cache(maxsize=8)
def _standing(project: Project, season: Season, seed: int, photos: int) -> tuple[Plot, Floats, Mesh]:
    """The place at one time of year."""
    plot, houses, town = _town(project, seed, photos)
    new, mesh = project.track == "new", Mesh()
    lay_ground(mesh, plot, np.random.default_rng([seed, 1]), new=new, season=season)
    rng = np.random.default_rng([seed, 4])
    plant(mesh, plot, rng, season=season, split=project.split, houses=houses, new=new)
    return plot, houses, mesh.add(town).joined()


@lru_cache(maxsize=4)
def _town(project: Project, seed: int, photos: int) -> tuple[Plot, Floats, Mesh]:
    """What stands there all the year round."""
    plot, mesh = plot_of(project, np.random.default_rng([seed, 0])), Mesh()
    houses = build_town(mesh, plot, np.random.default_rng([seed, 2]), project.split, photos)
    fence_in(mesh, plot, np.random.default_rng([seed, 3]), project.split, new=project.track == "new")
    poles(mesh, plot, np.random.default_rng([seed, 6]))
    return plot, houses, mesh.joined()
