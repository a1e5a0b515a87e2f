"""Decides whether a payload from the broker is a batch that an enrolled gateway signed."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import codec, sense, signing, topics
from plumbline.errors import Refused
from plumbline_central.registry import Gateway


class Senseless(Refused):
    """An enrolled gateway signed a batch that cannot be kept as it is; it must be told, or it sends it for ever."""

    def __init__(self, batch: codec.Batch, why: Refused) -> None:
        super().__init__(str(why), hint=why.hint)
        self.batch = batch


def judge(topic: str, payload: bytes, enrolled: Callable[[str], Gateway | None]) -> codec.Batch:
    """The batch in `payload`. Raises Refused with the reason, for a person to read in the dead letters.

    Raises Senseless where the gateway must be told. Nothing is unpacked before its signature was found good.
    """
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

    def check(envelope: codec.Envelope) -> None:
        if (envelope.site, envelope.gateway) != (whose.site, whose.gateway):
            says = f"{envelope.site}/{envelope.gateway}"
            raise Refused(f"its header says {says}, its topic {whose.site}/{whose.gateway}")
        check_signature(envelope, gateway)

    batch = codec.open_batch(payload, check)
    try:
        sense.check_all(batch.records)
    except Refused as why:
        raise Senseless(batch, why) from None
    return batch


def check_signature(batch: codec.Batch | codec.Envelope, gateway: Gateway) -> None:
    """Raises Refused unless `gateway` signed `batch` with the algorithm it was enrolled for."""
    if batch.algorithm != gateway.algorithm or batch.algorithm != signing.ALGORITHM:
        raise Refused(f"signed with {batch.algorithm!r}; the gateway is enrolled for {gateway.algorithm!r}")
    signing.verify(gateway.key, batch.statement, batch.signature)
