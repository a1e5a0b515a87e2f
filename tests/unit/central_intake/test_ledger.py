import random
import sqlite3
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec, ranges
from plumbline.errors import ConfigError
from plumbline.messages import Frame, Photo
from plumbline_central.ledger import Arrival, DeadLetter, Ledger
from plumbline_central.verify import verify


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger.db")
    yield opened
    opened.close()


def arrival(payload, at_us=1):
    return Arrival(received_us=at_us, payload=payload, batch=codec.open_batch(payload))


def read_all(ledger, limit=7):
    found, at = [], 0
    while rows := ledger.read(at, limit):
        found += [(row.gateway, row.epoch, row.lane, record) for row in rows for record in row.records]
        at = rows[-1].id
    return found


LANE = st.sampled_from(["data", "photo"])
SPAN = st.tuples(st.integers(1, 40), st.integers(0, 15)).map(lambda p: (p[0], min(p[0] + p[1], 40)))
SENDING = st.lists(st.tuples(st.integers(0, 1), LANE, SPAN), max_size=25)


@settings(deadline=None, max_examples=60)
@given(sending=SENDING, cuts=st.lists(st.integers(1, 6)), reopen=st.booleans())
def test_every_record_is_read_exactly_once_whatever_the_order_overlap_and_grouping(
    sending, cuts, reopen, tmp_path_factory, new_gateway
):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    gateways = [new_gateway(name="gw-1"), new_gateway(name="gw-2", epoch="e2")]
    for gateway in gateways:
        gateway.frames(40)
        gateway.frames(40, lane="photo")
    arrivals = [arrival(gateways[g].pack(*span, lane=lane)) for g, lane, span in sending]
    ledger = Ledger.open(path)
    at = 0
    for size in [*cuts, len(arrivals)]:
        ledger.append(arrivals[at : at + size])
        at += size
        if reopen:
            ledger.close()
            ledger = Ledger.open(path)

    expected = {
        (gateways[g].name, gateways[g].epoch, lane, seq)
        for g, lane, (first, last) in sending
        for seq in range(first, last + 1)
    }
    found = read_all(ledger)
    counters = ledger.counters()
    assert Counter(expected) == Counter((g, e, lane, record.seq) for g, e, lane, record in found)
    assert all(
        record == gateways[int(name[-1]) - 1].lanes[lane][record.seq - 1] for name, _, lane, record in found
    )
    for gateway in gateways:
        for lane in ("data", "photo"):
            covered = ledger.coverage(gateway.name, gateway.epoch, lane)
            numbers = {
                seq
                for g, e, at_lane, seq in expected
                if (g, e, at_lane) == (gateway.name, gateway.epoch, lane)
            }
            assert {n for a, b in covered for n in range(a, b + 1)} == numbers
            assert ranges.through(covered) == next(n for n in range(50) if n + 1 not in numbers)
    for what in ("batches", "records"):
        parts = [counters[f"{what}_{fate}"] for fate in ("stored", "duplicate", "refused")]
        assert counters[f"{what}_received"] == sum(parts)
    assert counters["records_stored"] == len(expected)
    assert verify(ledger, lambda name: gateways[int(name[-1]) - 1].enrolled).faults == []
    ledger.close()


def test_a_batch_sent_twice_is_stored_once_and_called_a_duplicate(ledger, gateway):
    gateway.frames(5)
    payload = gateway.pack(1, 5)

    outcomes = ledger.append([arrival(payload), arrival(payload)])

    assert [outcome.status for outcome in outcomes] == ["stored", "duplicate"]
    assert len(ledger.read(0, 10)) == 1


def test_a_partly_new_batch_yields_only_its_new_records(ledger, gateway):
    gateway.frames(30)
    ledger.append([arrival(gateway.pack(5, 10)), arrival(gateway.pack(20, 25))])

    (outcome,) = ledger.append([arrival(gateway.pack(1, 30))])

    assert outcome.taken == ((1, 4), (11, 19), (26, 30))
    (row,) = ledger.read(2, 10)
    assert [*range(1, 5), *range(11, 20), *range(26, 31)] == [record.seq for record in row.records]


def test_rows_read_right_after_they_were_stored_are_those_read_from_disk(ledger, gateway, tmp_path):
    gateway.frames(30)
    ledger.append([arrival(gateway.pack(5, 10)), arrival(gateway.pack(1, 20))])
    fresh = Ledger.open(tmp_path / "ledger.db")

    assert ledger.read(0, 10) == fresh.read(0, 10)
    fresh.close()


def test_a_restored_outbox_that_tells_another_story_is_refused_and_kept_as_a_dead_letter(
    ledger, gateway, new_gateway
):
    gateway.frames(10)
    ledger.append([arrival(gateway.pack(1, 6))])
    other = new_gateway(key=gateway.key)
    other.frames(4)
    for _ in range(8):
        other.record(Frame(device="m1", metrics=(1,), values=(1,)))

    outcomes = ledger.append([arrival(other.pack(*span)) for span in ((5, 9), (7, 9), (1, 6), (2, 5))])

    assert [outcome.status for outcome in outcomes] == ["refused"] * 4
    assert ledger.coverage("gw-1", "e1", "data") == ((1, 6),)
    assert outcomes[0].why == ledger.dead_letters()[-1].why
    assert verify(ledger, gateway.lookup).ok


def test_an_earlier_batch_that_does_not_lead_to_a_later_stored_one_is_refused(ledger, gateway, new_gateway):
    gateway.frames(10)
    ledger.append([arrival(gateway.pack(6, 10))])
    other = new_gateway(key=gateway.key)
    other.frames(4)
    other.record(Frame(device="m1", metrics=(1,), values=(1,)))

    (outcome,) = ledger.append([arrival(other.pack(1, 5))])

    assert outcome.status == "refused"


def test_gaps_name_the_holes_below_the_newest_record(ledger, gateway):
    gateway.frames(30)
    ledger.append([arrival(gateway.pack(5, 10)), arrival(gateway.pack(20, 25))])

    assert [(hole.first, hole.last) for hole in ledger.holes()] == [(1, 4), (11, 19)]
    assert {"a12"} == {hole.site for hole in ledger.holes()}


def test_dead_letters_are_cut_and_counted(ledger):
    ledger.append([], [DeadLetter(received_us=1, topic="t", payload=b"x" * 100_000, why="no batch")])

    (letter,) = ledger.dead_letters()
    assert (letter.why, len(letter.payload)) == ("no batch", 65_536)
    assert {"batches_received": 1, "batches_refused": 1}.items() <= ledger.counters().items()


def test_old_dead_letters_make_room_for_new_ones(ledger):
    letters = [DeadLetter(received_us=n, topic="t", payload=b"", why="w") for n in range(10_005)]
    ledger.append([], letters)

    kept = ledger.dead_letters(limit=20_000)
    assert (len(kept), kept[0].received_us, kept[-1].received_us) == (10_000, 10_004, 5)


def test_a_group_that_fails_leaves_nothing_behind(ledger, gateway):
    gateway.frames(5)
    broken = DeadLetter(received_us=1, topic="t", payload=b"", why=None)

    with pytest.raises(sqlite3.IntegrityError):
        ledger.append([arrival(gateway.pack(1, 5))], [broken])

    assert ledger.read(0, 10) == []
    assert ledger.coverage("gw-1", "e1", "data") == ()


def test_a_file_that_is_no_ledger_is_said_so(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"holiday pictures" * 100)

    with pytest.raises(ConfigError, match=r"ledger\.db"):
        Ledger.open(path)


def damage(path, sql, *parameters):
    with sqlite3.connect(path) as db:
        db.execute(sql, parameters)
    db.close()


@pytest.mark.parametrize(
    ("sql", "seq"),
    [
        ("DELETE FROM batch WHERE id = 2", 11),
        ("UPDATE batch SET payload = (SELECT payload FROM batch WHERE id = 1) WHERE id = 2", 11),
        ("UPDATE batch SET head = prev WHERE id = 2", 11),
        ("UPDATE batch SET taken = '[[11, 15]]' WHERE id = 2", 16),
        ("UPDATE batch SET taken = '[[10, 20]]' WHERE id = 2", 11),
        ("UPDATE coverage SET last = 40", 31),
        ("DELETE FROM coverage", 1),
        (("INSERT INTO batch SELECT 9, received_us, site, gateway, epoch, lane, first, last, prev, head, payload,"
         " taken FROM batch WHERE id = 2"), 11),
        ("UPDATE batch SET payload = CAST(x'00' || substr(payload, 2) AS BLOB) WHERE id = 3", 21),
    ],
)  # fmt: skip
def test_verify_names_the_first_record_of_whatever_was_changed(ledger, gateway, tmp_path, sql, seq):
    gateway.frames(30)
    for first in (1, 11, 21):
        ledger.append([arrival(gateway.pack(first, first + 9))])
    assert verify(ledger, gateway.lookup).ok

    damage(tmp_path / "ledger.db", sql)

    (fault,) = verify(ledger, gateway.lookup).faults
    assert ("gw-1", "e1", "data", seq) == (fault.gateway, fault.epoch, fault.lane, fault.seq)


def test_verify_says_when_another_key_signed(ledger, gateway, new_gateway):
    gateway.frames(3)
    ledger.append([arrival(gateway.pack(1, 3))])

    (fault,) = verify(ledger, lambda _: new_gateway().enrolled).faults

    assert "signature" in fault.why


def test_verify_counts_holes_without_calling_them_faults(ledger, gateway):
    gateway.frames(9)
    ledger.append([arrival(gateway.pack(1, 3)), arrival(gateway.pack(7, 9))])

    report = verify(ledger, gateway.lookup)

    assert (report.ok, report.missing, report.records) == (True, 3, 6)


def test_verify_is_not_confused_by_a_service_that_goes_on_writing(ledger, gateway, tmp_path, monkeypatch):
    gateway.frames(30)
    ledger.append([arrival(gateway.pack(1, 10))])
    reader = Ledger.open(tmp_path / "ledger.db")
    coverage = reader.coverage

    def written_meanwhile(*lane):
        found = coverage(*lane)
        ledger.append([arrival(gateway.pack(11, 20))])
        return found

    monkeypatch.setattr(reader, "coverage", written_meanwhile)

    report = verify(reader, gateway.lookup)

    assert (report.faults, report.records) == ([], 10)
    monkeypatch.undo()
    assert verify(reader, gateway.lookup).records == 20
    reader.close()


def test_a_row_damaged_on_disk_costs_its_own_records_only(ledger, gateway, tmp_path, caplog):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(1, 10)), arrival(gateway.pack(11, 20))])
    damage(tmp_path / "ledger.db", "UPDATE batch SET payload = x'00' WHERE id = 1")
    fresh = Ledger.open(tmp_path / "ledger.db")

    rows = fresh.read(0, 10)

    assert [len(row.records) for row in rows] == [0, 10]
    assert "row 1 is damaged" in caplog.text
    fresh.close()


def test_long_rows_are_read_a_few_at_a_time(ledger, gateway, tmp_path):
    gateway.frames(30)
    gateway.record(Photo(camera="c", photo="p", jpeg=random.Random(1).randbytes(1000)))
    for first in range(1, 31, 3):
        ledger.append([arrival(gateway.pack(first, first + 2))])
    fresh = Ledger.open(tmp_path / "ledger.db")

    assert len(fresh.read(0, 4)) == 4
    assert [row.id for row in fresh.read(4, 2)] == [5, 6]
    fresh.close()
