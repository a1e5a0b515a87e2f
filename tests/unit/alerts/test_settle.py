from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from plumbline_central.alerts.alert import SYSTEM, Alert, Rule, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.alerts.inhibition import EXPLAINS, explains
from plumbline_central.alerts.latch import Delays
from plumbline_central.alerts.states import Shown, State

from .conftest import SITE, START, condition

MINUTE = timedelta(minutes=1)
FAULT = condition()
OFFLINE = condition("gateway_offline", "gw1")


def test_the_same_condition_found_ten_thousand_times_is_one_alert_one_line_and_one_notice(central):
    with central.book.write() as writer:
        for minute in range(10_000):
            writer.settle([FAULT], ["meter_fault"], START + minute * MINUTE / 100)

    (alert,) = central.book.recent()
    assert (alert.state, alert.since, alert.gateway) == (State.UNACKNOWLEDGED, START, "gw1")
    assert [line.what for line in central.book.history(alert.id)] == ["raised"]
    assert central.told() == [("raised", "m1")]


def test_a_condition_is_raised_after_its_on_delay_and_returns_after_its_off_delay(opened):
    delays = {"meter_fault": Delays(on_s=120, off_s=300)}
    central = opened()
    for minute, found in enumerate([1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]):
        central.settle(START + minute * MINUTE, *([FAULT] if found else []), delays=delays)
        central.close()
        central = opened()  # each look is made by a process that has just begun

    (alert,) = central.book.recent()
    steps = [(line.what, (line.at - START) / MINUTE) for line in central.book.history(alert.id)]
    assert steps == [("raised", 4), ("returned", 13)]


def test_what_was_not_looked_at_stays_as_it_is(central):
    central.settle(START, FAULT, condition("clock", "gw1"))
    central.settle(START + MINUTE, looked_at=["clock"])

    assert {alert.rule: alert.state for alert in central.book.recent()} == {
        "meter_fault": State.UNACKNOWLEDGED,
        "clock": State.RETURNED_UNACKNOWLEDGED,
    }


def test_one_site_can_be_looked_at_alone(central):
    elsewhere = Condition(slot=Slot(site="other", rule="clock", subject="gw9"), severity="amber", since=START)
    central.settle(START, elsewhere)
    with central.book.write() as writer:
        writer.settle([FAULT], ["clock", "meter_fault"], START + MINUTE, site=SITE)

    assert {alert.site: alert.state for alert in central.book.open()} == {
        "other": State.UNACKNOWLEDGED,
        SITE: State.UNACKNOWLEDGED,
    }


@pytest.mark.parametrize(("looked_at", "site"), [(["clock"], None), (["meter_fault"], "other")])
def test_a_condition_that_nobody_said_to_look_for_is_an_error(central, looked_at, site):
    with pytest.raises(ValueError, match="looked at"), central.book.write() as writer:
        writer.settle([FAULT], looked_at, START, site=site)


def test_the_same_evidence_is_never_raised_twice_and_other_evidence_is(central):
    moved = [condition("camera_moved", "north", evidence=photo) for photo in ("p1", "p1", "p1", "p2")]
    central.settle(START, moved[0])
    central.book.acknowledge(1, "li", "", START)
    central.settle(START + MINUTE)
    central.settle(START + 2 * MINUTE, moved[1])
    central.settle(START + 3 * MINUTE, moved[2])
    assert [alert.state for alert in central.book.recent()] == [State.NORMAL]
    central.settle(START + 4 * MINUTE, moved[3])

    assert [alert.state for alert in central.book.recent()] == [State.UNACKNOWLEDGED, State.NORMAL]


def test_a_graver_condition_is_told_once_with_its_new_facts_and_is_never_milder_again(central):
    for minute, severity in enumerate(["amber", "red", "red", "amber", "red"]):
        found = condition("certificate_expiring", "gw1", severity, days_left=30 - minute)
        central.settle(START + minute * MINUTE, found)

    (alert,) = central.book.open()
    assert (alert.severity, alert.facts) == ("red", {"days_left": 29})
    assert [what for what, _ in central.told()] == ["raised", "severity"]


def test_of_two_findings_for_one_slot_the_graver_one_counts(central):
    central.settle(START, condition(severity="red"), condition(severity="amber"))

    assert [alert.severity for alert in central.book.open()] == ["red"]


def test_an_offline_gateway_mutes_what_is_known_through_it_and_nothing_else(central):
    others = [condition(subject="m2", gateway="gw2"), condition("deviation", "cam1")]
    central.settle(START, FAULT, OFFLINE, *others)

    assert {alert.subject: alert.shown for alert in central.book.open()} == {
        "gw1": Shown.UNACKNOWLEDGED,
        "m1": Shown.SUPPRESSED,
        "m2": Shown.UNACKNOWLEDGED,
        "cam1": Shown.UNACKNOWLEDGED,
    }
    assert sorted(subject for _, subject in central.told()) == ["cam1", "gw1", "m2"]
    muted = next(alert for alert in central.book.open() if alert.subject == "m1")
    assert muted.suppressed_by == "gateway_offline-gw1"
    assert [(line.what, line.comment) for line in central.book.history(muted.id)] == [
        ("raised", ""),
        ("suppressed", "gateway_offline-gw1"),
    ]


def test_once_the_gateway_is_back_and_has_sent_what_it_stored_what_is_still_there_is_told(central):
    gone = condition(subject="m2")
    central.settle(START, OFFLINE, FAULT, gone)
    central.settle(START + 10 * MINUTE, FAULT, gone)
    central.settle(START + 15 * MINUTE, FAULT)
    assert central.told() == [("raised", "gw1"), ("returned", "gw1")]
    central.settle(START + 20 * MINUTE, FAULT)
    central.settle(START + 21 * MINUTE, FAULT)

    assert central.told()[2:] == [("raised", "m1")]
    assert {alert.subject: alert.state for alert in central.book.recent()} == {
        "gw1": State.RETURNED_UNACKNOWLEDGED,
        "m1": State.UNACKNOWLEDGED,
        "m2": State.NORMAL,
    }


def test_what_was_told_before_the_gateway_went_is_not_told_again_but_its_end_is(central):
    stays = condition(subject="m2")
    central.settle(START, FAULT, stays)
    central.settle(START + MINUTE, FAULT, stays, OFFLINE)
    central.settle(START + 2 * MINUTE, stays, OFFLINE)
    central.settle(START + 3 * MINUTE, stays)
    central.settle(START + 30 * MINUTE, stays)

    assert central.told() == [
        *[("raised", subject) for subject in ("m1", "m2", "gw1")],
        ("returned", "m1"),
        ("returned", "gw1"),
    ]


def test_what_got_graver_while_it_was_muted_is_told_as_that_afterwards(central):
    central.settle(START, FAULT)
    central.settle(START + MINUTE, FAULT, OFFLINE)
    central.settle(START + 2 * MINUTE, condition(severity="red"), OFFLINE)
    assert [what for what, subject in central.told() if subject == "m1"] == ["raised"]
    central.settle(START + 3 * MINUTE, condition(severity="red"))
    central.settle(START + 20 * MINUTE, condition(severity="red"))

    assert [what for what, subject in central.told() if subject == "m1"] == ["raised", "severity"]


def test_a_gateway_that_may_be_offline_mutes_already_so_that_its_meters_do_not_come_first(central):
    delays = {"gateway_offline": Delays(on_s=300)}
    for minute in range(7):
        central.settle(START + minute * MINUTE, OFFLINE, FAULT, delays=delays)

    assert central.told() == [("raised", "gw1")]


def test_a_store_fault_mutes_nothing(central):
    fault = Condition(
        slot=Slot(site=SYSTEM, rule="store_fault", subject="influx"),
        severity="red",
        since=START,
        gateway="gw1",
    )
    central.settle(START, fault, FAULT)

    assert {alert.shown for alert in central.book.open()} == {Shown.UNACKNOWLEDGED}


def test_the_documented_inhibition_is_the_one_in_the_code():
    text = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    documented = {
        row[0].strip("`"): set(row[1].replace("`", "").split(", "))
        for row in rows
        if row[0].strip("`") in EXPLAINS
    }

    assert documented == {rule: set(muted) for rule, (_, muted) in EXPLAINS.items()}


@pytest.mark.parametrize("rule", get_args(Rule))
def test_nothing_explains_itself_or_another_site(rule):
    alert = Alert(
        id=1,
        slot=Slot(site=SITE, rule=rule, subject="gw1"),
        severity="red",
        state=State.UNACKNOWLEDGED,
        raised_at=START,
        evidence=(),
        gateway="gw1",
    )

    for other in get_args(Rule):
        assert not explains(Slot(site="other", rule=other, subject="gw1"), alert)
    assert not explains(alert.slot, alert)
