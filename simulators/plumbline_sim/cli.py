"""`plumbline sim`: simulated meters and cameras, and recorded buses, for people who test gateways."""

from __future__ import annotations

import typer

from plumbline_sim import camera
from plumbline_sim.meter import cli as meter
from plumbline_sim.record import cli as record
from plumbline_sim.scene import cli as scene
from plumbline_sim.site import cli as site

app = typer.Typer()
for _part in (meter, site, camera, record, scene):
    app.registered_commands += _part.app.registered_commands
