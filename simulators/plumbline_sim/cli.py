"""`plumbline sim`: simulated meters and cameras, and recorded buses, for people who test gateways."""

from __future__ import annotations

import typer

from plumbline_sim import camera
from plumbline_sim.meter import cli as meter
from plumbline_sim.record import cli as record

app = typer.Typer()
app.registered_commands += (
    meter.app.registered_commands + camera.app.registered_commands + record.app.registered_commands
)
