"""Placing of vehicles, machines and stacks: on the site, at kerbs, in parking bays."""

from __future__ import annotations

import numpy as np

from plumbline_sim.scene.around.plot import Plot
from plumbline_sim.scene.mesh import Mesh
from plumbline_sim.scene.project import Project


def place_machines(mesh: Mesh, project: Project, plot: Plot, day: float, shot: np.random.Generator, first_instance: int) -> int:
    """Everything on wheels or tracks and what stands stacked; returns the next free instance number."""
    return first_instance
