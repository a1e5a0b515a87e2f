"""What stands in exported files, whatever was in the cells."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from plumbline.clock import from_us
from plumbline_central.export.csvfile import cell_text, csv_file
from plumbline_central.export.parquet import parquet_file
from plumbline_central.export.table import Table, portions
from plumbline_central.export.walk import walk

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = Table(name="t", columns=(("who", "text"), ("value", "number"), ("many", "whole"), ("at", "time")))
ROWS = [("李伟", -1.5, 3, NOON), ("=1+1", None, None, None), ("", 0.0, 0, NOON + timedelta(microseconds=1))]

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
times = st.integers(0, 4_000_000_000_000_000).map(from_us)
rows = st.lists(
    st.tuples(
        texts,
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | times,
    ),
    max_size=6,
)


def test_a_spreadsheet_reads_chinese_gaps_and_no_formulas():
    file = b"".join(csv_file(TABLE, [ROWS[:2], ROWS[2:]]))

    assert file.startswith(b"\xef\xbb\xbfwho,value,many,at\r\n")
    assert file.decode("utf-8-sig").splitlines()[1:] == [
        "李伟,-1.5,3,2026-03-01T12:00:00Z",
        "'=1+1,,,",
        ",0.0,0,2026-03-01T12:00:00.000001Z",
    ]


def test_a_number_may_begin_with_a_minus_and_a_text_may_not():
    assert cell_text(-4.0) == "-4.0"
    assert [cell_text(sign + "1") for sign in "=+-@\t\r\n＝＋－＠"] == [
        f"'{sign}1" for sign in "=+-@\t\r\n＝＋－＠"
    ]
    assert cell_text(NOON.astimezone(timezone(timedelta(hours=8)))) == "2026-03-01T12:00:00Z"


@given(rows)
def test_what_csv_holds_is_what_was_there(some):
    read = list(csv.reader(io.StringIO(b"".join(csv_file(TABLE, [some])).decode("utf-8-sig"), newline="")))

    assert read == [TABLE.names, *([cell_text(cell) for cell in row] for row in some)]
    assert not any(cell[:1] in tuple("=+@\t\r\n＝＋－＠") for row in read for cell in row if cell)


@given(rows)
def test_what_parquet_holds_is_what_was_there(some):
    table = parquet.read_table(io.BytesIO(b"".join(parquet_file(TABLE, portions([some], 2)))))

    assert table.schema.names == TABLE.names
    assert [tuple(row.values()) for row in table.to_pylist()] == some


def test_an_empty_table_has_its_columns():
    assert b"".join(csv_file(TABLE, [])) == b"\xef\xbb\xbfwho,value,many,at\r\n"
    assert parquet.read_table(io.BytesIO(b"".join(parquet_file(TABLE, [])))).num_rows == 0


def test_a_large_file_takes_no_more_memory_than_its_portions():
    tracemalloc.start()
    pieces = ([(f"w{n}", float(n), n, NOON)] * 1_000 for n in range(300))
    size = sum(len(piece) for piece in csv_file(TABLE, portions(pieces, 5_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 10_000_000
    assert peak < 5_000_000


@given(st.lists(st.lists(st.integers(), max_size=7)), st.integers(1, 5))
def test_portions_hold_the_same_in_the_same_order(pieces, most):
    cut = list(portions(pieces, most))

    assert [one for piece in cut for one in piece] == [one for piece in pieces for one in piece]
    assert all(len(piece) == most for piece in cut[:-1])


@given(st.integers(0, 5_000), st.integers(50, 5_000))
def test_a_walk_reads_every_moment_once(length_s, piece_s):
    asked = []
    end = NOON + timedelta(seconds=length_s)
    found = list(walk(NOON, end, timedelta(seconds=piece_s), lambda a, b: asked.append((a, b)) or [a]))

    assert len(found) == len(asked)
    edges = [NOON, *(b for _, b in asked)]
    assert [a for a, _ in asked] == edges[:-1]
    assert edges[-1] == end
    assert all(b - a <= timedelta(seconds=piece_s) for a, b in asked)
