"""Who comes back is told exactly what it missed, and is told where that is kept no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline_central.alerts import feed
from plumbline_central.alerts.feed import Feed

from .conftest import START, condition


@pytest.fixture
def filled(central):
    """Five alerts raised, and two of them gone again."""
    central.settle(START, *(condition(subject=f"m{n}") for n in range(5)))
    central.settle(START + timedelta(hours=1), *(condition(subject=f"m{n}") for n in range(2, 5)))
    return Feed(central.db)


def subjects(page):
    return [(notice.what, notice.alert.subject) for _, notice in page.notices]


def test_what_was_told_comes_in_order(filled, central):
    told = subjects(filled.after(0))

    assert told == central.told()
    assert told[-2:] == [("returned", "m0"), ("returned", "m1")]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 8), st.integers(0, 7))
def test_pages_of_any_size_from_anywhere_say_each_notice_once(filled, limit, cut):
    whole = filled.after(0, limit=1000).notices
    at, got = whole[cut - 1][0] if cut else 0, []
    while (page := filled.after(at, limit=limit)).notices:
        got += page.notices
        at = page.through

    assert got == list(whole[min(cut, len(whole)) :])
    assert page.through == filled.newest()


def test_another_site_hears_nothing_and_asks_on_from_the_end(filled):
    page = filled.after(0, site="elsewhere")

    assert (page.notices, page.through, page.missing) == ((), filled.newest(), False)


def test_an_id_from_nowhere_means_that_something_is_missing(filled):
    assert filled.after(filled.newest() + 1).missing
    assert not filled.after(filled.newest()).missing


def test_what_is_kept_no_longer_is_said(central, monkeypatch):
    monkeypatch.setattr(feed, "_KEPT", 3)
    central.settle(START, *(condition(subject=f"m{n}") for n in range(5)))
    page = Feed(central.db).after(0)

    assert page.missing
    assert len(page.notices) == 3
    assert not Feed(central.db).after(page.notices[0][0]).missing


def test_a_notice_kept_while_a_page_is_read_comes_once(central, monkeypatch):
    central.settle(START, condition(subject="m0"))
    reader = Feed(central.db)
    newest_of = central.db.read

    class Between:
        """Another thread commits after the first question of a page."""

        def __init__(self, db):
            self.db, self.asked = db, 0

        def execute(self, *query):
            rows = self.db.execute(*query).fetchall()
            self.asked += 1
            if self.asked == 1:
                central.settle(START, condition(subject="m0"), condition(subject="m1"))
            return Rows(rows)

    class Rows(list):
        def fetchall(self):
            return self

        def fetchone(self):
            return self[0]

    class Reading:
        def __enter__(self):
            self.inner = newest_of()
            return Between(self.inner.__enter__())

        def __exit__(self, *how):
            return self.inner.__exit__(*how)

    monkeypatch.setattr(central.db, "read", Reading)
    first = reader.after(0)
    monkeypatch.undo()
    second = reader.after(first.through)

    assert subjects(first) + subjects(second) == [("raised", "m0"), ("raised", "m1")]
