"""When which fault strikes: everything from one printed seed, so that a run can be had again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """`after_s` real seconds after the last one was over, `what` happens."""

    after_s: float
    what: str


def plan(seed: int, count: int, whats: Sequence[str], *, low_s: float, high_s: float) -> Iterator[Strike]:
    """`count` strikes, each of `whats` about equally often, at instants spread evenly between the bounds."""
    rng = random.Random(seed)
    for _ in range(count):
        yield Strike(after_s=rng.uniform(low_s, high_s), what=rng.choice(whats))


def streams(seed: int, count: int) -> list[random.Random]:
    """Independent sources of chance, so that what runs at the same time does not disturb each other's."""
    return [random.Random(f"{seed}/{n}") for n in range(count)]
