"""What an enrolled gateway, or a person with a keyboard, may send: it never stops the book."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from plumbline.errors import Refused
from plumbline_central.plan import PlanCurve
from plumbline_central.plan_store import PROGRESS

from .conftest import SITE, START, condition, row


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_none_is_left_out_and_the_book_stays_readable(central, number):
    central.settle(START, condition("camera_moved", "east", shift_px=number, photo="p1"))

    (alert,) = central.book.open()
    assert alert.facts == {"photo": "p1"}


def test_a_name_over_two_lines_is_no_name(central):
    central.settle(START, condition())
    (alert,) = central.book.open()

    with pytest.raises(Refused):
        central.book.assign(alert.id, "Li\n【恢复】", "Wang", "", START)


def test_a_plan_imported_while_the_timer_looks_is_not_taken_back(central, monkeypatch):
    """The timer reads the plans before its transaction; a photo judged by a newer one came in between."""
    old = central.plans.all_current()
    central.plans.import_plan(
        SITE, PROGRESS, PlanCurve(points=((START - timedelta(days=1), 42.0),)), "p", "li", START
    )
    central.projection.apply([row(1, 1, 42), row(2, 2, 42)])
    monkeypatch.setattr(central.plans, "all_current", lambda: old)
    central.tick(2.1)
    monkeypatch.undo()
    central.tick(2.2)

    assert central.told() == []
