from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from plumbline.clock import to_us
from plumbline.messages import Health, Progress, Record
from plumbline_central.alerts.alert import Rule, Slot
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.condition import Condition
from plumbline_central.alerts.evaluate import Evaluator
from plumbline_central.alerts.projection import ProgressProjection
from plumbline_central.alerts.tables import open_control
from plumbline_central.channels.deliver import Deliveries
from plumbline_central.deviation import Band
from plumbline_central.indicators import Indicators
from plumbline_central.live import LiveHub
from plumbline_central.plan import PlanCurve
from plumbline_central.plan_store import PROGRESS, PlanStore
from plumbline_central.project import LedgerRow

START = datetime(2026, 3, 1, 4, tzinfo=UTC)
SITE = "demo"


class Told(LiveHub):
    """A hub that remembers what it was told."""

    def __init__(self):
        super().__init__()
        self.events = []

    def publish(self, kind, site, data):
        self.events.append((kind, site, data))


class Central:
    """The part of central that judges, on one file; open it again for a restart."""

    def __init__(self, path: Path, *, channels=("mqtt",), band=None, handling=None):
        self.db = open_control(path)
        self.live = Told()
        self.plans = PlanStore(self.db)
        self.book = AlertBook(self.db, channels=channels, live=self.live, handling=handling)
        self.evaluator = Evaluator(self.book, self.plans, band or Band())
        self.projection = ProgressProjection(self.db, self.evaluator, self.live)
        self.indicators = Indicators(self.db, self.plans)
        self.deliveries = Deliveries(self.db)

    def plan(self, *percents, at=START):
        """One point a day from the start on; its version."""
        points = tuple((START + timedelta(days=day), float(percent)) for day, percent in enumerate(percents))
        return self.plans.import_plan(SITE, PROGRESS, PlanCurve(points=points), "plan.csv", "a.li", at)

    def photo(self, seq, day, percent, **how):
        """The projection gets one observation, an hour after it was taken."""
        self.projection.apply([row(seq, day, percent, **how)])

    def tick(self, day):
        self.evaluator.tick(START + timedelta(days=day))

    def settle(self, at, *conditions, looked_at=None, delays=None):
        """One look at `looked_at`, or at all the rules."""
        with self.book.write() as writer:
            writer.settle(conditions, looked_at or get_args(Rule), at, delays)

    def told(self):
        """What the channel was told, the first notice first, with the subject."""
        sent = reversed(self.deliveries.list("waiting", 1_000_000))
        return [(d.notice.what, d.notice.alert.subject) for d in sent]

    def close(self):
        self.db.close()


def condition(rule="meter_fault", subject="m1", severity="amber", *, gateway="gw1", evidence="", **facts):
    return Condition(
        slot=Slot(site=SITE, rule=rule, subject=subject),
        severity=severity,
        since=START,
        gateway=gateway,
        facts=facts,
        evidence=evidence,
    )


def row(seq, day, percent, *, half=1.0, gate=(), clock="synced", camera="cam1", received_day=None):
    at = START + timedelta(days=day)
    received = START + timedelta(days=received_day) if received_day is not None else at + timedelta(hours=1)
    progress = Progress(
        camera=camera,
        photo=f"p{seq}",
        percent=percent,
        low=None if percent is None else percent - half,
        high=None if percent is None else percent + half,
        gate=gate,
    )
    return ledger_row(seq, received, to_us(at), progress, clock)


def other_row(seq, day):
    at = START + timedelta(days=day)
    return ledger_row(seq, at, to_us(at), Health(version="1"), "synced")


def ledger_row(seq, received, at_us, body, clock):
    record = Record(seq=seq, at_us=at_us, boot="b", mono_us=seq, clock=clock, body=body)
    return LedgerRow(
        id=seq,
        received_us=to_us(received),
        site=SITE,
        gateway="gw1",
        epoch="e1",
        lane="data",
        records=(record,),
    )


@pytest.fixture
def opened(tmp_path):
    """Opens central on one file as often as asked, and closes what is left open."""
    made = []

    def open_it(**how):
        central = Central(tmp_path / "control.db", **how)
        made.append(central)
        return central

    yield open_it
    for central in made:
        central.close()


@pytest.fixture
def central(opened):
    """A site due at 50 % on every day of the story."""
    made = opened()
    made.plan(50)
    return made
