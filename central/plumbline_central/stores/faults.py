"""What keeps a store from its work, said once and until it is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Protocol

log = logging.getLogger(__name__)


class StoreFaults(Protocol):
    """Hears what is wrong with a store. Called from any thread, as often as it is so; saying it once is its work."""

    def raised(self, subject: str, why: str) -> None:
        """`subject` does not work; `why` are the server's words, and may change while it lasts."""
        ...

    def cleared(self, subject: str) -> None:
        """`subject` works, whether or not it ever did not."""
        ...


class StandingFaults:
    """Logs a fault when it begins and when it ends, and knows those that stand."""

    def __init__(self) -> None:
        self._standing: dict[str, str] = {}
        self._lock = threading.Lock()

    def standing(self) -> Mapping[str, str]:
        """Subject -> why."""
        with self._lock:
            return dict(self._standing)

    def raised(self, subject: str, why: str) -> None:
        with self._lock:
            is_new = subject not in self._standing
            self._standing[subject] = why
        if is_new:
            log.warning("%s: %s", subject, why)

    def cleared(self, subject: str) -> None:
        if subject not in self._standing:  # the usual case, without the lock
            return
        with self._lock:
            gone = self._standing.pop(subject, None)
        if gone is not None:
            log.warning("%s: works again", subject)
