"""Plumbline's shared ground: what gateway, centre and simulators have in common."""

__version__ = "0.1.0"
