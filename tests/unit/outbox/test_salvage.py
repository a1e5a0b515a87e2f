"""A damaged file costs what cannot be read, and that is said; everything else goes on under its own name."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest
from outbox_life import Site, everything, gaps, records

from plumbline.clock import ManualClock
from plumbline.messages import Event
from plumbline_edge.outbox import LANES, Damaged, Limits, Outbox, RolledBack, salvage

COMMITS = 12
NOW = datetime(2026, 3, 9, tzinfo=UTC)


@dataclass
class Wreck:
    """The files of a gateway that was killed, and what it had committed."""

    folder: object
    epoch: str
    committed: dict
    acknowledged: int

    @property
    def db(self):
        return self.folder / "outbox.db"

    @property
    def wal(self):
        return self.folder / "outbox.db-wal"

    @property
    def mark(self):
        return self.folder / "outbox.mark"


async def wreck(folder, *, acknowledged=0, commits=COMMITS):
    site = Site()
    crashed = folder / "crashed"
    crashed.mkdir()
    async with Outbox(folder / "outbox.db", gateway="gw1") as outbox:
        for _ in range(commits):
            await outbox.append([*site.hours(1 / 12), site.event()])
            outbox.acknowledge((outbox.epoch, "data"), ((1, acknowledged),) if acknowledged else ())
        committed = await everything(outbox)
        for file in folder.iterdir():
            if file.is_file():
                shutil.copy(file, crashed / file.name)
    return Wreck(crashed, outbox.epoch, committed, acknowledged)


def unchanged(_: Wreck, __: random.Random) -> None:
    """Nothing is done to it."""


def flip_bytes(found: Wreck, rng: random.Random) -> None:
    file = rng.choice([found.db, found.wal])
    raw = bytearray(file.read_bytes())
    for _ in range(rng.randrange(1, 6)):
        at, size = rng.randrange(len(raw)), rng.choice([1, 64, 4096])
        raw[at : at + size] = rng.randbytes(len(raw[at : at + size]))
    file.write_bytes(raw)


def cut_the_log(found: Wreck, rng: random.Random) -> None:
    found.wal.write_bytes(found.wal.read_bytes()[: rng.randrange(found.wal.stat().st_size)])


def lose_the_log(found: Wreck, _: random.Random) -> None:
    found.wal.unlink()


def lose_the_file(found: Wreck, _: random.Random) -> None:
    found.db.unlink()


def empty_the_file(found: Wreck, _: random.Random) -> None:
    found.db.write_bytes(b"")


def cut_the_file(found: Wreck, rng: random.Random) -> None:
    found.db.write_bytes(found.db.read_bytes()[: rng.randrange(found.db.stat().st_size)])


def write_garbage(found: Wreck, rng: random.Random) -> None:
    found.db.write_bytes(rng.randbytes(8192))


def claim_an_impossible_version(found: Wreck, _: random.Random) -> None:
    db = sqlite3.connect(found.db)
    db.execute("PRAGMA user_version = 99999")
    db.close()


def lose_the_mark(found: Wreck, _: random.Random) -> None:
    found.mark.unlink()


DAMAGES = [
    unchanged, flip_bytes, cut_the_log, lose_the_log, lose_the_file, empty_the_file, cut_the_file,
    write_garbage, claim_an_impossible_version, lose_the_mark,
]  # fmt: skip


async def start_and_read(path):
    """What the gateway does: a damage that shows only while reading ends the run, the next start salvages."""
    for _ in range(2):
        outbox = Outbox(path, gateway="gw1")
        try:
            async with outbox:
                return outbox, await everything(outbox), await gaps(outbox)
        except Damaged:
            salvage.order(path)
    raise AssertionError("it does not start")


def is_declared(key, said):
    epoch, lane, seq = key
    return any(
        (gap.epoch, gap.lane) == (epoch, lane) and gap.first <= seq and (gap.last == 0 or seq <= gap.last)
        for gap in said
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("acknowledged", [0, 100])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
async def test_every_committed_record_is_here_or_acknowledged_or_declared_lost(
    tmp_path, damage, acknowledged, seed
):
    found = await wreck(tmp_path, acknowledged=acknowledged)
    damage(found, random.Random(seed))
    outbox, here, said = await start_and_read(found.db)

    known = outbox._store.lanes
    for key, record in found.committed.items():
        epoch, lane, seq = key
        if key in here:
            assert here[key] == record
            assert not is_declared(key, said)
        elif not (lane == "data" and seq <= found.acknowledged):
            assert is_declared(key, said)
        assert seq <= (known[epoch, lane].last if (epoch, lane) in known else seq)
    assert all(key in found.committed for key in here if key[0] == found.epoch)


async def test_a_sound_file_goes_on_in_its_epoch_without_a_word(tmp_path):
    found = await wreck(tmp_path)
    outbox, here, said = await start_and_read(found.db)

    assert (outbox.epoch, said) == (found.epoch, [])
    assert here == found.committed


async def test_a_log_that_was_cut_is_no_error_to_sqlite_but_to_the_mark(tmp_path):
    found = await wreck(tmp_path)
    sound = found.wal.read_bytes()
    found.wal.write_bytes(sound[: len(sound) * 2 // 3])
    outbox, here, said = await start_and_read(found.db)
    lost = [key for key in found.committed if key not in here]

    assert outbox.epoch != found.epoch
    assert lost
    assert all(is_declared(key, said) for key in lost)
    assert {(gap.why, gap.epoch) for gap in said} == {("damaged", found.epoch)}
    assert all(len(gap.prev) == len(gap.head) == 32 for gap in said)


async def test_what_only_central_still_has_shows_that_the_file_lost_its_end(tmp_path):
    """Mark and log are gone together: nothing here tells, but central's acknowledgement does."""
    found = await wreck(tmp_path)
    found.mark.unlink()
    sound = found.wal.read_bytes()
    found.wal.write_bytes(sound[: len(sound) * 2 // 3])
    ahead = max(seq for _, lane, seq in found.committed if lane == "data")
    async with Outbox(found.db, gateway="gw1") as outbox:
        had = outbox.last((found.epoch, "data"))
        with pytest.raises(RolledBack):
            outbox.contradicted((found.epoch, "data"), ahead)
        await outbox.append(Site().cycle())
    outbox, here, said = await start_and_read(found.db)

    assert had < ahead
    assert outbox.epoch != found.epoch
    assert [(gap.epoch, gap.lane, gap.first, gap.last) for gap in said] == [
        (found.epoch, "data", had + 5, ahead)
    ]
    assert (found.epoch, "data", had) in here


async def test_the_damaged_file_stays_aside_and_an_event_says_so(tmp_path):
    found = await wreck(tmp_path)
    write_garbage(found, random.Random(1))
    lose_the_log(found, random.Random(1))
    _, here, _ = await start_and_read(found.db)
    events = [r.body for r in here.values() if isinstance(r.body, Event) and r.body.code == "outbox_damaged"]

    assert (found.folder / "outbox.bad-1.db").exists()
    assert len(events) == 1
    assert "outbox.bad-1.db" in events[0].text


async def test_one_rotten_record_costs_itself_only(tmp_path):
    found = await wreck(tmp_path)
    db = sqlite3.connect(found.db)
    (lane,) = db.execute("SELECT id FROM lane WHERE name = 'data'").fetchone()
    db.execute("UPDATE record SET body = x'81a46b696e64a56576656e74' WHERE lane = ? AND seq = 50", (lane,))
    db.commit()
    db.close()
    outbox, here, said = await start_and_read(found.db)
    lost = {key for key in found.committed if key not in here}

    assert lost == {(found.epoch, "data", 50)}
    assert [(gap.lane, gap.first, gap.last) for gap in said] == [("data", 50, 50)]
    assert outbox.counters["outbox_salvaged"] == 1


async def test_records_of_an_older_epoch_are_sent_and_then_forgotten(tmp_path):
    found = await wreck(tmp_path)
    salvage.order(found.db)
    limits = Limits(keep_acknowledged_s=0)
    async with Outbox(found.db, gateway="gw1", limits=limits, clock=ManualClock(NOW)) as outbox:
        old = [stream for stream in outbox.streams() if stream[0] == found.epoch]
        runs = {stream: await records(outbox, stream) for stream in old}
        for stream in old:
            outbox.acknowledge(stream, ((1, outbox.last(stream)),))
        settled = [stream for stream in outbox.streams() if stream[0] == found.epoch]
        await outbox.trim()

        assert sum(map(len, runs.values())) == len(found.committed)
        assert settled == []
        assert {epoch for epoch, _ in outbox._store.lanes} == {outbox.epoch}
        assert [lane for epoch, lane in outbox.streams()] == list(LANES)


@pytest.mark.parametrize("steps", range(6))
async def test_a_power_cut_in_the_middle_of_a_salvage_begins_it_anew(tmp_path, monkeypatch, steps):
    found = await wreck(tmp_path)
    salvage.order(found.db)
    left = steps
    whole = salvage._sync

    def cut_off(path):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        whole(path)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(salvage, "_sync", cut_off)
        await start_and_read(found.db)
    _, here, said = await start_and_read(found.db)

    assert said == []
    assert {key: here.get(key) for key in found.committed} == found.committed


async def test_a_power_cut_just_before_the_end_of_a_salvage_keeps_the_evidence(tmp_path):
    found = await wreck(tmp_path)
    write_garbage(found, random.Random(1))
    lose_the_log(found, random.Random(1))
    garbage = found.db.read_bytes()
    await start_and_read(found.db)
    (found.folder / "outbox.salvage").write_text("outbox.bad-1.db", encoding="ascii")
    outbox, _, said = await start_and_read(found.db)

    assert (found.folder / "outbox.bad-1.db").read_bytes() == garbage
    assert len({epoch for epoch, _ in outbox._store.lanes}) <= 2
    assert len(said) == 2
    assert not salvage.is_ordered(found.db)


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE lane SET next_seq = 'zz'",
        "UPDATE lane SET next_seq = 9223372036854775807",
        "UPDATE lane SET next_seq = -5",
        "UPDATE lane SET head = 'zz'",
        "DELETE FROM lane WHERE name = 'data'",
        "DELETE FROM epoch",
        "UPDATE epoch SET name = x'00ff'",
        "UPDATE epoch SET name = 'NO/../'",
        "INSERT INTO acknowledged VALUES (2, -5, 9223372036854775807)",
        "INSERT INTO acknowledged VALUES (2, 'a', 'b')",
        "INSERT INTO cut VALUES (2, x'00', x'01', x'')",
    ],
)
async def test_tables_that_no_gateway_wrote_are_damage_and_never_a_crash(tmp_path, deed):
    found = await wreck(tmp_path)
    db = sqlite3.connect(found.db)
    db.execute(deed)
    db.commit()
    db.close()
    outbox, here, said = await start_and_read(found.db)

    assert outbox.counters["outbox_salvaged"] == 1
    assert all(key in here or is_declared(key, said) for key in found.committed)


@pytest.mark.parametrize("name", ["../../x", "\xff\xfe", "", "outbox.db"])
async def test_an_order_that_names_no_file_of_ours_is_carried_out_all_the_same(tmp_path, name):
    found = await wreck(tmp_path)
    (found.folder / "outbox.salvage").write_bytes(name.encode("latin-1"))
    _, here, said = await start_and_read(found.db)

    assert said == []
    assert {key: here.get(key) for key in found.committed} == found.committed
    assert (found.folder / "outbox.bad-1.db").exists()


@pytest.mark.parametrize(
    "mark",
    [
        {"gateway": "gw1", "epoch": "e", "lanes": {"data": (2, (1 << 63) + 5, b"")}},
        {"gateway": "gw1", "epoch": "e", "lanes": {"data": (2, 1 << 60, b"12345")}},
        {"gateway": "gw1", "epoch": "NO/../", "lanes": {}},
    ],
)
async def test_a_mark_that_nobody_wrote_says_nothing(tmp_path, mark):
    found = await wreck(tmp_path)
    body = msgspec.msgpack.encode(mark)
    found.mark.write_bytes(len(body).to_bytes(2, "big") + zlib.crc32(body).to_bytes(4, "big") + body)
    outbox, here, said = await start_and_read(found.db)

    assert (outbox.epoch, said) == (found.epoch, [])
    assert here == found.committed


async def test_only_the_newest_damaged_files_are_kept(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append(Site().cycle())
    for _ in range(4):
        salvage.order(tmp_path / "outbox.db")
        async with Outbox(tmp_path / "outbox.db", gateway="gw1"):
            pass

    assert sorted(file.name for file in tmp_path.glob("outbox.bad-*.db")) == [
        "outbox.bad-3.db",
        "outbox.bad-4.db",
    ]
