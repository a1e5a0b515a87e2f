"""A book through random conditions, people, crashes and restarts: each cause is told once, and none is lost."""

import random
from collections import defaultdict
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.errors import Refused
from plumbline_central.alerts.alert import What
from plumbline_central.alerts.escalation import Handling
from plumbline_central.alerts.latch import Delays
from plumbline_central.alerts.states import Shown, State
from plumbline_central.alerts.telling import _OF_THE_CONDITION

from .conftest import SITE, START, Central, condition

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SUBJECTS = [
    *(("meter_fault", f"m{n}") for n in range(3)),
    ("gateway_offline", "gw1"),
    ("camera_blind", "north"),
    ("no_data", "north"),
    ("certificate_expiring", "gw1"),
]
DELAYS = {"meter_fault": Delays(on_s=600, off_s=900), "gateway_offline": Delays(on_s=300)}
HANDLING = Handling(rectified_within=2 * HOUR)
WORDS = ("acknowledge", "close", "rectify", "assign", "unshelve", "comment")


class Life:
    """Plays what a random generator wants, on one file, and looks at what was told."""

    def __init__(self, path, dice):
        self.path, self.dice, self.now = path, dice, START
        self.there = {}
        self.central = self._open()

    def _open(self):
        return Central(self.path, handling=HANDLING)

    def restart(self):
        self.central.close()
        self.central = self._open()

    def step(self):
        self.now += self.dice.choice((MINUTE, 7 * MINUTE, HOUR))
        acts = (self.conditions, self.worsen, self.look, self.person, self.person, self.crash, self.silence)
        self.dice.choice(acts)()

    def conditions(self):
        for slot in self.dice.sample(SUBJECTS, 2):
            if self.there.pop(slot, None) is None:
                evidence = self.dice.choice(("", "", "e1", f"e{self.now:%d%H%M}"))
                severity = self.dice.choice(("amber", "red"))
                self.there[slot] = condition(*slot, severity, evidence=evidence)
        self.look()

    def worsen(self):
        for slot in [slot for slot in self.there if self.dice.randrange(2)]:
            self.there[slot] = condition(*slot, "red", evidence=self.there[slot].evidence)
        self.look()

    def look(self):
        self.central.settle(self.now, *self.there.values(), delays=DELAYS)

    def crash(self):
        """A process that ends in the middle of its transaction; the next one looks again."""
        with pytest.raises(ZeroDivisionError), self.central.book.write() as writer:
            self._die(writer)
        self.restart()
        self.look()

    def _die(self, writer):
        writer.settle(self.there.values(), {rule for rule, _ in SUBJECTS}, self.now, DELAYS)
        raise ZeroDivisionError

    def person(self):
        book, alert = self.central.book, self.dice.randint(1, max(len(self.central.book.recent()), 1))
        verb = self.dice.choice((*WORDS, "shelve"))
        try:
            match verb:
                case "shelve":
                    until = self.now + self.dice.choice((10 * MINUTE, 5 * HOUR))
                    book.shelve(alert, until, "li", "why", self.now)
                case "assign":
                    book.assign(alert, self.dice.choice(("li", "wang")), "li", "", self.now)
                case _:
                    getattr(book, verb)(alert, "li", "seen", self.now)
        except Refused:
            pass

    def silence(self):
        book = self.central.book
        try:
            match self.dice.choice(("out", "window", "end")):
                case "out":
                    slot = condition(*self.dice.choice(SUBJECTS)).slot
                    book.take_out(slot, "li", "why", self.now)
                case "window":
                    subject = self.dice.choice((None, "gw1", "m1"))
                    until = self.now + self.dice.choice((HOUR, 9 * HOUR))
                    book.plan_maintenance(SITE, subject, self.now, until, "li", "why", self.now)
                case "end":
                    self.end_silences("out_of_service")
        except Refused:
            pass

    def end_silences(self, kind):
        for one in self.central.book.silences(kind, SITE, self.now):
            self.central.book.end_silence(kind, one.id, "li", "", self.now)

    def come_to_rest(self):
        """Everything that withholds ends, and time passes until nothing changes any more."""
        self.there.pop(("gateway_offline", "gw1"), None)
        self.there.pop(("camera_blind", "north"), None)
        self.look()
        for kind in ("out_of_service", "maintenance"):
            self.end_silences(kind)
        for _ in range(3):
            self.now += 3 * HOUR
            self.look()

    def notices(self):
        return [d.notice for d in reversed(self.central.deliveries.list("waiting", 1_000_000))]


def require_told_once(life):
    notices = life.notices()
    assert len({notice.id for notice in notices}) == len(notices)
    by_alert = defaultdict(list)
    for notice in notices:
        by_alert[notice.alert.id].append(notice)
    for told in by_alert.values():
        require_news(told)


def require_news(told):
    """Each notice of one alert says what was not known by then, and none says what was to be withheld."""
    known, height = None, 0
    for notice in told:
        alert = notice.alert
        assert not (notice.what in _OF_THE_CONDITION and alert.quiet)
        assert notice.what == "raised" or known is not None
        assert notice.what != "raised" or known in (None, "returned")
        assert notice.what != "severity" or known != alert.severity
        assert notice.what != "escalated" or alert.escalation > height
        height = alert.escalation
        if not alert.present:
            known = "returned"
        elif not alert.quiet:
            known = alert.severity


def require_nothing_lost(life):
    last = {notice.alert.id: notice for notice in life.notices()}
    for alert in life.central.book.recent(limit=1_000_000):
        told = last.get(alert.id)
        if alert.present:
            assert alert.shown in (Shown.UNACKNOWLEDGED, Shown.ACKNOWLEDGED)
            assert told is not None
            assert told.alert.present
            assert told.alert.severity == alert.severity
            assert told.alert.state == alert.state
        elif told is not None:
            assert told.alert.state == alert.state
        else:
            assert alert.state == State.NORMAL


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), length=st.integers(1, 60))
def test_nobody_is_told_twice_and_everybody_knows_what_is_so_in_the_end(tmp_path_factory, seed, length):
    dice = random.Random(seed)
    life = Life(tmp_path_factory.mktemp("life") / "control.db", dice)
    try:
        for _ in range(length):
            life.step()
            if not dice.randrange(8):
                life.restart()
        require_told_once(life)
        life.come_to_rest()
        require_told_once(life)
        require_nothing_lost(life)
    finally:
        life.central.close()


def test_a_hundred_restarts_tell_nobody_anything_twice(tmp_path):
    life = Life(tmp_path / "control.db", random.Random(7))
    for _ in range(100):
        for _ in range(4):
            life.step()
        life.look()
        before = life.notices()
        life.restart()
        life.look()

        assert life.notices() == before
    life.come_to_rest()
    try:
        require_told_once(life)
        require_nothing_lost(life)
        alerts = life.central.book.recent(limit=1_000)
        assert {line.what for alert in alerts for line in life.central.book.history(alert.id)} == (
            {*get_args(What), "comment"} - {"reminder"}
        )
    finally:
        life.central.close()
