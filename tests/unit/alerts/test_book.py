import sqlite3
from datetime import timedelta

import pytest

from plumbline.errors import Refused
from plumbline_central.alerts.book import NoSuchAlert
from plumbline_central.alerts.states import State

from .conftest import SITE, START, other_row, row

LATER = START + timedelta(days=2)


def behind(central, first=1, day=0.0):
    central.photo(first, day, 43.0)
    central.photo(first + 1, day + 1, 42.0)


def notices(central):
    """What each waiting delivery says, the first one first."""
    return [
        (d.channel, d.notice.what, d.notice.alert.state) for d in reversed(central.deliveries.list("waiting"))
    ]


def test_two_photos_behind_plan_raise_one_alert_that_names_its_evidence(central):
    behind(central)

    (alert,) = central.book.open(SITE)
    assert (alert.key, alert.rule, alert.subject) == ("deviation-cam1", "deviation", "cam1")
    assert (alert.state, alert.severity) == (State.UNACKNOWLEDGED, "red")
    assert (alert.deviation_pp, alert.planned, alert.actual, alert.low, alert.high) == (
        -8.0,
        50.0,
        42.0,
        41.0,
        43.0,
    )
    assert [(p.ref, p.photo, p.deviation_pp) for p in alert.evidence] == [
        ("gw1/e1/data/1", "p1", -7.0),
        ("gw1/e1/data/2", "p2", -8.0),
    ]
    assert alert.raised_at == START + timedelta(days=1, hours=1)


def test_an_open_alert_is_not_raised_again_but_told_where_it_stands(central):
    behind(central)
    central.photo(3, 2, 39.0)

    (alert,) = central.book.recent(SITE)
    assert (alert.deviation_pp, alert.latest_pp, alert.latest_at) == (-8.0, -11.0, START + timedelta(days=2))
    assert notices(central) == [("mqtt", "raised", State.UNACKNOWLEDGED)]


def test_an_alert_that_comes_back_before_anyone_saw_it_says_since_when_it_is_back(central):
    behind(central)
    for n, (day, percent) in enumerate([(2, 50.0), (3, 50.0), (4, 57.0), (5, 58.0)], 3):
        central.photo(n, day, percent)

    (alert,) = central.book.recent(SITE)
    assert (alert.state, alert.deviation_pp) == (State.UNACKNOWLEDGED, 8.0)
    assert alert.raised_at == START + timedelta(days=5, hours=1)


def test_acknowledged_then_back_within_the_band_it_is_at_rest_with_every_step_kept(central):
    behind(central)
    (alert,) = central.book.open()
    central.book.acknowledge(alert.id, " Wang Wei ", "crane was down", LATER)
    central.book.comment(alert.id, "Wang Wei", "second shift from Monday", LATER + timedelta(hours=1))
    central.photo(3, 3, 48.0)
    central.photo(4, 4, 49.0)

    done = central.book.get(alert.id)
    assert (done.state, done.open, done.acknowledged_by) == (State.NORMAL, False, "Wang Wei")
    assert done.cleared_at == done.closed_at == START + timedelta(days=4, hours=1)
    assert [(line.who, line.what, line.old, line.new) for line in central.book.history(alert.id)] == [
        ("plumbline", "raised", "normal", "unacknowledged"),
        ("Wang Wei", "acknowledged", "unacknowledged", "acknowledged"),
        ("Wang Wei", "comment", "acknowledged", "acknowledged"),
        ("plumbline", "returned", "acknowledged", "normal"),
    ]
    assert [what for _, what, _ in notices(central)] == ["raised", "acknowledged", "returned"]
    assert central.book.open() == []


def test_an_alert_whose_condition_went_away_unseen_waits_for_a_person(central):
    behind(central)
    central.photo(3, 2, 50.0)
    central.photo(4, 3, 50.0)

    (alert,) = central.book.open()
    assert alert.state == State.RETURNED_UNACKNOWLEDGED
    closed = central.book.close(alert.id, "li", "seen too late", LATER)
    assert (closed.state, closed.closed_at) == (State.NORMAL, LATER)


def test_a_condition_that_comes_back_unseen_is_the_same_alert_and_afterwards_a_new_one(central):
    behind(central)
    for seq, percent in enumerate([50.0, 50.0, 43.0, 43.0], start=3):
        central.photo(seq, seq, percent)

    (alert,) = central.book.recent()
    assert (alert.state, alert.cleared_at) == (State.UNACKNOWLEDGED, None)
    central.book.acknowledge(alert.id, "li", "", LATER)
    for seq, percent in enumerate([50.0, 50.0, 43.0, 43.0], start=7):
        central.photo(seq, seq, percent)
    assert [a.id for a in central.book.recent()] == [alert.id + 1, alert.id]


def test_what_a_person_cannot_do_is_refused_and_leaves_no_trace(central):
    behind(central)
    (alert,) = central.book.open()
    central.book.acknowledge(alert.id, "li", "", LATER)
    before = central.book.history(alert.id)

    with pytest.raises(Refused, match="'acknowledge'"):
        central.book.acknowledge(alert.id, "wang", "me too", LATER)
    with pytest.raises(Refused, match="'close'"):
        central.book.close(alert.id, "wang", "", LATER)
    with pytest.raises(Refused, match="no name"):
        central.book.comment(alert.id, "  ", "anonymous", LATER)
    with pytest.raises(Refused, match="empty"):
        central.book.comment(alert.id, "li", " ", LATER)
    with pytest.raises(Refused, match="2001 characters"):
        central.book.comment(alert.id, "li", "x" * 2001, LATER)
    for step in (central.book.acknowledge, central.book.close, central.book.comment):
        with pytest.raises(NoSuchAlert):
            step(99, "li", "hello", LATER)
    with pytest.raises(NoSuchAlert):
        central.book.get(99)
    assert central.book.history(alert.id) == before
    assert central.book.get(alert.id).acknowledged_by == "li"


@pytest.mark.parametrize("statement", ["DELETE FROM alert_audit", "UPDATE alert_audit SET who = 'nobody'"])
def test_the_audit_cannot_be_changed(central, statement):
    behind(central)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"), central.db.write() as db:
        db.execute(statement)


def test_a_restart_between_two_photos_changes_nothing(opened):
    first = opened()
    first.plan(50)
    first.photo(1, 0, 43.0)
    first.close()

    second = opened()
    second.photo(2, 1, 42.0)
    (alert,) = second.book.open()
    second.close()

    third = opened()
    third.photo(3, 2, 42.0)
    assert [a.id for a in third.book.recent()] == [alert.id]
    assert third.book.get(alert.id).evidence == alert.evidence


def test_replaying_the_ledger_repeats_no_alert_and_loses_no_word_of_a_person(central):
    story = [row(i, i, percent) for i, percent in enumerate([43.0, 42.0, 50.0, 50.0, 42.0, 42.0], start=1)]
    central.projection.apply(story)
    central.book.acknowledge(1, "li", "seen", START + timedelta(days=9))
    alerts, lines, sent = central.book.recent(), central.book.history(1), notices(central)
    curve = central.indicators.curve(SITE)

    central.projection.reset()
    assert central.projection.cursor() == 0
    assert central.indicators.curve(SITE).actual == ()
    central.projection.apply(story)

    assert central.book.recent() == alerts
    assert central.book.history(1) == lines
    assert notices(central) == sent
    assert central.indicators.curve(SITE) == curve


def test_after_a_rebuild_photos_end_what_only_the_timer_had_raised(central):
    central.plan(*range(0, 100, 2))
    story = [row(25, 24, 43.5, half=0.1), row(26, 25, 45.5, half=0.1)]
    central.projection.apply(story)
    central.tick(26.4)
    assert [a.rule for a in central.book.open()] == ["deviation"]

    central.projection.reset()
    central.projection.apply([*story, row(27, 27, 54.0), row(28, 28, 56.0)])

    assert [a.state for a in central.book.recent()] == [State.RETURNED_UNACKNOWLEDGED]


def test_late_photos_are_kept_and_judge_nothing(central):
    central.photo(1, 5, 50.0)
    central.photo(2, 1, 20.0, received_day=5.1)
    central.photo(3, 2, 20.0, received_day=5.1)

    assert central.book.recent() == []
    assert [(o.percent, o.standing) for o in central.indicators.curve(SITE).actual] == [
        (20.0, "late"),
        (20.0, "late"),
        (50.0, "judged"),
    ]


def test_a_backlog_after_an_outage_is_judged_by_the_plan_of_each_photos_own_day(central):
    central.plan(*range(0, 40, 2))
    central.projection.apply(
        [row(day, day, 2.0 * day, received_day=15) for day in range(1, 12)],
    )

    assert [a for a in central.book.recent() if a.rule == "deviation"] == []
    assert {o.deviation_pp for o in central.indicators.curve(SITE).actual} == {0.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"percent": None, "gate": ("dark",)},
        {"percent": 10.0, "gate": ("lens_dirt",)},
        {"percent": float("nan")},
        {"percent": 400.0},
        {"percent": 10.0, "clock": "unset"},
        {"percent": 10.0, "day": 300, "received_day": 3},
        {"percent": 10.0, "day": -30_000, "received_day": 3},
        {"percent": 10.0, "camera": "cam/+/#"},
    ],
    ids=str,
)
def test_what_cannot_be_trusted_is_kept_with_its_reason_and_never_judged(central, wrong):
    how = dict(wrong)
    percent, day = how.pop("percent"), how.pop("day", None)
    for seq in (1, 2, 3):
        central.photo(seq, seq if day is None else day + seq, percent, **how)
    central.photo(4, 4, 50.0)

    assert central.book.recent() == []
    kept = [o for o in central.indicators.curve(SITE).actual if o.photo != "p4"]
    assert len(kept) == 3
    assert all(o.gate and not o.valid and o.deviation_pp is None for o in kept)
    assert central.indicators.latest_valid(SITE).photo == "p4"


def test_the_cursor_moves_with_the_effects_and_rows_without_progress_cost_no_commit(central):
    central.projection.apply([row(1, 0, 50.0)])
    central.projection.apply([other_row(2, 1), other_row(3, 1)])
    assert central.projection.cursor() == 1
    central.projection.apply([other_row(400, 1)])

    assert central.projection.cursor() == 400


def test_a_failure_in_the_middle_leaves_neither_alert_nor_cursor(central, monkeypatch):
    central.photo(1, 0, 43.0)
    with monkeypatch.context() as broken:
        broken.setattr("plumbline_central.alerts.projection._standing", lambda *_a, **_k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            central.photo(2, 1, 42.0)
    assert central.book.recent() == []
    assert central.projection.cursor() == 1

    central.photo(2, 1, 42.0)
    assert len(central.book.recent()) == 1


def test_silence_is_its_own_alert_and_ends_with_the_next_good_photo(central):
    central.photo(1, 0, 50.0)
    central.tick(1.4)
    assert central.book.open() == []
    central.tick(1.6)
    central.tick(1.7)

    (alert,) = central.book.open()
    assert (alert.key, alert.severity, alert.deviation_pp, alert.actual) == (
        "no_data-cam1",
        "amber",
        None,
        50.0,
    )
    central.photo(2, 2, None, gate=("dark",))
    assert central.book.get(alert.id).state == State.UNACKNOWLEDGED
    central.photo(3, 3, 50.0)
    assert central.book.get(alert.id).state == State.RETURNED_UNACKNOWLEDGED


def test_silence_does_not_end_a_deviation(central):
    behind(central)
    central.tick(40)

    assert {(a.rule, a.state) for a in central.book.open()} == {
        ("deviation", State.UNACKNOWLEDGED),
        ("no_data", State.UNACKNOWLEDGED),
    }


def test_a_new_baseline_is_applied_to_what_was_seen_last_without_a_new_photo(central):
    behind(central)
    assert central.plan(43) == 2
    central.tick(1.2)

    (alert,) = central.book.open()
    assert alert.state == State.RETURNED_UNACKNOWLEDGED


def test_a_graver_deviation_is_told_once(central):
    central.photo(1, 0, 44.5)
    central.photo(2, 1, 44.5)
    central.photo(3, 2, 40.0)
    central.photo(4, 3, 40.0)
    central.photo(5, 4, 40.0)

    (alert,) = central.book.open()
    assert alert.severity == "red"
    assert [what for _, what, _ in notices(central)] == ["raised", "severity"]


def test_two_cameras_of_a_site_are_judged_apart(central):
    central.photo(1, 0, 43.0, camera="cam1")
    central.photo(2, 1, 43.0, camera="cam2")
    assert central.book.open() == []
    central.photo(3, 2, 43.0, camera="cam1")

    assert [a.subject for a in central.book.open(SITE)] == ["cam1"]
    assert central.book.open("elsewhere") == []


def test_watchers_hear_of_observations_and_alerts_after_the_commit(central):
    behind(central)
    (alert,) = central.book.open()
    central.book.acknowledge(alert.id, "li", "", LATER)

    kinds = [kind for kind, _, _ in central.live.events]
    assert sorted(kinds[:3]) == ["alert", "progress", "progress"]
    assert kinds[3:] == ["alert"]
    raised = next(data for kind, _, data in central.live.events if kind == "alert")
    assert (raised["what"], raised["key"], raised["deviation_pp"]) == ("raised", "deviation-cam1", -8.0)
    seen = [data for kind, _, data in central.live.events if kind == "progress"]
    assert [(d["percent"], d["planned"], d["deviation_pp"]) for d in seen] == [
        (43.0, 50.0, -7.0),
        (42.0, 50.0, -8.0),
    ]


def test_every_channel_gets_every_change_and_one_that_comes_late_can_be_reminded(opened):
    central = opened(channels=("mqtt", "webhook:ops"))
    central.plan(50)
    behind(central)
    assert [channel for channel, _, _ in notices(central)] == ["mqtt", "webhook:ops"]

    central.book.remind("mqtt", LATER)
    central.book.remind("mqtt", LATER)

    assert notices(central)[2:] == [("mqtt", "reminder", State.UNACKNOWLEDGED)]
