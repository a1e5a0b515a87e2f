"""The commissioning check: from a few polls of a meter to the mistakes that are likely behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from plumbline_edge.meters.doubts.check import step
from plumbline_edge.meters.doubts.fit import SHIFTS, other_layout
from plumbline_edge.meters.doubts.suspect import suspicions
from plumbline_edge.meters.doubts.suspicion import Poll, shown
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Profile, Register

_NO_SUCH_ADDRESS: Final = frozenset((2, 3))
_EDGES: Final = 3
"""Steps of a counter that must be seen: between the first and the last, how much it grew is known exactly."""
_STEADY: Final = 1.5
_LONG_ENOUGH_S: Final = 20.0
"""A load that swings is measured by single looks at its power only over so long."""
_NEAR_TEN: Final = 0.15
"""How far from a whole number the logarithm of a ratio may be: a quarter more or less."""
_NEXT_TO: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One likely mistake: what is seen, and what to do at the cabinet. "no load" is none: it says what cannot be seen."""

    kind: str
    sentence: str
    hint: str

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "sentence": self.sentence, "hint": self.hint}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One value's registers that the meter refused. `answers`: how far off, -1 or 1, as many registers do answer."""

    span: Span
    code: int
    answers: frozenset[int] = frozenset()


def commissioning_check(
    profile: Profile, polls: Sequence[Poll], refused: Sequence[Refusal] = ()
) -> tuple[Doubt, ...]:
    """What is probably wrong, the surest first; empty where all is well.

    One poll is enough for most of it; an energy counter is judged once it was seen to move three times.
    """
    found = suspicions(profile, polls)
    doubts = [Doubt(kind=one.kind, sentence=one.sentence, hint=one.hint) for one in found]
    if any(one.kind in ("word order", "byte order", "off by one") for one in found):
        return tuple(doubts)  # all else follows from it
    parts = list(_part_laid_out_otherwise(profile, polls))
    if parts:
        return tuple(parts)
    doubts = [*_refused(refused), *doubts]
    if not any(name.startswith("energy") for one in found for name in one.metrics):
        doubts += _counter_by_steps(profile, polls)
    return tuple(doubts)


def addresses_text(spans: Sequence[Span]) -> str:
    """Addresses as a person compares them with a manual: "257-268 (0x0101-0x010C), 300 (0x012C)"."""
    said = []
    for span in _joined(spans):
        last = span.end - 1
        if span.count == 1:
            said.append(f"{span.start} (0x{span.start:04X})")
        else:
            said.append(f"{span.start}-{last} (0x{span.start:04X}-0x{last:04X})")
    return ", ".join(said)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _refused(refused: Sequence[Refusal]) -> Iterator[Doubt]:
    """Registers that the meter says it has not, and whether those next to them are there."""
    for code in sorted({one.code for one in refused} & _NO_SUCH_ADDRESS):
        ours = [one for one in refused if one.code == code]
        seen = f"refused (exception {code}): registers {addresses_text([one.span for one in ours])}"
        off = frozenset((-1, 1)).intersection(*(one.answers for one in ours))
        if off == {-1}:
            seen += ", but those one lower answer"
            hint = "Your table counts from 1: take 1 from these addresses."
        elif off == {1}:
            seen += ", but those one higher answer"
            hint = "Add 1 to these addresses: the table's numbers were taken one too low."
        else:
            hint = (
                "Does your table count from 1? Try address - 1. Else this model lacks them: leave them out."
            )
        yield Doubt(kind="off by one" if len(off) == 1 else "refused", sentence=seen, hint=hint)


def _part_laid_out_otherwise(profile: Profile, polls: Sequence[Poll]) -> Iterator[Doubt]:
    """A table of neighbouring registers that makes sense only under another layout, where the others do without."""
    blocks = [poll.blocks for poll in polls if poll.blocks][-3:]
    for part in _tables(profile.registers):
        if len(part) == len(profile.registers):
            continue
        table = replace(profile, registers=part)
        found = other_layout(table, blocks, SHIFTS) or other_layout(table, blocks)
        if found is not None:
            where = addresses_text([Span(r.address, r.end) for r in part])
            yield Doubt(kind=found.kind, sentence=f"registers {where}: {found.sentence}", hint=found.hint)


def _tables(registers: Sequence[Register]) -> list[tuple[Register, ...]]:
    """Registers with at most a few addresses between them."""
    tables: list[list[Register]] = []
    for register in sorted(registers, key=lambda r: r.address):
        if tables and register.address - tables[-1][-1].end <= _NEXT_TO:
            tables[-1].append(register)
        else:
            tables.append([register])
    return [tuple(table) for table in tables]


def _counter_by_steps(profile: Profile, polls: Sequence[Poll]) -> Iterator[Doubt]:
    """The import counter against the power, between the first and the last step that it was seen to make."""
    rows = [
        (poll.mono_s, one["power_active_total"], one["energy_import_total"])
        for poll in polls
        if {"power_active_total", "energy_import_total"} <= (one := shown(profile, poll.values)).keys()
    ]
    edges = [i for i in range(1, len(rows)) if rows[i][2] > rows[i - 1][2]]
    if len(edges) < _EDGES or any(after[2] < before[2] for before, after in pairwise(rows)):
        return
    seen = rows[edges[0] : edges[-1] + 1]
    powers = [power for _, power, _ in seen]
    lasted_s = seen[-1][0] - seen[0][0]
    if min(powers) <= 0 or (lasted_s < _LONG_ENOUGH_S and max(powers) > _STEADY * min(powers)):
        return
    used = sum((after[1] + before[1]) / 2 * (after[0] - before[0]) for before, after in pairwise(seen))
    used_kwh, grown = used / 3_600_000, seen[-1][2] - seen[0][2]
    if used_kwh <= 0 or grown < (_EDGES - 1) * step(profile.register("energy_import_total")):
        return
    tenth = math.log10(grown / used_kwh)
    if round(tenth) == 0 or abs(tenth - round(tenth)) > _NEAR_TEN:
        return
    times = 10 ** abs(round(tenth))
    much, to = ("small", f"{times}") if tenth < 0 else ("large", f"{1 / times:g}")
    yield Doubt(
        kind="scale",
        sentence=f"the energy counter grew by {grown:.3g} kWh while the measured power makes {used_kwh:.3g} kWh:"
        f" {times} times too {much}",
        hint=f"Compare with the meter's display; multiply the `scale` of the energy registers by {to}.",
    )
