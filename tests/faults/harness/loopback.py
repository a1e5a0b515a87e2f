"""Outbox to ledger in one process, through the real codec and the real intake: no broker, nothing to wait for."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.drivers import SITE
from plumbline import codec, ranges, signing
from plumbline.clock import SystemClock, to_us
from plumbline.signing import DeviceKey
from plumbline_central.ingest import judge
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.registry import Gateway
from plumbline_edge.outbox import Outbox, Run


@dataclass(slots=True)
class Centre:
    """A ledger at `path` that one gateway is enrolled at; opens in `with`."""

    path: Path
    gateway: str = "gw-0"
    key: DeviceKey = field(default_factory=lambda: DeviceKey(Ed25519PrivateKey.generate()))
    refused: list[str] = field(default_factory=list)
    _ledger: Ledger | None = None

    def __enter__(self) -> Self:
        self._ledger = Ledger.open(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ledger is not None
        self._ledger.close()

    def take(self, run: Run) -> None:
        """Judge and store one batch as it would come from the wire."""
        assert self._ledger is not None
        payload = codec.pack_batch(
            run.records,
            run.bodies,
            site=SITE,
            gateway=self.gateway,
            epoch=run.epoch,
            lane=run.lane,
            prev=run.prev,
            head=run.head,
            algorithm=signing.ALGORITHM,
            sign=self.key.sign,
        )
        batch = judge(f"plumbline/1/{SITE}/{self.gateway}/up", payload, self._enrolled)
        arrival = Arrival(received_us=to_us(SystemClock().wall()), payload=payload, batch=batch)
        (outcome,) = self._ledger.append([arrival])
        if outcome.status == "refused":
            self.refused.append(outcome.why)

    async def take_all(
        self, outbox: Outbox, *, share: float = 1.0, heard: float = 1.0, rng: random.Random | None = None
    ) -> None:
        """Take that share of every lane's beginning, and let the gateway hear of that share of the batches."""
        assert self._ledger is not None
        rng = rng or random.Random(0)
        for stream in outbox.streams():
            end = round(outbox.last(stream) * share)
            at = 1
            while at <= end:
                left = ranges.missing(outbox.settled(stream), (at, end))
                if not left:
                    break
                run = await outbox.run_in(stream, left[0][0], left[0][1], max_records=200, max_bytes=400_000)
                if run is None:
                    at = left[0][1] + 1
                    continue
                self.take(run)
                at = run.last + 1
                if rng.random() < heard:
                    covered = self._ledger.coverage(self.gateway, *stream)
                    outbox.acknowledge(stream, covered)

    def _enrolled(self, gateway: str) -> Gateway | None:
        if gateway != self.gateway:
            return None
        return Gateway(id=gateway, site=SITE, key=self.key.public, algorithm=signing.ALGORITHM)
