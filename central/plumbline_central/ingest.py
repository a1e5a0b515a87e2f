"""Decides whether a payload from the broker is a batch that an enrolled gateway signed."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import codec, signing, topics
from plumbline.errors import Refused
from plumbline_central.registry import Gateway


def judge(topic: str, payload: bytes, enrolled: Callable[[str], Gateway | None]) -> codec.Batch:
    """The batch in `payload`. Raises Refused with the reason, for a person to read in the dead letters."""
    whose, word = topics.parse(topic)
    if word != "up":
        raise Refused(f"{topic!r} carries no batches")
    gateway = enrolled(whose.gateway)
    if gateway is None:
        raise Refused(
            f"gateway {whose.gateway!r} is not enrolled",
            hint=f"plumbline central enroll {whose.gateway} --site {whose.site} --key KEY",
        )
    if gateway.site != whose.site:
        raise Refused(f"gateway {whose.gateway!r} is enrolled at {gateway.site!r}, not at {whose.site!r}")
    batch = codec.open_batch(payload)
    if (batch.site, batch.gateway) != (whose.site, whose.gateway):
        raise Refused(f"its header says {batch.site}/{batch.gateway}, its topic {whose.site}/{whose.gateway}")
    check_signature(batch, gateway)
    return batch


def check_signature(batch: codec.Batch, gateway: Gateway) -> None:
    """Raises Refused unless `gateway` signed `batch` with the algorithm it was enrolled for."""
    if batch.algorithm != gateway.algorithm or batch.algorithm != signing.ALGORITHM:
        raise Refused(f"signed with {batch.algorithm!r}; the gateway is enrolled for {gateway.algorithm!r}")
    signing.verify(gateway.key, batch.statement, batch.signature)
