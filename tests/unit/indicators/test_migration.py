from plumbline_central import plan_store
from plumbline_central.alerts.tables import open_control
from plumbline_central.plan_store import PlanStore
from plumbline_central.schema import Database

from .conftest import SITE, START


def test_a_baseline_of_an_older_version_is_of_the_visible_works_and_in_percent(tmp_path):
    old = Database.open(tmp_path / "control.db", plan_store.MIGRATIONS[:1])
    points = f'[["{START.isoformat()}",5.0]]'
    with old.write() as db:
        db.execute(
            "INSERT INTO plan_baseline VALUES (?, 'progress', 1, 0, 'plan.csv', 'li', ?)", (SITE, points)
        )
    old.close()
    control = open_control(tmp_path / "control.db")
    plans = PlanStore(control)

    assert plans.current(SITE).curve.points == ((START, 5.0),)
    assert (plans.current(SITE).scope, plans.current(SITE).curve.kind) == ("visible", "percent")
    assert plans.current(SITE, scope="total") is None
    assert plans.import_plan(SITE, "progress", plans.current(SITE).curve, "plan.csv", "li", START) == 1
    control.close()
