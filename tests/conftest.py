"""Settings of the whole test run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Shared machines stall; a property is about values, never about milliseconds.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
