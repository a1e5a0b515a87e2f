"""Single entries of a file checked one by one: each is what it should be, or a fault is noted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from plumbline.errors import Fault
from plumbline_edge.meters.profiles.sense import Nonsense

MISSING: Final = object()
"""Stands for an entry that is not there."""


class Fields:
    """Goes through one file and collects what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, key: str, value: object, expected: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, value=value, expected=expected))

    def note(self, prefix: str, nonsense: Iterable[Nonsense]) -> None:
        for key, value, expected in nonsense:
            self.fault(prefix + key, value, expected)

    def once(self, key: str, value: int | str, seen: set[int | str], expected: str) -> None:
        if value in seen:
            self.fault(key, value, expected)
        seen.add(value)

    def no_others(self, prefix: str, raw: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in raw:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                self.fault(
                    prefix + key,
                    raw[key],
                    f"no such key; did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}",
                )

    def text(self, raw: Mapping[str, Any], key: str) -> str:
        value = raw.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(key, value, "a text")
            return ""
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            self.fault(key, value, "a list of texts")
            return ()
        return tuple(value)

    def wholes(self, key: str, value: object, low: int, high: int) -> tuple[int, ...]:
        if not isinstance(value, list):
            self.fault(key, value, "a list of whole numbers")
            return ()
        numbers = [self.whole(key, one, low, high) for one in value]
        return tuple(number for number in numbers if number is not None)

    def choice(self, key: str, value: object, allowed: tuple[str, ...]) -> str | None:
        if isinstance(value, str) and value in allowed:
            return value
        self.fault(key, None if value is MISSING else value, " or ".join(map(repr, allowed)))
        return None

    def whole(self, key: str, value: object, low: int, high: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(key, None if value is MISSING else value, f"a whole number {low}-{high}")
        return None
