"""Compares what meters said and gateways committed with what central has; imports nothing of the product.

Every answer of a simulated meter carries a counter that no other answer of it has (`harness/meters.py`), so a stored
frame names the very answer it stands for.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from harness.central_file import Kept, Key, declared, seqs
from harness.msgpack import unpack
from harness.outbox_file import Committed

COUNTER_METRIC = "energy_import_total"
COUNTER_CODE = 28
"""docs/wire.md, Metrics"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the comparison found. `lost`: committed, not at central, and no gap record says so."""

    committed: int
    stored: int
    declared: int
    lost: int
    duplicate: int
    changed: int
    invented: int
    undeclared_holes: int
    answered: int
    """Meter answers that carried the counter."""
    unread: int
    """Answers that no committed record stands for: polls that a kill or a cut ended."""
    false_gaps: int
    """Records that a gap calls gone and central has."""
    late_p95_s: float
    """From the reading to central's commit, 95 % of the frames were quicker."""

    @property
    def ok(self) -> bool:
        return not (self.lost or self.duplicate or self.changed or self.invented or self.undeclared_holes)

    def __str__(self) -> str:
        return (
            f"committed {self.committed}, stored {self.stored}, declared gone {self.declared}: lost {self.lost},"
            f" duplicate {self.duplicate}, changed {self.changed}, invented {self.invented}, undeclared holes"
            f" {self.undeclared_holes}; {self.unread} of {self.answered} answers ended with a poll in progress"
        )


def total(verdicts: Sequence[Verdict]) -> Verdict:
    """What several installations found together."""
    sums = {
        one.name: sum(getattr(verdict, one.name) for verdict in verdicts)
        for one in fields(Verdict)
        if one.name != "late_p95_s"
    }
    return Verdict(**sums, late_p95_s=max(verdict.late_p95_s for verdict in verdicts))


def check(
    kept: list[Kept],
    committed: Committed,
    oplogs: Iterable[Path] = (),
    codes: Mapping[str, int] | None = None,
) -> Verdict:
    """`committed` is everything that gateways ever had on the card; `codes` names metrics' codes in the op logs."""
    at_central, gone = seqs(kept), declared(kept)
    lost, duplicate = 0, 0
    for key, seq in committed:
        times = at_central.get(key, Counter())[seq]
        if not times and not _is_declared(gone.get(key, ()), seq):
            lost += 1
    duplicate += sum(times - 1 for counts in at_central.values() for times in counts.values())
    answers = read_answers(oplogs)
    changed, invented, twice = _compare(kept, answers, codes or {})
    changed += _altered(kept, committed)
    stored_answers = {_name(one) for one in kept if one.kind == "frame"}
    return Verdict(
        committed=len(committed),
        stored=sum(len(counts) for counts in at_central.values()),
        declared=_size(gone, at_central, committed),
        lost=lost,
        duplicate=duplicate + twice,
        changed=changed,
        invented=invented,
        undeclared_holes=_holes(at_central, gone),
        answered=len(answers),
        unread=len(answers.keys() - stored_answers) if answers else 0,
        false_gaps=_false_gaps(gone, at_central),
        late_p95_s=late_p95_s(kept),
    )


def read_answers(oplogs: Iterable[Path]) -> dict[tuple[str, int], dict[str, int | None]]:
    """What each answer said, by (device, counter); from the meters' own operation logs."""
    answers: dict[tuple[str, int], dict[str, int | None]] = {}
    for path in oplogs:
        text = path.read_bytes()
        for line in text[: text.rfind(b"\n") + 1].splitlines():
            operation = json.loads(line)
            values = dict(operation.get("values", ()))
            if (counter := values.get(COUNTER_METRIC)) is not None:
                answers[operation["device"], counter] = values
    return answers


def late_p95_s(kept: Iterable[Kept], *, since_us: int = 0) -> float:
    """How long after its reading a frame was durable at central; 95 % were quicker."""
    lates = sorted(
        one.received_us - one.at_us for one in kept if one.kind == "frame" and one.at_us >= since_us
    )
    return lates[int(len(lates) * 0.95)] / 1e6 if lates else 0.0


def _compare(
    kept: list[Kept], answers: dict[tuple[str, int], dict[str, int | None]], codes: Mapping[str, int]
) -> tuple[int, int, int]:
    """Frames that say something else than the meter did, that no answer stands for, and answers stored twice."""
    if not answers:
        return 0, 0, 0
    changed, invented = 0, 0
    times: Counter[tuple[str, int]] = Counter()
    for one in kept:
        if one.kind != "frame":
            continue
        name = _name(one)
        said = answers.get(name) if name is not None else None
        if name is None or said is None:
            invented += 1
            continue
        times[name] += 1
        if any(one.values.get(codes[metric]) != steps for metric, steps in said.items() if metric in codes):
            changed += 1
    return changed, invented, sum(n - 1 for n in times.values())


def _altered(kept: list[Kept], committed: Committed) -> int:
    """Records that say something else at central than they did on the gateway's card."""
    altered = 0
    for one in kept:
        raw = committed.get((one.key, one.seq))
        if raw is None:
            continue
        said = unpack(raw)
        if one.kind == "frame" and said["kind"] == "frame":
            values = dict(zip(said["metrics"], said["values"], strict=True))
            altered += (one.device, one.values) != (said["device"], values)
        else:
            altered += one.body != said
    return altered


def _name(one: Kept) -> tuple[str, int] | None:
    steps = one.values.get(COUNTER_CODE)
    return None if steps is None else (one.device, steps)


def _is_declared(gaps: Iterable[tuple[int, int | None]], seq: int) -> bool:
    return any(first <= seq and (last is None or seq <= last) for first, last in gaps)


def _size(
    gone: Mapping[Key, list[tuple[int, int | None]]],
    there: Mapping[Key, Counter[int]],
    committed: Committed,
) -> int:
    """How many committed records the gaps account for."""
    by_lane: dict[Key, set[int]] = defaultdict(set)
    for key, seq in committed:
        by_lane[key].add(seq)
    return sum(
        sum(_is_declared(gaps, seq) and not there.get(key, Counter())[seq] for seq in by_lane[key])
        for key, gaps in gone.items()
    )


def _holes(there: Mapping[Key, Counter[int]], gone: Mapping[Key, list[tuple[int, int | None]]]) -> int:
    """Numbers below a lane's newest that are neither there nor declared gone."""
    holes = 0
    for key, counts in there.items():
        gaps = gone.get(key, [])
        holes += sum(
            not counts[seq] and not _is_declared(gaps, seq) for seq in range(1, max(counts, default=0) + 1)
        )
    return holes


def _false_gaps(gone: Mapping[Key, list[tuple[int, int | None]]], there: Mapping[Key, Counter[int]]) -> int:
    return sum(
        sum(1 for seq in there.get(key, Counter()) if first <= seq <= last)
        for key, gaps in gone.items()
        for first, last in gaps
        if last is not None
    )
