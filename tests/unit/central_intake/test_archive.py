"""Old rows in archive files are read, compared and proven as if they had stayed."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec
from plumbline.clock import to_us
from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline.messages import Frame, Gap
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.ledger import archive as archives
from plumbline_central.project import catch_up
from plumbline_central.stores.gaps import GapStore
from plumbline_central.verify import verify

BLOCK = 4
LATER = 1_000
STEPS = ("written", "synced", "compared", "renamed", "recorded", "deleted")


class PowerCut(Exception):
    """The machine stops here."""


def cut_at(step):
    def on_step(reached):
        if reached == step:
            raise PowerCut

    return on_step


def arrival(payload, at_us=1):
    return Arrival(received_us=at_us, payload=payload, batch=codec.open_batch(payload))


def opened(folder, **more):
    return Ledger.open(folder / "ledger.db", block=BLOCK, **more)


@pytest.fixture
def ledger(tmp_path):
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.fixture
def filled(ledger, gateway):
    """Ten rows of three records; two blocks of them can be archived."""
    gateway.frames(33)
    for n in range(10):
        ledger.append([arrival(gateway.pack(3 * n + 1, 3 * n + 3), at_us=n)])
    return ledger


def archive_all(ledger, before_us=LATER):
    return len(list(iter(lambda: ledger.archive_next(before_us), None)))


def told(ledger, gateway):
    """Everything that anybody can ask of it."""
    report = verify(ledger, gateway.lookup)
    rows, at = [], 0
    while some := ledger.read(at, 3):
        rows += some
        at = some[-1].id
    lanes = ledger.lanes()
    return (
        rows,
        lanes,
        [list(ledger.rows(*lane)) for lane in lanes],
        ledger.covered(),
        ledger.holes(),
        ledger.last_id(),
        ledger.counters(),
        (
            report.lanes,
            report.batches,
            report.records,
            report.missing,
            report.declared_missing,
            report.faults,
        ),
    )


def test_a_block_moves_out_when_its_newest_row_is_old_enough(filled, tmp_path):
    assert filled.archive_next(before_us=3) is None
    assert filled.archivable(before_us=LATER) == 2

    segment = filled.archive_next(before_us=4)

    assert (segment.first_id, segment.last_id, segment.rows, segment.records) == (1, 4, 4, 12)
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["ledger-1-4.db"]
    assert filled.archive_next(before_us=7) is None
    assert filled.archive_next(before_us=8).first_id == 5
    assert filled.archive_next(before_us=LATER) is None


def test_moved_rows_leave_the_file_of_the_ledger_and_their_pages_are_used_again(filled, tmp_path, gateway):
    def pages_in_use():
        with filled._db.read() as db:
            (all_,), (free,) = (
                db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count")
            )
            (rows,) = db.execute("SELECT count(*) FROM batch").fetchone()
        return all_ - free, rows

    gateway.frames(3_000)
    for first in range(34, 3_000, 100):
        filled.append([arrival(gateway.pack(first, first + 99), at_us=20)])
    before, _ = pages_in_use()
    archive_all(filled)

    after, rows = pages_in_use()
    assert after < before
    assert rows < BLOCK


def test_everything_is_told_as_before_from_whatever_mixture_of_files(filled, gateway, tmp_path):
    filled.append([arrival(gateway.pack(2, 33), at_us=11), arrival(gateway.pack(1, 9), at_us=12)])
    expected = told(filled, gateway)
    for _ in range(2):
        assert filled.archive_next(LATER) is not None
        assert told(filled, gateway) == expected
    filled.close()

    again = opened(tmp_path)
    assert told(again, gateway) == expected
    again.close()


SPAN = st.tuples(st.integers(1, 40), st.integers(0, 9)).map(lambda p: (p[0], min(p[0] + p[1], 40)))
ACTION = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["data", "photo"]), SPAN),
    st.tuples(st.just("archive"), st.sampled_from([None, *STEPS]), st.just((0, 0))),
    st.tuples(st.just("reopen"), st.none(), st.just((0, 0))),
)


@settings(deadline=None, max_examples=60)
@given(actions=st.lists(ACTION, max_size=40))
def test_a_ledger_that_archives_and_loses_power_anywhere_equals_one_that_never_did(
    actions, tmp_path_factory, new_gateway
):
    """Duplicates, any order, any overlap, a power cut at any step: every record is there once, in both."""
    folder = tmp_path_factory.mktemp("archive")
    gateway = new_gateway()
    gateway.frames(40)
    gateway.frames(40, lane="photo")
    for first, last in ((3, 9), (20, 21)):
        heads = gateway.heads["data"]
        gone = Gap(lane="data", first=first, last=last, why="size", prev=heads[first - 1], head=heads[last])
        gateway.record(gone, lane="status")
    ledger, plain = opened(folder), Ledger.open(folder / "plain.db")
    times = itertools.count(1)
    for what, how, span in [("send", "status", (1, 2)), *actions]:
        if what == "send":
            group = [arrival(gateway.pack(*span, lane=how), at_us=next(times))]
            assert ledger.append(group) == plain.append(group)
        elif what == "archive":
            try:
                ledger.archive_next(LATER, cut_at(how))
            except PowerCut:
                ledger.close()
                ledger = opened(folder)
        else:
            ledger.close()
            ledger = opened(folder)

    assert told(ledger, gateway) == told(plain, gateway)
    assert told(ledger, gateway)[-1][-1] == []
    ledger.close()
    plain.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_at_any_step_loses_nothing_and_the_next_run_finishes(filled, gateway, tmp_path, step):
    expected = told(filled, gateway)
    with pytest.raises(PowerCut):
        filled.archive_next(LATER, cut_at(step))
    filled.close()

    again = opened(tmp_path)
    assert told(again, gateway) == expected
    assert again.segments() == []
    assert archive_all(again) == 2
    assert told(again, gateway) == expected
    assert sorted(path.name for path in (tmp_path / "archive").iterdir()) == [
        "ledger-1-4.db",
        "ledger-5-8.db",
    ]
    again.close()


def test_a_file_that_does_not_read_back_as_written_moves_nothing(filled, tmp_path):
    part = tmp_path / "archive" / "ledger-1-4.part"

    def rot(step):
        if step == "synced":
            raw = part.read_bytes()
            part.write_bytes(raw.replace(raw[-40:], bytes(40)))

    with pytest.raises(Unreachable, match="ledger-1-4"):
        filled.archive_next(LATER, rot)

    assert filled.segments() == []
    assert list((tmp_path / "archive").iterdir()) == []


def test_an_archive_that_takes_nothing_leaves_the_rows_where_they_are(filled, tmp_path):
    (tmp_path / "archive").write_text("a file, not a folder")

    with pytest.raises(Unreachable, match="archive"):
        filled.archive_next(LATER)

    assert len(filled.read(0, 4)) == 4


def test_two_processes_do_not_archive_at_once(filled, tmp_path):
    other = opened(tmp_path)

    def meanwhile(step):
        if step == "synced":
            with pytest.raises(Refused, match="another process"):
                other.archive_next(LATER)

    assert filled.archive_next(LATER, meanwhile).first_id == 1
    other.close()


def test_ids_go_on_after_everything_was_archived(ledger, gateway, tmp_path):
    gateway.frames(8)
    for n in range(1, 5):
        ledger.append([arrival(gateway.pack(n, n))])
    archive_all(ledger)
    ledger.close()

    again = opened(tmp_path)
    (outcome,) = again.append([arrival(gateway.pack(5, 8))])

    assert (outcome.row_id, again.last_id()) == (5, 5)
    assert [row.id for row in again.read(0, 9)] == [1, 2, 3, 4]
    assert [row.id for row in again.read(4, 9)] == [5]
    again.close()


def test_a_late_batch_is_compared_with_what_is_archived(filled, gateway, new_gateway):
    archive_all(filled)
    liar = new_gateway(key=gateway.key)
    liar.frames(40, device="m2")

    outcomes = filled.append(
        [
            arrival(gateway.pack(5, 8)),
            arrival(liar.pack(5, 8)),
            arrival(liar.pack(2, 2)),
            arrival(gateway.pack(1, 33)),
        ]
    )

    assert [outcome.status for outcome in outcomes] == ["duplicate", "refused", "refused", "stored"]
    assert outcomes[3].taken == ((31, 33),)


def test_without_the_archives_files_receiving_goes_on_and_nothing_is_refused_for_it(
    filled, gateway, tmp_path, caplog
):
    archive_all(filled)
    away = tmp_path / "away"
    (tmp_path / "archive").rename(away)

    fresh, late, elsewhere = filled.append(
        [arrival(gateway.pack(31, 33)), arrival(gateway.pack(4, 6)), arrival(gateway.pack(28, 30))]
    )

    assert (fresh.status, late.status, elsewhere.status) == ("stored", "deferred", "duplicate")
    assert "ledger-1-4.db is not there" in caplog.text
    counters = filled.counters()
    for what in ("batches", "records"):
        parts = [counters[f"{what}_{fate}"] for fate in ("stored", "duplicate", "refused")]
        assert counters[f"{what}_received"] == sum(parts)
    away.rename(tmp_path / "archive")
    (again,) = filled.append([arrival(gateway.pack(4, 6))])
    assert again.status == "duplicate"


def test_a_missing_file_is_named_to_whoever_needs_it(filled, gateway, tmp_path):
    archive_all(filled)
    (tmp_path / "archive" / "ledger-5-8.db").unlink()
    fresh = opened(tmp_path)

    for ask in (
        lambda: verify(fresh, gateway.lookup),
        lambda: fresh.read(4, 1),
        lambda: list(fresh.rows("gw-1", "e1", "data")),
        fresh.need_archive,
    ):
        with pytest.raises(ConfigError, match=r"ledger-5-8\.db is not there") as raised:
            ask()
        assert "archive_dir" in raised.value.hint
    fresh.close()


@pytest.mark.parametrize("where", [100, -100])
def test_verify_names_an_archive_file_that_was_changed(filled, gateway, tmp_path, where):
    archive_all(filled)
    path = tmp_path / "archive" / "ledger-1-4.db"
    raw = bytearray(path.read_bytes())
    raw[where] ^= 1
    path.chmod(0o600)
    path.write_bytes(raw)
    fresh = opened(tmp_path)

    report = verify(fresh, gateway.lookup)

    assert not report.ok
    assert [text for text in report.altered_segments if "ledger-1-4.db" in text] == report.altered_segments
    assert len(report.altered_segments) == 1
    fresh.close()


def test_a_file_that_is_no_database_any_more_is_a_fault_of_its_lanes(filled, gateway, tmp_path):
    archive_all(filled)
    path = tmp_path / "archive" / "ledger-1-4.db"
    path.chmod(0o600)
    path.write_bytes(b"holiday pictures" * 1000)
    fresh = opened(tmp_path)

    report = verify(fresh, gateway.lookup)

    assert "ledger-1-4.db is damaged" in str(report.faults[0])
    fresh.close()


def test_the_archive_may_be_on_other_storage(tmp_path, gateway):
    gateway.frames(8)
    ledger = opened(tmp_path, archive_dir=tmp_path / "nas" / "plumbline")
    for n in range(1, 9):
        ledger.append([arrival(gateway.pack(n, n))])

    archive_all(ledger)

    assert len(list((tmp_path / "nas" / "plumbline").iterdir())) == 2
    assert verify(ledger, gateway.lookup).records == 8
    ledger.close()


def test_a_projection_rebuilt_from_the_archive_says_the_same(ledger, gateway, tmp_path):
    for n in range(1, 9):
        gateway.record(Gap(lane="data", first=n, last=n, why="age"), lane="status")
        ledger.append([arrival(gateway.pack(n, n, lane="status"))])
    store = GapStore.open(tmp_path / "series.db")
    catch_up(ledger, store)
    before = store.declared(), store.tally()
    archive_all(ledger)

    store.reset()
    catch_up(opened(tmp_path), store, 0)

    assert (store.declared(), store.tally()) == before
    assert ledger.account([2, 5, 8]).after == {2: 6, 5: 3, 8: 0}
    store.close()


def test_a_block_has_4096_rows_unless_told_otherwise(tmp_path, gateway):
    gateway.frames(1)
    payload = gateway.pack(1, 1)
    ledger = Ledger.open(tmp_path / "ledger.db")
    with ledger._db.write() as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4095)"
            " INSERT INTO batch SELECT i, 1, 'a', 'g', 'e', 'data', i, i, x'', x'', x'00', NULL FROM n"
        )
    assert ledger.archivable(LATER) == 0
    ledger.append([arrival(payload)])

    assert (archives.BLOCK, ledger.archivable(LATER)) == (4096, 1)
    ledger.close()


def test_a_frame_that_was_archived_is_read_back_value_by_value(ledger, gateway):
    for value in range(4):
        gateway.record(Frame(device="m1", metrics=(1,), values=(value,)))
        ledger.append(
            [arrival(gateway.pack(value + 1, value + 1), at_us=to_us(datetime(2026, 1, 1, tzinfo=UTC)))]
        )

    assert ledger.archive_next(to_us(datetime(2026, 1, 2, tzinfo=UTC))) is not None

    assert [r.body.values for row in ledger.read(0, 9) for r in row.records] == [(0,), (1,), (2,), (3,)]
