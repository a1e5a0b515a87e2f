"""Drafts to append, and a way to read a whole outbox back."""

from __future__ import annotations

from plumbline.messages import Event, Frame, Gap, Health, Photo
from plumbline_edge.outbox import Draft, Outbox

START_US = 1_772_323_200_000_000  # 2026-03-01
DAY_US = 86_400_000_000


class Site:
    """A gateway's life as drafts: four meters every ten seconds, health every minute, photos when asked."""

    def __init__(self) -> None:
        self.frames = 0

    def cycle(self, *, clock="synced", wide=10) -> list[Draft]:
        self.frames += 4
        at_s = self.frames // 4 * 10
        drafts = [
            self._draft(
                "data",
                at_s,
                Frame(
                    device=f"m{i}",
                    metrics=tuple(range(1, wide + 1)),
                    values=tuple(self.frames * wide + n for n in range(wide)),
                ),
                clock,
            )
            for i in range(4)
        ]
        if at_s % 60 == 0:
            drafts.append(self._draft("status", at_s, Health(version="1", counters={"cycles": at_s}), clock))
        return drafts

    def hours(self, hours: float) -> list[Draft]:
        return [draft for _ in range(round(hours * 360)) for draft in self.cycle()]

    def photo(self, size=20_000) -> Draft:
        at_s = self.frames // 4 * 10
        return self._draft("photo", at_s, Photo(camera="east", photo=f"p{at_s}", jpeg=bytes(size)))

    def event(self, text="x") -> Draft:
        return self._draft("status", self.frames // 4 * 10, Event(code="meter_lost", text=text))

    @staticmethod
    def _draft(lane, at_s, body, clock="synced"):
        return Draft(
            lane=lane,
            at_us=START_US + at_s * 1_000_000,
            boot="b" * 32,
            mono_us=at_s * 1_000_000,
            clock=clock,
            body=body,
        )


async def live(outbox: Outbox, site: Site, hours: float) -> None:
    """Let the gateway run that long, in commits of ten minutes, and trim after each."""
    for _ in range(round(hours * 6)):
        await outbox.append(site.hours(1 / 6))
        await outbox.trim()


async def records(outbox: Outbox, stream) -> list:
    """All that is here of a stream, ascending, each proven by the outbox."""
    found: list = []
    at = 1
    while run := await outbox.run_in(stream, at, outbox.last(stream), max_records=500, max_bytes=1 << 20):
        found += run.records
        at = run.last + 1
    return found


async def everything(outbox: Outbox) -> dict:
    """(epoch, lane, seq) to record, over all epochs."""
    return {
        (*stream, record.seq): record
        for stream in outbox.streams()
        for record in await records(outbox, stream)
    }


async def gaps(outbox: Outbox) -> list[Gap]:
    return [record.body for record in (await everything(outbox)).values() if isinstance(record.body, Gap)]
