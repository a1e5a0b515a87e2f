"""F5: the outbox at its bound, and on a full card; F6: the card becomes read-only under a running gateway."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import drivers, paper
from harness.central_file import Key, declared, read_ledger
from harness.disk import loop_disk, ram_disk
from harness.loopback import Centre
from harness.outbox_file import newest
from harness.result import Result
from harness.stack import stack

from plumbline.clock import SystemClock, to_us
from plumbline.errors import Unreachable
from plumbline_edge.outbox import Limits, Outbox

_CARD_MB: Final = 8
_CYCLES_A_COMMIT: Final = 6
_PHOTO_EVERY: Final = 360
_PHOTO_BYTES: Final = 60_000


@dataclass(slots=True)
class _Filled:
    appended: int = 0
    not_taken: int = 0
    """Drafts that the card did not take, and that nobody was told were kept."""
    largest_mb: float = 0.0


def bounded(count: int, seed: int, folder: Path) -> Result:
    """F5 with a bound of 8 MB on a card with room: `count` hours offline."""
    return asyncio.run(_full(count, seed, folder, Limits(max_bytes=_CARD_MB * 1_000_000), "bound of 8 MB"))


def card(count: int, seed: int, folder: Path) -> Result:
    """F5 on a card of 8 MiB with a bound that is larger: `count` hours offline."""
    with ram_disk(folder / "card", _CARD_MB) as at:
        return asyncio.run(
            _full(
                count,
                seed,
                at,
                Limits(max_bytes=2 * _CARD_MB * 1_000_000),
                "card of 8 MiB",
                ledger=folder / "ledger.db",
            )
        )


def read_only(count: int, seed: int, folder: Path) -> Result:
    """F6, `count` times."""
    return asyncio.run(_read_only(count, seed, folder))


async def _full(
    hours: int, seed: int, folder: Path, limits: Limits, what: str, *, ledger: Path | None = None
) -> Result:
    path, filled = folder / "outbox.db", _Filled()
    with Centre(ledger or folder / "ledger.db") as centre:
        async with Outbox(path, gateway="gw-0", limits=limits) as outbox:
            await _fill(outbox, hours, seed, filled)
            ends = {("gw-0", *stream): outbox.last(stream) for stream in outbox.streams()}
            await centre.take_all(outbox)
            ends |= {("gw-0", *stream): outbox.last(stream) for stream in outbox.streams()}
            await centre.take_all(outbox)  # what was said meanwhile
    kept = read_ledger(ledger or folder / "ledger.db")
    there: dict[Key, set[int]] = defaultdict(set)
    for one in kept:
        there[one.key].add(one.seq)
    gaps = declared(kept)
    missing = {(key, seq) for key, end in ends.items() for seq in range(1, end + 1) if seq not in there[key]}
    gone = {
        (key, seq)
        for key, ranges in gaps.items()
        for first, last in ranges
        for seq in range(first, (last or first) + 1)
    }
    lanes = defaultdict(int)
    for (_, _, lane), _ in missing:
        lanes[lane] += 1
    summaries = sum(one.kind == "summary" for one in kept)
    photos = ends.get(("gw-0", kept[0].key[1], "photo"), 0)
    cap_mb = _CARD_MB if ledger is None else _CARD_MB * (1 << 20) / 1e6
    return Result(
        name=f"F5 {what}, {hours} h offline",
        promise="stays up; never larger; photos go first; gap records = missing rows, exactly",
        figures={
            "records": filled.appended,
            "largest, MB": filled.largest_mb,
            "missing at central": len(missing),
            "declared": len(gone),
            "not declared": len(missing - gone),
            "declared in vain": len(gone - missing),
            **{f"gone from {lane}": n for lane, n in sorted(lanes.items())},
            "summaries instead": summaries,
            "refused by central": len(centre.refused),
            "not taken": filled.not_taken,
        },
        ok=missing == gone
        and bool(missing)
        and not centre.refused
        and filled.largest_mb <= cap_mb
        and not filled.not_taken
        # no reading goes while there is a picture
        and (not lanes["data"] or lanes["photo"] >= photos - 1),
    )


async def _fill(outbox: Outbox, hours: int, seed: int, filled: _Filled) -> None:
    """The default rate with a photo an hour, making room as the gateway does."""
    rng = random.Random(seed)
    since_us = to_us(SystemClock().wall()) - hours * 3_600_000_000
    source = paper.frames(seed, since_us=since_us)
    for cycle in range(0, hours * 3600 // paper.EVERY_S, _CYCLES_A_COMMIT):
        drafts = [draft for _ in range(_CYCLES_A_COMMIT) for draft in next(source)]
        if cycle % _PHOTO_EVERY == 0:
            drafts.append(paper.photo(rng, drafts[0].at_us, _PHOTO_BYTES))
        try:
            await outbox.append(drafts)
            filled.appended += len(drafts)
        except Unreachable:
            filled.not_taken += len(drafts)
        if cycle % 60 == 0:
            await outbox.trim()
            filled.largest_mb = max(filled.largest_mb, outbox.size_bytes() / 1e6)


async def _read_only(count: int, seed: int, folder: Path) -> Result:
    rng = random.Random(seed)
    claimed = polled = said = logged = ended = 0
    with loop_disk(folder, 64) as disk:
        async with stack(folder, seed, gateways=1, every_s=0.2) as site:
            (gateway,) = site.gateways
            gateway.move(disk.at / "state")
            for _ in range(count):
                await site.start_gateways()
                await site.drained(60)
                disk.turn_read_only()
                await asyncio.sleep(1.0)
                log = gateway.program.log.read_text()
                end, before = sum(newest(gateway.outbox).values()), drivers.size(site.oplog(gateway))
                await asyncio.sleep(rng.uniform(2, 4))
                claimed += sum(newest(gateway.outbox).values()) - end
                polled += drivers.size(site.oplog(gateway)) > before
                said += log.count("outbox lost") > logged
                logged = log.count("outbox lost")
                ended += not gateway.program.alive
                await gateway.program.kill()
                disk.restore_power()
                await site.look(gateway)
            await site.start_gateways()
            verdict = await site.finish()
    return Result(
        name="F6 card becomes read-only",
        promise="keeps polling, says so, claims nothing durable; after a repair all that was committed is there",
        figures={
            "times": count,
            "went on polling": polled,
            "said so": said,
            "ended by itself": ended,
            "claimed durable": claimed,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
        },
        ok=verdict.ok and claimed == 0 and polled == count and said == count,
    )
