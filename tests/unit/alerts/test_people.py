import sqlite3
from datetime import timedelta

import pytest

from plumbline.errors import Refused
from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.book import NoSuchAlert, NoSuchSilence, Wanted
from plumbline_central.alerts.states import Shown, State

from .conftest import SITE, START, condition

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAULT = condition()
SLOT = FAULT.slot


@pytest.fixture
def raised(central):
    """The number of an alert that was raised at the start."""
    central.settle(START, FAULT)
    return central.book.open()[0].id


def steps(central, alert):
    return [(line.what, line.who, line.comment) for line in central.book.history(alert)][1:]


def test_an_alert_is_given_to_somebody_and_listed_as_theirs(central, raised):
    central.book.assign(raised, " 李伟 ", "王建国", "周五前", START)

    (theirs,) = central.book.find(Wanted(assigned_to="李伟"))
    assert (theirs.assigned_to, theirs.assigned_at, theirs.state) == ("李伟", START, State.UNACKNOWLEDGED)
    assert steps(central, raised) == [("assigned", "王建国", "→ 李伟: 周五前")]
    assert central.told()[-1] == ("assigned", "m1")
    assert central.book.find(Wanted(assigned_to="王建国")) == []


def test_what_was_put_right_ends_when_the_condition_is_gone(central, raised):
    done = central.book.rectify(raised, "li", "new fuse", START + HOUR)
    assert (done.state, done.rectified_by, done.acknowledged_by) == (State.ACKNOWLEDGED, "li", "li")
    central.settle(START + 2 * HOUR)

    assert central.book.get(raised).state == State.NORMAL


def test_what_was_said_to_be_put_right_and_stays_comes_back_with_that_reason(central, raised):
    central.book.acknowledge(raised, "wang", "", START)
    central.book.rectify(raised, "li", "new fuse", START + HOUR)
    central.settle(START + 24 * HOUR, FAULT)
    assert central.book.get(raised).state == State.ACKNOWLEDGED
    for hour in (25, 25.5):
        central.settle(START + hour * HOUR, FAULT)

    back = central.book.get(raised)
    assert (back.state, back.acknowledged_by, back.rectified_at) == (State.UNACKNOWLEDGED, None, None)
    assert steps(central, raised)[-1] == ("reopened", "plumbline", "li")
    assert [what for what, _ in central.told()] == ["raised", "acknowledged", "rectified", "reopened"]


def test_a_shelved_alert_is_quiet_until_it_wakes_by_itself(central, raised):
    asleep = central.book.shelve(raised, START + 8 * HOUR, "li", "part is ordered", START + HOUR)
    assert (asleep.shown, asleep.shelved_by, asleep.state) == (Shown.SHELVED, "li", State.UNACKNOWLEDGED)
    for hour in range(2, 12):
        central.settle(START + hour * HOUR, FAULT)

    assert [what for what, _ in central.told()] == ["raised", "shelved", "unshelved"]
    assert steps(central, raised)[:2] == [
        ("shelved", "li", "part is ordered"),
        ("unshelved", "plumbline", ""),
    ]
    assert central.book.get(raised).shown == Shown.UNACKNOWLEDGED


def test_an_alert_that_chatters_stays_on_its_shelf(central, raised):
    central.book.acknowledge(raised, "li", "", START)
    central.book.shelve(raised, START + 9 * HOUR, "li", "loose contact", START)
    for hour in range(1, 9):
        central.settle(START + hour * HOUR, *([FAULT] if hour % 2 else []))

    first, *again = reversed(central.book.recent())
    assert (first.id, first.state) == (raised, State.NORMAL)
    assert [alert.state for alert in again] == [State.NORMAL] * 3
    assert central.told() == [(what, "m1") for what in ("raised", "acknowledged", "shelved", "returned")]


def test_a_shelf_can_be_renewed_and_left(central, raised):
    central.book.shelve(raised, START + HOUR, "li", "tea", START)
    longer = central.book.shelve(raised, START + 2 * HOUR, "li", "lunch", START)
    assert longer.shelved_until == START + 2 * HOUR
    awake = central.book.unshelve(raised, "wang", "back", START + HOUR)

    assert awake.shown == Shown.UNACKNOWLEDGED
    assert steps(central, raised) == [
        ("shelved", "li", "tea"),
        ("shelved", "li", "lunch"),
        ("unshelved", "wang", "back"),
    ]


def test_a_slot_out_of_service_is_quiet_also_before_there_is_an_alert(central):
    out = central.book.take_out(SLOT, "li", "meter is being replaced", START)
    central.settle(START, FAULT)
    (alert,) = central.book.open()
    assert (alert.shown, central.told()) == (Shown.OUT_OF_SERVICE, [])
    assert central.book.silences("out_of_service", SITE, START) == [out]
    central.book.end_silence("out_of_service", out.id, "wang", "replaced", START + DAY)

    assert central.told() == [("raised", "m1")]
    assert steps(central, alert.id) == [
        ("out_of_service", "plumbline", "meter is being replaced"),
        ("in_service", "wang", "replaced"),
    ]
    assert central.book.silences("out_of_service", SITE, START + DAY) == []
    (kept,) = central.book.silences("out_of_service", None)
    assert (kept.by, kept.ended_by, kept.ended_why, kept.ended_at) == ("li", "wang", "replaced", START + DAY)


def test_alerts_in_a_maintenance_window_are_told_at_its_end_if_they_are_still_there(opened):
    central = opened()
    central.settle(START, condition(subject="before"))
    window = central.book.plan_maintenance(
        SITE, None, START + HOUR, START + 5 * HOUR, "li", "rewiring", START
    )
    stays, goes = condition(subject="stays"), condition(subject="goes")
    for hour, found in ((1, []), (2, [stays, goes]), (4, [stays]), (5, [stays]), (6, [stays])):
        central.settle(START + hour * HOUR, condition(subject="before"), *found)
        central.close()
        central = opened()

    assert central.told() == [("raised", "before"), ("raised", "stays")]
    muted = next(alert for alert in central.book.recent() if alert.subject == "goes")
    assert muted.state == State.NORMAL
    assert [(line.what, line.comment) for line in central.book.history(muted.id)] == [
        ("raised", ""),
        ("suppressed", "rewiring"),
        ("returned", ""),
    ]
    assert muted.suppressed_by == window.key == "maintenance-1"


@pytest.mark.parametrize(
    ("subject", "quiet"), [("m1", {"m1"}), ("gw1", {"m1", "m2"}), (None, {"m1", "m2", "x"})]
)
def test_a_window_is_for_a_site_or_a_thing_or_all_that_is_known_through_a_gateway(central, subject, quiet):
    central.book.plan_maintenance(SITE, subject, START, START + DAY, "li", "rewiring", START)
    central.settle(START, FAULT, condition(subject="m2"), condition(subject="x", gateway=""))

    assert {alert.subject for alert in central.book.open() if alert.quiet} == quiet


def test_a_window_can_be_ended_early_and_called_off_before_it_begins(central):
    central.settle(START, FAULT)
    now = central.book.plan_maintenance(SITE, None, START, START + DAY, "li", "rewiring", START)
    later = central.book.plan_maintenance(SITE, None, START + DAY, START + 2 * DAY, "li", "again", START)
    assert central.book.open()[0].shown == Shown.SUPPRESSED
    for window in (now, later):
        central.book.end_silence("maintenance", window.id, "li", "done", START + HOUR)
    central.settle(START + DAY + HOUR, FAULT)

    assert central.book.open()[0].shown == Shown.UNACKNOWLEDGED
    assert [one.id for one in central.book.silences("maintenance", SITE)] == [later.id, now.id]


def refused(what):
    return pytest.raises(Refused, match=what)


def test_what_cannot_be_done_is_refused_says_what_to_do_and_leaves_no_trace(central, raised):
    book, later = central.book, START + HOUR
    book.assign(raised, "li", "wang", "", START)
    book.rectify(raised, "li", "", START)
    out = book.take_out(SLOT, "li", "broken", START)
    before = book.history(raised)
    attempts = [
        ("is li's already", lambda: book.assign(raised, "li", "wang", "", later)),
        ("said already", lambda: book.rectify(raised, "wang", "", later)),
        ("not shelved", lambda: book.unshelve(raised, "wang", "", later)),
        ("no reason", lambda: book.shelve(raised, later + HOUR, "wang", " ", later)),
        ("no name", lambda: book.shelve(raised, later + HOUR, " ", "tea", later)),
        ("cannot be shelved", lambda: book.shelve(raised, later, "wang", "tea", later)),
        ("cannot be shelved", lambda: book.shelve(raised, later + 31 * DAY, "wang", "tea", later)),
        ("out of service already", lambda: book.take_out(SLOT, "wang", "broken", later)),
        (
            "anything of ours",
            lambda: book.take_out(Slot(site=SITE, rule="clock", subject="a/#"), "w", "x", later),
        ),
        ("anything of ours", lambda: book.plan_maintenance(SITE, "a b", later, later + DAY, "w", "x", later)),
        ("a window", lambda: book.plan_maintenance(SITE, None, later, later, "w", "x", later)),
        ("a window", lambda: book.plan_maintenance(SITE, None, START - DAY, START, "w", "x", later)),
        ("a window", lambda: book.plan_maintenance(SITE, None, later, later + 400 * DAY, "w", "x", later)),
    ]

    for what, attempt in attempts:
        with refused(what) as error:
            attempt()
        assert error.value.hint
    for step in (book.rectify, book.unshelve):
        with pytest.raises(NoSuchAlert):
            step(99, "wang", "", later)
    with pytest.raises(NoSuchSilence):
        book.end_silence("maintenance", out.id, "wang", "", later)
    with pytest.raises(NoSuchSilence):
        book.end_silence("maintenance", 99, "wang", "", later)
    assert book.history(raised) == before
    assert [one.ended_at for one in book.silences("out_of_service", None)] == [None]


def test_nothing_is_left_to_do_about_an_alert_whose_condition_is_gone_or_that_is_closed(central, raised):
    book, later = central.book, START + HOUR
    central.settle(later)
    with refused("gone"):
        book.shelve(raised, later + HOUR, "li", "tea", later)
    with refused("'rectify'") as error:
        book.rectify(raised, "li", "", later)
    assert "acknowledge" in error.value.hint
    book.close(raised, "li", "", later)

    with refused("closed"):
        book.assign(raised, "li", "wang", "", later)
    with refused("gone"):
        book.shelve(raised, later + HOUR, "li", "tea", later)
    out = book.take_out(SLOT, "li", "broken", later)
    book.end_silence("out_of_service", out.id, "li", "", later)
    with refused("ended already"):
        book.end_silence("out_of_service", out.id, "li", "", later)


def test_what_was_ordered_is_kept(central):
    central.book.take_out(SLOT, "li", "broken", START)

    with pytest.raises(sqlite3.IntegrityError, match="kept"), central.db.write() as db:
        db.execute("DELETE FROM alert_silence")


def test_watchers_hear_of_steps_that_nobody_else_is_told_of(central):
    central.book.take_out(SLOT, "li", "broken", START)
    central.settle(START, FAULT)

    assert [(data["what"], data["shown"]) for _, _, data in central.live.events] == [
        ("raised", "out_of_service"),
        ("out_of_service", "out_of_service"),
    ]


def test_a_channel_is_reminded_of_what_it_was_told_only(central, raised):
    central.book.take_out(Slot(site=SITE, rule="clock", subject="gw1"), "li", "old clock", START)
    central.settle(START, FAULT, condition("clock", "gw1"))
    central.book.remind("mqtt", START)

    assert central.told() == [("raised", "m1"), ("reminder", "m1")]


def test_alerts_are_found_by_what_is_asked_a_page_at_a_time(central):
    for hour, rule in enumerate(["clock", "meter_fault", "clock", "meter_fault"]):
        severity = "red" if hour > 1 else "amber"
        central.settle(START + hour * HOUR, condition(rule, f"x{hour}", severity), looked_at=[rule])
    book = central.book
    book.shelve(4, START + 9 * DAY, "li", "tea", START + 4 * HOUR)

    def found(**wanted):
        return [alert.id for alert in book.find(Wanted(**wanted))]

    assert found() == [4, 3, 2, 1]
    assert found(rule="clock") == [3, 1]
    assert found(severity="red") == [4, 3]
    assert found(shown=Shown.SHELVED) == [4]
    assert found(shown=Shown.RETURNED_UNACKNOWLEDGED) == [2, 1]
    assert found(shown="open", severity="amber", rule="clock") == [1]
    assert found(since=START + HOUR, until=START + 3 * HOUR) == [3, 2]
    assert found(site="elsewhere") == []
    assert found(limit=2) + found(limit=2, after=3) == [4, 3, 2, 1]


def test_nobody_hears_anything_where_one_silence_ends_as_another_begins(central, raised):
    central.book.shelve(raised, START + HOUR, "li", "tea", START)
    central.book.plan_maintenance(SITE, None, START + HOUR, START + DAY, "li", "rewiring", START)
    central.settle(START + HOUR, FAULT)

    assert [what for what, *_ in steps(central, raised)] == ["shelved", "suppressed", "unshelved"]
    assert central.told() == [("raised", "m1"), ("shelved", "m1")]
