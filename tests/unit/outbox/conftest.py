"""A gateway's life and its clock, for tests of the outbox."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from outbox_life import Site

from plumbline.clock import ManualClock


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 2, tzinfo=UTC))
