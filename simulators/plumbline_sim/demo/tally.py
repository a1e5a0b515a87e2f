"""Compares what the simulators really said with what central really stores; knows neither side's bookkeeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many things were said and stored, and how many of either have no partner."""

    produced: int
    stored: int
    lost: int
    duplicated: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            produced=self.produced + other.produced,
            stored=self.stored + other.stored,
            lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
        )


def compare(said: Iterable[Hashable], stored: Iterable[Hashable]) -> Tally:
    """Match item by item: what was said more often than stored is lost, the other way round duplicated."""
    produced, kept = Counter(said), Counter(stored)
    return Tally(
        produced=produced.total(),
        stored=kept.total(),
        lost=(produced - kept).total(),
        duplicated=(kept - produced).total(),
    )
