"""What a scenario found, and how it is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DEFAULT_SEED: Final = 20_261_124
SEED_VARIABLE: Final = "PLUMBLINE_FAULT_SEED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One fault of the matrix: what was measured, and whether the promise held."""

    name: str
    """`F1 kill -9 of the gateway`"""
    promise: str
    figures: dict[str, object] = field(default_factory=dict)
    ok: bool

    @property
    def said(self) -> str:
        return ", ".join(f"{name} {_short(value)}" for name, value in self.figures.items())


class CannotRun(Exception):
    """This machine lacks what the scenario needs: root, a kernel feature, a program."""


Scenario = Callable[[int, int, Path], Result]
"""`run(count, seed, folder)`: `count` faults, all chance from `seed`, everything it writes in `folder`."""


def seed() -> int:
    return int(os.environ.get(SEED_VARIABLE, DEFAULT_SEED))


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
