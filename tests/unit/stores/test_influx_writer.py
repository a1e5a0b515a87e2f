"""Lines reach the server, or are kept aside one by one with the server's words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import Busy, Refused, Unreachable
from plumbline_central.schema import Database
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.answers import Away, Done, Misconfigured, Overloaded, Rejected, TooLarge
from plumbline_central.stores.influx.dialect import Span
from plumbline_central.stores.influx.refused import MIGRATIONS, Refusal, RefusedLines
from plumbline_central.stores.influx.writer import (
    DATABASE,
    MOST_BYTES,
    MOST_LINES,
    MOVED,
    REFUSED,
    Writer,
    batches,
)


class FakeServer:
    """Takes lines whose `v` is a number, as far as `most` bytes; stores the good ones of a batch it refuses, or none."""

    server = "http://fake"

    def __init__(self, *, most=1 << 30, partly=True):
        self.most = most
        self.partly = partly
        self.trouble = None
        self.no = Refused("http://fake: DELETE is not supported")
        self.kept = {}
        self.requests = 0

    def write(self, place, body):
        self.requests += 1
        if self.trouble is not None:
            return self.trouble
        if len(body) > self.most:
            return TooLarge("413 too large")
        lines = body.decode().splitlines()
        good = [line for line in lines if "v=bad" not in line]
        if len(good) < len(lines):
            if self.partly:
                self._keep(good)
            return Rejected("400 unable to parse")
        self._keep(lines)
        return Done()

    def delete(self, span):
        raise self.no

    def _keep(self, lines):
        self.kept |= {line.rsplit(" ", 1)[1]: line for line in lines}


class Desk:
    """A writer with all that is around it."""

    def __init__(self, folder, server):
        self.db = Database.open(folder / "series.db", MIGRATIONS)
        self.server = server
        self.refused = RefusedLines(self.db)
        self.faults = StandingFaults()
        self.writer = Writer(server, self.refused, self.faults)

    def write(self, lines):
        self.writer.write("plumbline", lines)

    def close(self):
        self.writer.close()
        self.db.close()

    def aside(self):
        return {
            line: words
            for place, words in self.refused.kinds(100)
            for line in self.refused.lines(place, words, 10_000)
        }


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, FakeServer())
    yield made
    made.close()


def line(n, v="1"):
    return f"meter,site=a v={v} {n}"


@settings(max_examples=60, deadline=None)
@given(
    bad=st.lists(st.booleans(), min_size=1, max_size=60),
    partly=st.booleans(),
    most=st.sampled_from([25, 60, 400, 1 << 20]),
)
def test_a_bad_line_never_costs_its_neighbours(bad, partly, most, tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"), FakeServer(most=most, partly=partly))
    lines = [line(n, "bad" if is_bad else "1") for n, is_bad in enumerate(bad)]
    desk.write(lines)

    assert sorted(desk.server.kept.values()) == sorted(good for good in lines if "bad" not in good)
    assert desk.aside() == {one: "400 unable to parse" for one in lines if "bad" in one}
    assert set(desk.faults.standing()) == ({REFUSED} if any(bad) else set())
    desk.close()


def test_one_bad_line_of_a_full_batch_is_found_in_a_few_requests(desk):
    desk.write([line(n, "bad" if n == 3_333 else "1") for n in range(MOST_LINES)])

    assert len(desk.server.kept) == MOST_LINES - 1
    assert desk.server.requests < 30


def test_a_batch_is_no_longer_than_every_server_takes():
    lines = [line(n, "1" * 500) for n in range(12_345)]
    found = list(batches(lines))

    assert [one for some in found for one in some] == lines
    assert all(len(some) <= MOST_LINES and sum(len(one) + 1 for one in some) <= MOST_BYTES for some in found)
    assert [len(some) for some in batches([line(n) for n in range(MOST_LINES + 1)])] == [MOST_LINES, 1]
    assert list(batches(["x" * 2 * MOST_BYTES, "y"])) == [["x" * 2 * MOST_BYTES], ["y"]]


def test_a_batch_of_chinese_words_is_measured_in_bytes():
    line = "楼" * (MOST_BYTES // 5)

    assert list(batches([line] * 3)) == [[line], [line], [line]]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Away("refused"), Unreachable),
        (Misconfigured("401 no"), Unreachable),
        (Overloaded("429 slow down", 7.0), Busy),
    ],
)
def test_a_server_that_takes_nothing_is_one_standing_fault_until_it_does(desk, caplog, trouble, kind):
    desk.server.trouble = trouble
    for _ in range(3):
        with pytest.raises(kind):
            desk.write([line(1)])

    assert desk.faults.standing() == {DATABASE: f"http://fake: {trouble.words}"}
    assert len(caplog.records) == 1
    desk.server.trouble = None
    desk.write([line(1)])
    assert desk.faults.standing() == {}
    assert (len(desk.server.kept), desk.aside()) == (1, {})


def test_writing_nothing_says_nothing_of_the_server(desk):
    desk.server.trouble = Away("refused")
    with pytest.raises(Unreachable):
        desk.write([line(1)])
    desk.write([])

    assert list(desk.faults.standing()) == [DATABASE]


def test_lines_of_many_batches_arrive_in_order_and_an_outage_in_the_middle_is_raised(desk):
    count = 3 * MOST_LINES + 7
    desk.write(line(n) for n in range(count))
    assert list(desk.server.kept) == [str(n) for n in range(count)]
    desk.server.requests = 0
    real = desk.server.write
    desk.server.write = lambda place, body: Away("gone") if desk.server.requests else real(place, body)

    with pytest.raises(Unreachable):
        desk.write(line(n) for n in range(count))


def test_what_was_found_bad_is_kept_aside_though_the_server_goes_away_meanwhile(desk):
    class Leaving(FakeServer):
        def write(self, place, body):
            if self.requests == 4:
                return Away("gone")
            return super().write(place, body)

    desk.writer = Writer(Leaving(), desk.refused, desk.faults)
    with pytest.raises(Unreachable):
        desk.write([line(1, "bad"), line(2), line(3), line(4)])

    assert list(desk.aside()) == [line(1, "bad")]


def test_refused_lines_are_written_once_the_server_takes_them(desk, caplog):
    desk.write([line(1, "bad"), line(2, "bad")])
    desk.writer.try_refused()
    assert len(desk.aside()) == 2
    desk.server.write = lambda place, body: Done()
    desk.writer.try_refused()

    assert (desk.aside(), desk.faults.standing()) == ({}, {})


def test_a_line_that_stays_bad_keeps_no_other_from_being_tried(desk):
    desk.refused.put([Refusal(place="plumbline", line=line(n, "bad"), words="400 too old") for n in (1, 2)])
    mended = [Refusal(place="plumbline", line=line(n), words="400 conflict") for n in range(10, 30)]
    desk.refused.put(mended)
    desk.writer.try_refused()

    assert set(desk.aside()) == {line(1, "bad"), line(2, "bad")}
    assert len(desk.server.kept) == 20
    assert "2 kept aside" in desk.faults.standing()[REFUSED]


def test_a_refused_line_is_moot_once_its_point_is_written_again_or_gone(desk):
    desk.write([line(1, "bad"), line(2, "bad"), line(3, "bad")])
    desk.write([line(1)])
    desk.writer.settle("plumbline", [line(2)])

    assert list(desk.aside()) == [line(3, "bad")]
    desk.writer.forget("meter")
    assert (desk.aside(), desk.faults.standing()) == ({}, {})


SPAN = Span(place="plumbline", measurement="meter", tags={"boot": "b1"})


def test_a_server_that_deletes_nothing_holds_up_no_reading(desk):
    desk.writer.delete(SPAN)

    assert list(desk.faults.standing()) == [MOVED]


@pytest.mark.parametrize("no", [Refused("http://fake: timeout"), Unreachable("http://fake: gone")])
def test_a_deletion_that_fails_is_tried_again(desk, no):
    desk.server.no = no
    with pytest.raises(type(no)):
        desk.writer.delete(SPAN)

    assert list(desk.faults.standing()) == [DATABASE]
