"""The whole evaluation: which courses and photos, in which order, and the tables they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plumbline_train.evaluate import figures, gatecheck, real, workers
from plumbline_train.evaluate.courses import CourseJob, jobs
from plumbline_train.evaluate.gatecheck import GateJob
from plumbline_train.evaluate.intervals import Promised
from plumbline_train.evaluate.looking import Blind

BLINDS: Final[tuple[Blind, ...]] = ("now", "facade")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is looked at. Sites are per track; `every` is days between two photos."""

    unseen_sites: int
    seen_sites: int
    seen_every: int
    blind_sites: int
    gate_cameras: int
    unseen_every: int = 1
    blind_every: int = 6


FULL: Final = Size(unseen_sites=12, seen_sites=6, seen_every=3, blind_sites=3, gate_cameras=36, blind_every=4)
"""2,500 photos, some twenty minutes on two idle cores: what a card is made of."""
QUICK: Final = Size(
    unseen_sites=2, seen_sites=1, seen_every=6, blind_sites=1, gate_cameras=4, unseen_every=2, blind_every=10
)
"""For a look after a change; its figures belong on no card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was found: the tables by dotted name, and the interval widths to promise."""

    size: Size
    tables: figures.Tables
    widths: Promised
    plain: Promised
    """One width for all percents, for readers that know no bands."""


def evaluate(
    model: Path,
    size: Size,
    *,
    processes: int,
    report: Callable[[int, int], None] = lambda _done, _all: None,
    photos: Path | None = None,
    frames: Path | None = None,
) -> Evaluation:
    """Every figure of the card. Same model, renderer and size: same figures, however many processes.

    `report` is told jobs done and jobs in all; `photos` is a folder of real ones, whose figures stay apart.
    Rendered ones are kept in `frames`, where it is given, for the next model.
    """
    unseen = jobs(size.unseen_sites, split="holdout", every=size.unseen_every)
    seen = jobs(size.seen_sites, split="train", every=size.seen_every)
    blind = {b: jobs(size.blind_sites, split="holdout", every=size.blind_every, blind=b) for b in BLINDS}
    gates = [GateJob(number=number) for number in range(size.gate_cameras)]
    courses: list[CourseJob] = [*unseen, *seen, *(job for one in blind.values() for job in one)]
    total, done = len(courses) + len(gates), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        report(done, total)

    watched = list(workers.run(courses, model, workers=processes, report=one_more, frames=frames))
    refused = list(workers.run(gates, model, workers=processes, report=one_more, frames=frames))
    first, second = watched[: len(unseen)], watched[len(unseen) : len(unseen) + len(seen)]
    rest = watched[len(unseen) + len(seen) :]
    widths = figures.promised(first)
    tables = figures.group_tables("unseen_families", first, widths)
    tables |= figures.alert_tables("unseen_families", first, widths)
    tables |= figures.group_tables("unseen_seeds", second, widths)
    for b in BLINDS:
        mine, rest = rest[: len(blind[b])], rest[len(blind[b]) :]
        tables[f"blind.{b}"] = figures.blind_table(mine)
    tables |= {f"gate.{name}": table for name, table in gatecheck.recall(refused).items()}
    tables |= {f"good_photos.{name}": t for name, t in gatecheck.false_alarms([*first, *second]).items()}
    if photos is not None:
        tables |= {f"real.{name}": table for name, table in real.figures(model, photos).items()}
    return Evaluation(size=size, tables=tables, widths=widths, plain=figures.promised(first, plain=True))


def unseen_tables(model: Path, *, sites: int, every: int, processes: int = 1) -> figures.Tables:
    """Only the tables of families never seen: what an ablation compares."""
    jobs_ = jobs(sites, split="holdout", every=every)
    courses = list(workers.run(jobs_, model, workers=processes, report=lambda: None))
    return figures.group_tables("unseen_families", courses, figures.promised(courses))


def blinded(
    model: Path, size: Size, blind: Blind, processes: int, report: Callable[[int, int], None]
) -> figures.Table:
    """Only a blinded model's figures: it must know next to nothing."""
    todo = jobs(size.blind_sites, split="holdout", every=size.blind_every, blind=blind)
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        report(done, len(todo))

    return figures.blind_table(list(workers.run(todo, model, workers=processes, report=one_more)))
