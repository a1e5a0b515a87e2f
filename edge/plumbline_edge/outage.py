"""Says an outage twice, not two thousand times: once when something is lost, once when it is back."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class Outage:
    """The state of one thing that can be away; `failures` counts since it was last there."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failures = 0

    def failed(self, why: Exception) -> None:
        log.log(logging.DEBUG if self.failures else logging.WARNING, "%s lost: %s", self._what, why)
        self.failures += 1

    def worked(self) -> None:
        if self.failures:
            log.warning("%s back after %d failures", self._what, self.failures)
        self.failures = 0
