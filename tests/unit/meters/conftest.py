"""A simulated meter and the gateway's own bus to it, over a real socket."""

from datetime import UTC, datetime

import pytest

from plumbline.clock import ManualClock

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # midday in Shanghai, a Monday


@pytest.fixture
def clock():
    return ManualClock(NOON)
