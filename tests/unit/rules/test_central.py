from datetime import UTC, datetime, timedelta

import pytest

from plumbline.topics import is_name
from plumbline_central.indicators.milestones import Milestone
from plumbline_central.rules.snapshot import Certificate, Snapshot

from .conftest import NOW, SITE, day, found

TOPPED_OUT = Milestone(
    id="top", name_zh="封顶", name_en="topped out", due=datetime(2026, 5, 31, 16, tzinfo=UTC)
)


def milestones(now, **how):
    one = Milestone(id="top", name_zh="封顶", name_en="topped out", due=TOPPED_OUT.due, **how)
    return found(Snapshot(milestones={SITE: [one]}), now)


def test_a_milestone_due_today_is_not_overdue_and_tomorrow_it_is_by_a_day():
    assert milestones(TOPPED_OUT.due - timedelta(seconds=1)) == {}
    assert milestones(TOPPED_OUT.due)["milestone_overdue"].facts == {
        "milestone": "封顶",
        "milestone_en": "topped out",
        "due": "2026-05-31",
        "days": 1.0,
    }


def test_a_milestone_that_was_reached_is_never_overdue_and_a_long_overdue_one_is_grave():
    assert milestones(day(30), done=day(-3)) == {}
    assert milestones(day(3))["milestone_overdue"].severity == "amber"
    assert milestones(day(15))["milestone_overdue"].severity == "red"


def test_a_store_that_takes_nothing_is_centrals_own_fault_with_the_servers_words():
    one = found(Snapshot(store_faults={"InfluxDB, refused lines": "field type conflict"}))["store_fault"]

    assert (one.slot.site, one.slot.subject) == ("system", "influxdb-refused-lines")
    assert is_name(one.slot.subject)
    assert one.facts == {"why": "field type conflict"}


@pytest.mark.parametrize(("left", "severity"), [(31, None), (29, "amber"), (6, "red"), (-1, "red")])
def test_a_certificate_is_told_a_month_before_it_ends(left, severity):
    there = found(Snapshot(certificates=[Certificate(subject="broker", expires=day(left))]), NOW)

    assert (there["certificate_expiring"].severity if there else None) == severity
