"""When photos are due."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.schedule import next_capture

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_the_next_of_several_times_of_day_is_taken():
    now = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)  # 11:00 in Shanghai

    assert next_capture(now, ["10:00", "14:00"], SHANGHAI) == datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
    assert next_capture(now, ["10:00"], SHANGHAI) == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@given(st.integers(1_735_700_000, 1_900_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)))
def test_it_is_always_later_and_within_two_days_also_where_clocks_change(now):
    due = next_capture(now, ["02:30"], ZoneInfo("Europe/Berlin"))

    assert 0 < (due - now).total_seconds() <= 49 * 3600
