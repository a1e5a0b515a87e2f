"""What the uplink needs of the outbox and of the link, in its own words."""

from __future__ import annotations

from typing import Protocol

from plumbline.messages import Lane, Record
from plumbline.ranges import Ranges

Stream = tuple[str, Lane]
"""An epoch's lane: after a damaged file an older epoch may still have records to send."""


class Run(Protocol):
    """Consecutive records of one stream with the chain's heads before and after them."""

    @property
    def epoch(self) -> str: ...
    @property
    def lane(self) -> Lane: ...
    @property
    def prev(self) -> bytes: ...
    @property
    def head(self) -> bytes: ...
    @property
    def records(self) -> tuple[Record, ...]: ...
    @property
    def bodies(self) -> tuple[bytes, ...]: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


class Log(Protocol):
    """The gateway's durable log, as its sender sees it."""

    @property
    def epoch(self) -> str:
        """The one that is being written."""
        ...

    def streams(self) -> tuple[Stream, ...]:
        """Every stream with something unsettled, and the current epoch's lanes; most urgent first, older epochs last."""
        ...

    def last(self, stream: Stream) -> int:
        """The newest committed seq."""
        ...

    def settled(self, stream: Stream) -> Ranges:
        """What never needs sending again: acknowledged, parked, or gone."""
        ...

    async def run_in(
        self, stream: Stream, first: int, last: int, *, max_records: int, max_bytes: int
    ) -> Run | None:
        """Consecutive records from the first one present at or after `first`, none beyond `last`; None: there are none.

        `max_bytes` counts bodies; one record comes whatever its size. Raises Unreachable where the card fails.
        """
        ...

    def acknowledge(self, stream: Stream, acknowledged: Ranges) -> None:
        """Central durably has these; `settled` says so at once."""
        ...

    def contradicted(self, stream: Stream, seq: int) -> None:
        """Central has record `seq`, past the newest here: the log lost its end. Raises what ends this run of the gateway."""
        ...

    async def park(self, stream: Stream, first: int, last: int, why: str) -> None:
        """Central will never take these. Raises Unreachable where the card fails."""
        ...


class Link(Protocol):
    """Something that carries a payload towards central."""

    @property
    def connected(self) -> bool: ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return once it is handed over. Raises Unreachable."""
        ...
