"""Lines to a server in batches it can take; one that it refuses never costs its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, Protocol

from plumbline.errors import PlumblineError, Refused
from plumbline_central.stores.faults import StoreFaults
from plumbline_central.stores.influx import answers, lines
from plumbline_central.stores.influx.answers import Answer, Done, Rejected, TooLarge
from plumbline_central.stores.influx.dialect import Span
from plumbline_central.stores.influx.refused import Refusal, RefusedLines

MOST_LINES: Final = 5_000
MOST_BYTES: Final = 1_000_000
DATABASE: Final = "InfluxDB"
"""The subject of whatever keeps all lines from being written."""
REFUSED: Final = "InfluxDB, refused lines"
MOVED: Final = "InfluxDB, moved readings"
_SENDERS: Final = 2
"""One for each projection that may be catching up."""
_KINDS_TRIED: Final = 50


class Destination(Protocol):
    """A server, as far as the writer needs it."""

    server: str

    def write(self, place: str, body: bytes) -> Answer: ...

    def delete(self, span: Span) -> None: ...


class Writer:
    """Writes until all is durable, refused line by line, or the server is not there. Usable from any thread."""

    def __init__(self, to: Destination, refused: RefusedLines, faults: StoreFaults) -> None:
        self._to = to
        self._refused = refused
        self._faults = faults
        self._sender = ThreadPoolExecutor(_SENDERS, "influx")

    def write(self, place: str, written: Iterable[str]) -> None:
        """Return once each line is stored or among the refused; lines are made while those before are on their way.

        Raises Unreachable, or Busy where the server asks for a pause: the same lines may be written again.
        """
        ready: Sequence[str] = ()
        sent: Future[bool] | None = None
        try:
            for batch in batches(written):
                if ready:
                    if sent is not None:
                        sent.result()
                    sent = self._sender.submit(self._deliver, place, ready)
                ready = batch
        finally:
            if sent is not None:
                wait([sent])
        if sent is not None:
            sent.result()
        self._deliver(place, ready)

    def close(self) -> None:
        self._sender.shutdown()

    def try_refused(self) -> None:
        """Write the refused lines again: whoever mended the server need not tell us.

        Of those refused in the same words the first is tried alone: while it is still so for it, the others wait.
        """
        for place, words in self._refused.kinds(_KINDS_TRIED):
            while waiting := self._refused.lines(place, words, MOST_LINES):
                if not (self._deliver(place, waiting[:1]) and self._deliver(place, waiting[1:])):
                    break
        self._tell_of_refused()

    def delete(self, span: Span) -> None:
        """Return once nothing of the span is left, or its server has said that it deletes nothing at all.

        Then what was to move is at both places, which is a standing fault, and holds up no other reading.
        """
        try:
            self._to.delete(span)
        except PlumblineError as why:
            if not (isinstance(why, Refused) and answers.cannot(str(why))):
                self._faults.raised(DATABASE, str(why))
                raise
            self._faults.raised(MOVED, f"moved readings stay at their old place too; {why}")
        else:
            self._faults.cleared(DATABASE)

    def settle(self, place: str, written: Sequence[str]) -> None:
        """These points are gone: what was refused of them is moot."""
        self._refused.settle(place, written)
        self._tell_of_refused()

    def forget(self, measurement: str) -> None:
        """The same, of a whole measurement."""
        self._refused.forget(measurement)
        self._tell_of_refused()

    def _deliver(self, place: str, batch: Sequence[str]) -> bool:
        """Whether all of it is stored."""
        if not batch:
            return True  # and nothing is known of the server
        waiting = [batch]
        alone: list[Refusal] = []
        while waiting:
            some = waiting.pop()
            answer = self._to.write(place, lines.body(some))
            match answer:
                case Done():
                    self._refused.settle(place, some)
                case Rejected(words) | TooLarge(words) if len(some) == 1:
                    alone.append(Refusal(place=place, line=some[0], words=words))
                case Rejected() | TooLarge():
                    half = len(some) // 2
                    waiting += [some[half:], some[:half]]
                case _:
                    self._note(alone)
                    self._faults.raised(DATABASE, f"{self._to.server}: {answer.words}")
                    raise answers.error(answer, self._to.server)
        self._faults.cleared(DATABASE)
        self._note(alone)
        return not alone

    def _note(self, alone: Sequence[Refusal]) -> None:
        if alone:
            self._refused.put(alone)
            self._tell_of_refused()

    def _tell_of_refused(self) -> None:
        for _, words in self._refused.kinds(1):
            self._faults.raised(REFUSED, f"{len(self._refused)} kept aside in series.db: {words}")
            break
        else:
            self._faults.cleared(REFUSED)


def batches(written: Iterable[str]) -> Iterator[Sequence[str]]:
    """In order, each within the bounds that every server takes; a longer line stands alone."""
    batch: list[str] = []
    size = 0
    for line in written:
        length = (len(line) if line.isascii() else len(line.encode())) + 1
        size += length
        if batch and (len(batch) == MOST_LINES or size > MOST_BYTES):
            yield batch
            batch, size = [], length
        batch.append(line)
    if batch:
        yield batch
