"""What the deliverer asks of a way to tell people and machines of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from plumbline.errors import Busy
from plumbline_central.alerts.alert import Notice

__all__ = ["Busy", "Channel", "Digesting", "Publish"]


class Channel(Protocol):
    """One receiver. `send` returns once the receiver says it has the notice; the same notice may come again."""

    @property
    def name(self) -> str:
        """Stands in the delivery table, so it stays the same over restarts."""
        ...

    async def send(self, notice: Notice) -> None:
        """Raises Unreachable (try again), Refused (never will)."""
        ...


@runtime_checkable
class Digesting(Protocol):
    """A channel that people read: what has gathered while it was away or full comes as one message."""

    @property
    def name(self) -> str:
        """As a Channel's."""
        ...

    async def send(self, notice: Notice) -> None:
        """As a Channel's."""
        ...

    async def send_together(self, notices: Sequence[Notice]) -> None:
        """Raises as `send` does; then none of them counts as told."""
        ...


class Publish(Protocol):
    """The broker, as far as channels need it."""

    async def __call__(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Return once the broker has it. Raises Unreachable."""
        ...
