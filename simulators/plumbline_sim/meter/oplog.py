"""What a simulated meter really answered: the ground truth that an independent checker counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request and what went back. `mono_s` is real monotonic time, `at_us` the simulated time, us since 1970.

    `outcome` is "values", "exception N", or the fault that was played. `values` holds (metric, steps of its
    resolution or None for a sentinel) for every register that lay whole in the read. `poll`: it covered the
    profile's probe, so these are the operations to count polls by.
    """

    device: str
    mono_s: float
    at_us: int
    table: str
    start: int
    count: int
    outcome: str
    poll: bool = False
    values: tuple[tuple[str, int | None], ...] = ()


class OpLog:
    """Counts operations; keeps them in memory where `keep`, writes each as a JSON line where there is a `path`."""

    def __init__(self, path: Path | None = None, *, keep: bool = True) -> None:
        self.operations: list[Operation] = []
        self.polls: Counter[str] = Counter()
        """Answers that covered the probe, by device."""
        self.readings: Counter[str] = Counter()
        """Values answered (sentinels not counted), by device."""
        self._keep = keep
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, operation: Operation) -> None:
        if self._keep:
            self.operations.append(operation)
        if operation.poll:
            self.polls[operation.device] += 1
        self.readings[operation.device] += sum(steps is not None for _, steps in operation.values)
        if self._file is not None:
            self._file.write(msgspec.json.encode(operation) + b"\n")


def read_oplog(path: Path) -> list[Operation]:
    """The operations in a file that an OpLog wrote; an unfinished last line is left out."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    return [msgspec.json.decode(line, type=Operation) for line in whole.splitlines()]
