"""What waits to be stored: the gateways take turns, so that one's flood keeps no other waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from plumbline_central.mqtt import Delivery


@dataclass(slots=True, eq=False)
class Held:
    """A message that the broker has handed over and must not forget yet."""

    delivery: Delivery
    finished: bool = False


class Waiting:
    """`add` each message as it comes, `next_group` what to store together, `finish` it once it is stored."""

    def __init__(self) -> None:
        self._by_sender: dict[str, deque[Held]] = {}
        self._turns: deque[str] = deque()
        self._arrived: deque[Held] = deque()

    def __bool__(self) -> bool:
        """Whether there is a next group."""
        return bool(self._turns)

    def add(self, delivery: Delivery) -> None:
        held = Held(delivery)
        sender, _, _ = delivery.topic.rpartition("/")
        waiting = self._by_sender.get(sender)
        if waiting is None:
            waiting = self._by_sender[sender] = deque()
            self._turns.append(sender)
        waiting.append(held)
        self._arrived.append(held)

    def next_group(self, *, most: int, most_bytes: int) -> list[Held]:
        """One message of each sender in turn, each sender's oldest first, until either limit is reached.

        Who did not come to its turn is the first to do so in the next group.
        """
        group: list[Held] = []
        size_bytes = 0
        while self._turns and len(group) < most and size_bytes < most_bytes:
            sender = self._turns.popleft()
            waiting = self._by_sender[sender]
            group.append(waiting.popleft())
            size_bytes += len(group[-1].delivery.payload)
            if waiting:
                self._turns.append(sender)
            else:
                del self._by_sender[sender]
        return group

    def finish(self, group: Iterable[Held]) -> list[Delivery]:
        """What the broker may forget now that `group` is done with, in the order in which it came.

        MQTT wants receipts in that order (4.6.0-2); so one whose turn was early waits for those that came before it.
        """
        for held in group:
            held.finished = True
        forgettable: list[Delivery] = []
        while self._arrived and self._arrived[0].finished:
            forgettable.append(self._arrived.popleft().delivery)
        return forgettable
