"""What it costs to compare a batch with its neighbours: what an overlap holds, however often it is overlapped."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import codec
from plumbline.messages import Gap
from plumbline_central.continuity import Link, conflict, heads, heads_at
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.verify import verify

SPANS = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=8
)


class Stored:
    """Stored batches that count how often their inside is looked at."""

    def __init__(self, batches):
        self.batches = batches
        self.opened = 0

    def __iter__(self):
        for batch in self.batches:
            yield (
                Link(batch.first, batch.last, batch.prev, batch.head),
                lambda batch=batch: self._heads(batch),
            )

    def _heads(self, batch):
        self.opened += 1
        return heads(batch)


class Records(list):
    """Counts how often somebody goes through it."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()


@pytest.fixture
def opened(monkeypatch):
    """How many payloads were decoded so far."""
    count, decode = [0], codec.open_batch

    def counting(payload):
        count[0] += 1
        return decode(payload)

    monkeypatch.setattr(codec, "open_batch", counting)
    return count


def batches(gateway, spans):
    return [codec.open_batch(gateway.pack(*span)) for span in spans]


def ledger_with(path, gateway, spans):
    ledger = Ledger.open(path / "ledger.db")
    payloads = [gateway.pack(*span) for span in spans]
    ledger.append([Arrival(received_us=1, payload=raw, batch=codec.open_batch(raw)) for raw in payloads])
    return ledger


def test_of_many_stored_batches_around_a_new_one_one_is_opened(gateway):
    gateway.frames(90)
    stored = Stored(batches(gateway, [(1, last) for last in range(20, 88)]))
    (ours,) = batches(gateway, [(3, 5)])

    assert conflict(ours, stored) is None
    assert stored.opened == 1


def test_a_new_batch_around_many_stored_ones_is_walked_once(gateway):
    gateway.frames(60)
    stored = Stored(batches(gateway, [(n, n) for n in range(10, 50)]))
    (ours,) = batches(gateway, [(1, 60)])
    records = Records(ours.records)

    assert conflict(dataclasses.replace(ours, records=records), stored) is None
    assert (records.walks, stored.opened) == (1, 0)


@given(SPANS, st.tuples(st.integers(1, 30), st.integers(0, 9)), st.booleans())
def test_a_fork_is_found_wherever_both_know_a_record(new_gateway, spans, ours, forked):
    gateway = new_gateway()
    gateway.frames(40)
    other = new_gateway(key=gateway.key)
    other.frames(40, device="m2")
    first, last = ours[0], sum(ours)
    (batch,) = batches(other if forked else gateway, [(first, last)])
    near = [span for span in spans if span[0] <= last + 1 and span[1] >= first - 1]
    known = {min(span[1], last) for span in near} - {0}

    assert (conflict(batch, Stored(batches(gateway, near))) is not None) == (forked and bool(known))


def test_verify_opens_a_long_batch_once_for_all_that_lie_in_it(tmp_path, gateway, opened):
    gateway.frames(60)
    ledger = ledger_with(tmp_path, gateway, [*((n, n) for n in range(2, 58)), (1, 60)])
    opened[0] = 0

    report = verify(ledger, gateway.lookup)

    assert (report.faults, report.batches) == ([], 57)
    assert opened[0] <= report.batches + 1
    ledger.close()


def test_verify_opens_a_batch_once_for_all_gaps_that_end_in_it(tmp_path, gateway, opened):
    gateway.frames(60)
    data, status = gateway.heads["data"], 50
    for n in range(1, status + 1):
        said = Gap(lane="data", first=n + 1, last=n + 2, why="size", prev=data[n], head=data[n + 2])
        gateway.record(said, lane="status")
    ledger = ledger_with(tmp_path, gateway, [(1, 60)])
    raw = gateway.pack(1, status, lane="status")
    ledger.append([Arrival(received_us=1, payload=raw, batch=codec.open_batch(raw))])
    opened[0] = 0

    assert verify(ledger, gateway.lookup).faults == []
    assert opened[0] <= 2 + 2
    ledger.close()


@given(SPANS, st.sets(st.integers(0, 40)))
def test_heads_are_told_wherever_a_stored_batch_knows_them(new_gateway, spans, seqs):
    gateway = new_gateway()
    gateway.frames(40)
    stored = Stored(batches(gateway, spans))
    known = {n for first, last in spans for n in range(first - 1, last + 1)}

    found = heads_at(sorted(seqs), stored)

    assert found == {seq: gateway.heads["data"][seq] for seq in seqs & known}
    assert stored.opened <= len(spans)
