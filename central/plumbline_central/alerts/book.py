"""The alert book: which alerts there are and were, every step of each kept for ever.

One open alert per slot. The alert book is no projection: it holds what people said, and a replay of the ledger
finds its own earlier judgements in it by their cause and does not repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from plumbline_central.alerts import entries, people
from plumbline_central.alerts.alert import Alert, AuditLine, Slot
from plumbline_central.alerts.entries import NoSuchAlert, NoSuchSilence, NotInTheBook, Wanted
from plumbline_central.alerts.escalation import Handling
from plumbline_central.alerts.rates import Rates, rates
from plumbline_central.alerts.silence import Kind, Silence
from plumbline_central.alerts.writer import OURSELVES, Addressees, BookWriter
from plumbline_central.live import LiveHub
from plumbline_central.schema import Database

__all__ = ["OURSELVES", "AlertBook", "BookWriter", "NoSuchAlert", "NoSuchSilence", "NotInTheBook", "Wanted"]


class AlertBook:
    """Alerts in control.db; `channels`, or those that `tell_by` chooses, get each change in the same transaction.

    Usable from any thread.
    """

    def __init__(
        self,
        db: Database,
        *,
        channels: Sequence[str] = (),
        live: LiveHub | None = None,
        handling: Handling | None = None,
    ) -> None:
        self._db = db
        self._addressees: Addressees = lambda _: channels
        self._live = live
        self._handling = handling or Handling()
        self._listeners: list[Callable[[], None]] = []

    def tell_by(self, addressees: Addressees) -> None:
        """From now on, ask `addressees` whom to tell."""
        self._addressees = addressees

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit that changed an alert, in whatever thread made it."""
        self._listeners.append(listener)

    @contextmanager
    def write(self) -> Iterator[BookWriter]:
        """One transaction; its changes are told once it is committed. Raises Unreachable."""
        with self._db.write() as db:
            writer = BookWriter(db=db, addressees=self._addressees, handling=self._handling)
            yield writer
        if self._live is not None:
            for step in writer.steps:
                self._live.publish("alert", step.alert.site, {"what": step.what, **step.alert.as_json()})
        if writer.steps:
            self._tell()

    def open(self, site: str | None = None) -> list[Alert]:
        """Those not yet at rest, the newest first; of one site, or all."""
        with self._db.read() as db:
            return entries.open_at(db, site)[::-1]

    def recent(self, site: str | None = None, limit: int = 50) -> list[Alert]:
        """The newest alerts, open or not."""
        return self.find(Wanted(site=site, limit=limit))

    def find(self, wanted: Wanted) -> list[Alert]:
        """The newest first."""
        with self._db.read() as db:
            return entries.find(db, wanted)

    def get(self, alert: int) -> Alert:
        """Raises NoSuchAlert."""
        with self._db.read() as db:
            return entries.alert(db, alert)

    def history(self, alert: int) -> list[AuditLine]:
        """Every step of an alert and every comment, the first one first."""
        with self._db.read() as db:
            return entries.history(db, alert)

    def rates(self, site: str | None, start: datetime, end: datetime, *, chatter_within: timedelta) -> Rates:
        """The alarm rate figures of one site, or all. `end` is now: what stands is what stands now."""
        with self._db.read() as db:
            raises, standing = entries.raises(db, site, start, end), entries.open_at(db, site)
        return rates(raises, standing, start, end, chatter_within=chatter_within)

    def silences(self, kind: Kind, site: str | None, now: datetime | None = None) -> list[Silence]:
        """The newest first; with `now` only those that last then or are yet to come."""
        with self._db.read() as db:
            found = entries.silences_of(db, kind, site)
        if now is not None:
            found = [one for one in found if one.ended_at is None and (one.until is None or one.until > now)]
        return found

    def acknowledge(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """A person has seen it. Raises Refused where there is nothing to acknowledge or no name; NoSuchAlert."""
        with self.write() as writer:
            return people.acknowledge(writer, alert, by, comment, at)

    def close(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """Put an alert to rest whose condition is gone. Raises Refused while it is there; NoSuchAlert."""
        with self.write() as writer:
            return people.close(writer, alert, by, comment, at)

    def comment(self, alert: int, by: str, text: str, at: datetime) -> Alert:
        """Add a remark at any time. Raises Refused where it is empty or has no name; NoSuchAlert."""
        with self.write() as writer:
            return people.comment(writer, alert, by, text, at)

    def assign(self, alert: int, to: str, by: str, comment: str, at: datetime) -> Alert:
        """Give an open alert to somebody. Raises Refused, NoSuchAlert."""
        with self.write() as writer:
            return people.assign(writer, alert, to, by, comment, at)

    def rectify(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """Say that the cause is put right; the condition has the last word. Raises Refused, NoSuchAlert."""
        with self.write() as writer:
            return people.rectify(writer, alert, by, comment, at)

    def shelve(self, alert: int, until: datetime, by: str, why: str, at: datetime) -> Alert:
        """Withhold it until then. Raises Refused, NoSuchAlert."""
        with self.write() as writer:
            return people.shelve(writer, alert, until, by, why, at)

    def unshelve(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """Raises Refused where it is not shelved; NoSuchAlert."""
        with self.write() as writer:
            return people.unshelve(writer, alert, by, comment, at)

    def take_out(self, slot: Slot, by: str, why: str, at: datetime) -> Silence:
        """Withhold all alerts of a slot until it is put back. Raises Refused."""
        with self.write() as writer:
            return people.take_out(writer, slot, by, why, at)

    def plan_maintenance(
        self,
        site: str,
        subject: str | None,
        start: datetime,
        until: datetime,
        by: str,
        why: str,
        at: datetime,
    ) -> Silence:
        """Withhold the alerts of a site, or of one thing at it, for a time. Raises Refused."""
        with self.write() as writer:
            return people.plan_maintenance(writer, site, subject, start, until, by, why, at)

    def end_silence(self, kind: Kind, silence: int, by: str, comment: str, at: datetime) -> Silence:
        """Put a slot back into service, or end a window early. Raises Refused, NoSuchSilence."""
        with self.write() as writer:
            return people.end_silence(writer, kind, silence, by, comment, at)

    def remind(self, channel: str, at: datetime) -> None:
        """Tell one channel of every open alert anew: its broker may have lost what it kept."""
        with self.write() as writer:
            writer.remind(channel, at)
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
