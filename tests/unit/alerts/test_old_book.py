import json

from plumbline_central import plan_store
from plumbline_central.alerts import tables
from plumbline_central.alerts.states import Shown, State
from plumbline_central.schema import Database
from plumbline_central.stores import fixes

from .conftest import SITE, START, Central, condition


def test_a_book_from_before_knows_what_receivers_know_and_tells_them_nothing_twice(tmp_path):
    path = tmp_path / "control.db"
    before = next(n for n, (name, _) in enumerate(tables.MIGRATIONS) if name == "alerts_book_1")
    old = Database.open(path, (*plan_store.MIGRATIONS, *fixes.MIGRATIONS, *tables.MIGRATIONS[:before]))
    with old.write() as db:
        for n, state in enumerate(State, start=1):
            alert = {
                "id": 0,
                "slot": {"site": SITE, "rule": "meter_fault", "subject": f"m{n}"},
                "severity": "amber",
                "state": state,
                "raised_at": START.isoformat(),
                "evidence": [],
            }
            db.execute(
                "INSERT INTO alert_entry (site, rule, subject, state, raised_us, alert) VALUES (?, ?, ?, ?, 0, ?)",
                (SITE, "meter_fault", f"m{n}", state, json.dumps(alert)),
            )
    old.close()

    central = Central(path)
    assert {a.subject: a.told for a in central.book.recent()} == {
        "m1": None,
        "m2": "amber",
        "m3": "amber",
        "m4": "returned",
    }
    central.settle(START, condition(subject="m2"), condition(subject="m3"))
    assert central.told() == []
    central.settle(START)
    assert [a.shown for a in central.book.open()] == [Shown.RETURNED_UNACKNOWLEDGED] * 2
    assert central.told() == [("returned", "m2"), ("returned", "m3")]
    central.close()
