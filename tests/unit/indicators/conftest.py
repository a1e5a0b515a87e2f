from datetime import UTC, datetime, timedelta

import pytest

from plumbline.clock import to_us
from plumbline_central.alerts.tables import open_control
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.templates import templates
from plumbline_central.indicators.values import Pushed
from plumbline_central.plan import PlanCurve

START = datetime(2026, 3, 1, tzinfo=UTC)
SITE = "a12"


def day(number):
    return START + timedelta(days=number)


class Measured:
    """A book on a file, with the few words that tests need."""

    def __init__(self, path):
        self.db = open_control(path)
        self.book = IndicatorBook.on(self.db)

    def add(self, template, site=SITE, **how):
        indicator = from_template(templates()[template], site, **how)
        return self.book.indicators.put(indicator, "li", START)

    def plan(self, indicator, *points, site=SITE, scope="total", cumulative=True, kind="percent", at=START):
        """(day, value) pairs."""
        curve = PlanCurve(
            points=tuple((day(number), float(value)) for number, value in points),
            kind=kind,
            cumulative=cumulative,
        )
        return self.book.plans.import_plan(site, indicator, curve, "plan.csv", "li", at, scope=scope)

    def push(self, indicator, number, value, site=SITE, now=400):
        return self.book.values.push(
            site, [Pushed(indicator=indicator, at=day(number), value=value)], "li", day(now)
        )

    def photo(self, number, percent, *, site=SITE, half=1.0, standing="judged", gate="", ref=None):
        """As the projection keeps it."""
        low, high = (None, None) if percent is None else (percent - half, percent + half)
        with self.db.write() as db:
            db.execute(
                "INSERT INTO alert_observation VALUES (?, ?, 'cam', 'p', ?, ?, ?, ?, ?, NULL, NULL, ?, ?, x'')",
                (
                    ref or f"{site}/{number}",
                    site,
                    to_us(day(number)),
                    to_us(day(number)),
                    percent,
                    low,
                    high,
                    standing,
                    gate,
                ),
            )


@pytest.fixture
def measured(tmp_path):
    made = Measured(tmp_path / "control.db")
    yield made
    made.db.close()
