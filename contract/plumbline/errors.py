"""What can go wrong, sorted by who must act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class PlumblineError(Exception):
    """Base of every error a person may meet; `hint` is the next thing to do, in one sentence."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(PlumblineError):
    """A file or an option must be edited; starting again will not help."""


class Unreachable(PlumblineError):
    """The far side is away; the same call may work in a minute."""


class Busy(Unreachable):
    """The far side asks to be left alone for a while."""

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message, hint="It is tried again by itself.")
        self.after_s = after_s


class Refused(PlumblineError):
    """The far side, or a check, said no and will say no again."""


class MissingExtra(ConfigError):
    """A command needs a part that is not installed."""

    def __init__(self, command: str, extra: str, module: str) -> None:
        super().__init__(
            f"`plumbline {command}` needs the `{extra}` extra (no module {module!r})",
            hint=f"pip install 'plumbline-iot[{extra}]'",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake in a file a person wrote: where, what stands there, what was expected."""

    file: str
    key: str
    value: Any
    expected: str

    def __str__(self) -> str:
        try:
            shown = repr(self.value)
        except RecursionError:
            shown = "what is nested too deep"
        if len(shown) > 60:
            shown = shown[:57] + "..."
        return f"{self.file}: {self.key}: expected {self.expected}, got {shown}"


class FaultyFile(ConfigError):
    """Every mistake found in one reading of a file; prints one line each."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults), hint="Edit the file and start again.")
        self.faults = faults
