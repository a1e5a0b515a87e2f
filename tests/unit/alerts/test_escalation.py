from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.alerts.alert import Alert, Slot
from plumbline_central.alerts.escalation import LADDERS, climb
from plumbline_central.alerts.states import State

from .conftest import SITE, START, condition

HOUR = timedelta(hours=1)


def waiting(severity="amber", state=State.UNACKNOWLEDGED, **how):
    slot = Slot(site=SITE, rule="clock", subject="gw1")
    return Alert(id=1, slot=slot, severity=severity, state=state, raised_at=START, evidence=(), **how)


@pytest.mark.parametrize(
    ("alert", "hours", "rung"),
    [
        (waiting(), 3.9, None),
        (waiting(), 4, (1, "amber")),
        (waiting(escalation=1), 23, None),
        (waiting(escalation=1), 24, (2, "red")),
        (waiting(), 100, (2, "red")),
        (waiting("red", escalation=2), 1000, None),
        (waiting("red"), 1, (1, "red")),
        (waiting("red", escalation=1), 4, (2, "red")),
        (waiting(state=State.ACKNOWLEDGED), 100, None),
        (waiting(state=State.RETURNED_UNACKNOWLEDGED), 100, None),
        (waiting(suppressed_by="gateway_offline-gw1"), 100, None),
        (waiting(waiting_since=START + 50 * HOUR), 53, None),
    ],
)
def test_an_alert_climbs_while_nobody_acts(alert, hours, rung):
    assert climb(alert, START + hours * HOUR, LADDERS) == rung


@given(st.lists(st.floats(0, 10), max_size=20), st.sampled_from(["amber", "red"]))
def test_however_often_one_looks_each_rung_is_climbed_once(pauses, severity):
    alert, hours, heights = waiting(severity), 0.0, []
    for pause in pauses:
        hours += pause
        if found := climb(alert, START + hours * HOUR, LADDERS):
            heights.append(found[0])
            alert = waiting(found[1], escalation=found[0])

    assert heights == sorted(set(heights))
    assert len(heights) <= 2


def test_what_nobody_acknowledges_is_told_again_and_gets_red_once_over_restarts(opened):
    for hours in range(0, 60, 2):
        central = opened()
        central.settle(START + hours * HOUR, condition())
        central.close()
    central = opened()

    (alert,) = central.book.open()
    assert (alert.severity, alert.escalation) == ("red", 2)
    lines = [(line.what, (line.at - START) / HOUR, line.comment) for line in central.book.history(alert.id)]
    assert lines == [("raised", 0, ""), ("escalated", 4, ""), ("escalated", 24, "red")]
    assert [what for what, _ in central.told()] == ["raised", "escalated", "escalated"]


def test_a_shelved_alert_climbs_from_its_waking_on(central):
    central.settle(START, condition())
    central.book.shelve(1, START + 10 * HOUR, "li", "part is ordered", START)
    for hours in range(1, 16):
        central.settle(START + hours * HOUR, condition())

    assert [(line.what, (line.at - START) / HOUR) for line in central.book.history(1)] == [
        ("raised", 0),
        ("shelved", 0),
        ("unshelved", 10),
        ("escalated", 14),
    ]
