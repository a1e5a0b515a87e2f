"""One meter's polls as they come: flaws for each value, and a sentence when something about the meter changes."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import Final

from plumbline.messages import EventCode
from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.doubts import balance
from plumbline_edge.meters.doubts.check import Decoded, Physics
from plumbline_edge.meters.doubts.stuck import Stillness
from plumbline_edge.meters.doubts.suspect import suspicions
from plumbline_edge.meters.doubts.suspicion import Kind, Poll, Suspicion
from plumbline_edge.meters.doubts.tenure import Counters
from plumbline_edge.meters.modbus.decode import Flaws, Values
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Profile

_POLLS_KEPT: Final = 20
_BLOCKS_KEPT: Final = 3
_EVERY_S: Final = 3600.0
_AGAIN_AFTER_S: Final = 120.0
"""Two looks must agree before a word is said: one crane in mid-swing is no wiring mistake."""
_SURE: Final = 0.5
_ENERGY: Final = ("power_active_total", "energy_import_total", "energy_export_total")
_W_STEPS: Final = BY_NAME["power_active_total"].to_wire(1)
_KWH_STEPS: Final = BY_NAME["energy_import_total"].to_wire(1)

Events = tuple[tuple[EventCode, str], ...]
Blocks = tuple[tuple[Span, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`flaws`: the decoder's and ours, one for a value at most. `events`: what is worth a durable line."""

    flaws: Flaws
    events: Events = ()


class SelfCheck:
    """Watches one meter under its site's name; keeps twenty polls, three raw answers and a few sums, no more.

    `suspected` is what the last look found, "no load" among it; a change of it is told once each.
    """

    def __init__(self, name: str, profile: Profile, decoded: Decoded) -> None:
        self.suspected: tuple[Suspicion, ...] = ()
        self._profile = profile
        self._physics = Physics(decoded)
        self._stillness = Stillness(decoded.order)
        self._run = self._stillness.begin()
        self._counters = Counters(decoded.order)
        self._tenure = self._counters.begin()
        self._energy = balance.begin(profile)
        places = {metric.name: i for i, metric in enumerate(profile.metrics)}
        self._energy_places = tuple(places.get(name, -1) for name in _ENERGY)
        self._polls: deque[tuple[float, Values]] = deque(maxlen=_POLLS_KEPT)
        self._blocks: deque[Blocks] = deque(maxlen=_BLOCKS_KEPT)
        # meters that start together must not all look in the same tick
        self._wait_polls = _POLLS_KEPT + zlib.crc32(name.encode()) % _POLLS_KEPT
        self._look_at_s = 0.0
        self._before: frozenset[tuple[Kind, tuple[str, ...]]] = frozenset()
        self._told: frozenset[tuple[Kind, tuple[str, ...]]] = frozenset()

    def polled(self, mono_s: float, values: Values, flaws: Flaws, blocks: Blocks = ()) -> Judged:
        """What one poll says. `blocks`: the answers it came from, where the bus gave bytes."""
        sound = values if not flaws else _without(values, flaws)
        verdict = self._counters.judge(self._tenure, sound)
        self._tenure = verdict.tenure
        self._run, still = self._stillness.judge(self._run, sound)
        found = (*flaws, *self._physics.doubts(sound), *verdict.flaws, *still)
        events: Events = ()
        if verdict.replaced is not None:
            self._forget()
            events = ((EventCode.METER_REPLACED, verdict.replaced),)
        self._sum_up(mono_s, sound)
        self._polls.append((mono_s, values))
        if blocks:
            self._blocks.append(blocks)
        self._wait_polls -= 1
        if self._wait_polls <= 0 and mono_s >= self._look_at_s:
            events += self._look(mono_s)
        return Judged(flaws=_first_of_each(found) if found else (), events=events)

    def replanned(self, decoded: Decoded) -> None:
        """The same values now come in other answers."""
        self._physics = Physics(decoded)

    def serial_number(self, serial: str) -> Events:
        """The meter's own number, read at the start, after each silence and daily: what a change of it means."""
        verdict = self._counters.serial_read(self._tenure, serial)
        self._tenure = verdict.tenure
        if verdict.replaced is None:
            return ()
        self._forget()
        return ((EventCode.METER_REPLACED, verdict.replaced),)

    def _forget(self) -> None:
        """Another meter, or other counters: what was summed up is of the old ones."""
        self._energy = balance.begin(self._profile)
        self._run = self._stillness.begin()
        self._polls.clear()
        self._blocks.clear()
        self._wait_polls = _POLLS_KEPT

    def _sum_up(self, mono_s: float, values: Values) -> None:
        # a meter without an export counter has exported nothing; one whose counter is missing now has not
        power, imported, exported = (0 if i < 0 else values[i] for i in self._energy_places)
        if -1 in self._energy_places[:2] or power is None or imported is None or exported is None:
            return
        self._energy = self._energy.seen(
            mono_s, power / _W_STEPS, imported / _KWH_STEPS, exported / _KWH_STEPS
        )

    def _look(self, mono_s: float) -> Events:
        """Suspicions now; told where two looks agree. A second look follows soon where the first differs."""
        polls = [Poll(mono_s=at_s, values=values) for at_s, values in self._polls]
        blocks = list(self._blocks)
        for i in range(1, min(len(blocks), len(polls)) + 1):
            polls[-i] = Poll(mono_s=polls[-i].mono_s, values=polls[-i].values, blocks=blocks[-i])
        self.suspected = suspicions(self._profile, polls, self._energy)
        if "no load" in {suspicion.kind for suspicion in self.suspected}:
            self._look_at_s = mono_s + _EVERY_S  # what showed under load cannot be seen now, and is not gone
            return ()
        sure: dict[tuple[Kind, tuple[str, ...]], Suspicion] = {
            (s.kind, s.metrics): s for s in self.suspected if s.confidence >= _SURE
        }
        now = frozenset(sure)
        agreed = now == self._before
        self._before = now
        self._look_at_s = mono_s + (_EVERY_S if agreed or now == self._told else _AGAIN_AFTER_S)
        if not agreed or now == self._told:
            return ()
        events = tuple(
            (EventCode.METER_SUSPECT, f"{key[0]}: {one.sentence}. {one.hint}")
            for key, one in sure.items()
            if key not in self._told
        )
        gone = sorted(f"{kind}" for kind, _ in self._told - now)
        self._told = now
        return (*events, *((EventCode.METER_SUSPECT, f"no longer seen: {kind}") for kind in gone))


def _without(values: Values, flaws: Flaws) -> Values:
    """The values that the decoder found nothing against."""
    bad = {position for position, _ in flaws}
    return tuple(None if i in bad else value for i, value in enumerate(values))


def _first_of_each(found: tuple[tuple[int, int | Flaw], ...]) -> Flaws:
    """One flaw for a value: the first said of it."""
    flaws: dict[int, int] = {}
    for position, flaw in found:
        flaws.setdefault(position, int(flaw))
    return tuple(flaws.items())
