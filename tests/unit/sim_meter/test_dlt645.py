"""The simulated DL/T 645 meter against the gateway's codec, which knows nothing of it."""

import functools
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plumbline.clock import ManualClock
from plumbline.errors import Refused
from plumbline.metrics import Flaw
from plumbline_edge.meters.dlt645.frames import ExceptionAnswer, ReadAddress, ReadData, ReadMore, address_text
from plumbline_edge.meters.dlt645.poll import Learned, decode, plan
from plumbline_edge.meters.dlt645.search import heard, search_addresses
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.dlt645 import Dlt645Meter

PROFILE = find_profile("dlt645_2007")
ME = "202201141312"
GOLDEN = Path(__file__).parents[2] / "golden" / "dlt645"
PUBLISHED = [
    pytest.param(exchange, id=f"{path.stem}-{i}")
    for path in sorted(GOLDEN.glob("*.toml"))
    for i, exchange in enumerate(tomllib.loads(path.read_text()).get("exchange", []))
    if "question" in exchange and "answer" in exchange
]
NAMES = [metric.name for metric in PROFILE.metrics]


class Told:
    """A source that says what it was told, at any time."""

    def __init__(self, values):
        self.values = values

    def at(self, when_s):
        return self.values


def meter_of(values, **more):
    clock = ManualClock(datetime(2026, 3, 2, 4, 0, tzinfo=UTC))
    return Dlt645Meter(
        **{"name": "crane", "address": ME, "profile": PROFILE, "source": Told(values), "clock": clock} | more
    )


def ask(meter, question):
    """The payload of a meter's answer over a wire without faults. Raises ExceptionAnswer."""
    _, answer = meter.hear(question.request())
    return question.payload(question.judge(0, answer or b"").frame)


def poll(meter, learned):
    questions = plan(PROFILE, meter.address, learned)
    answers = []
    for question in questions:
        try:
            answers.append(ask(meter, question))
        except ExceptionAnswer:
            answers.append(Flaw.EXCEPTION)
    return decode(PROFILE, questions, answers, learned)


@pytest.mark.parametrize("exchange", PUBLISHED)
def test_a_simulated_meter_answers_a_published_question_as_the_real_one_did(exchange):
    says = exchange.get("says", {})
    meter = meter_of(
        {metric: value for metric, value in says.items() if isinstance(value, float)},
        address=says.get("address", exchange["of"]),
        lacks=frozenset(metric for metric, value in says.items() if value == "absent"),
    )

    _, answer = meter.hear(bytes.fromhex(exchange["question"]))

    assert answer.lstrip(b"\xfe") == bytes.fromhex(exchange["answer"]).lstrip(b"\xfe")


def low_and_high(register):
    """The plausible values that fit into a register's digits."""
    digits = 2 * register.count
    most = (8 * 10 ** (digits - 1) if register.type[0] == "s" else 10**digits) - 1
    high = min(register.high, float(most * register.scale))
    return max(register.low, -high if register.type[0] == "s" else 0), high


@st.composite
def readings(draw):
    return {r.metric.name: draw(st.none() | st.floats(*low_and_high(r))) for r in PROFILE.registers}


@settings(deadline=None)
@given(readings(), st.booleans())
def test_every_value_is_read_back_as_it_was_set(values, in_blocks):
    refused = frozenset() if in_blocks else frozenset(block.id for block in PROFILE.blocks)
    meter = meter_of(values, refuses=refused)

    result = poll(meter, Learned(refused=refused))

    flaws = dict(result.flaws)
    for i, register in enumerate(PROFILE.registers):
        said, read = values[register.metric.name], result.values[i]
        if said is None:
            assert (read, flaws[i]) == (None, Flaw.SENTINEL)
            continue
        resolution = register.metric.to_wire(1)
        assert abs(read - said * resolution) <= float(register.scale) * resolution / 2 + 1e-6
        assert i not in flaws


def test_a_counter_begins_again_and_a_current_stays_at_the_end_of_its_scale():
    meter = meter_of({"energy_import_total": 1_000_000.26, "current_l1": -1e6, "voltage_l1": 1e6})

    assert ask(meter, ReadData(address=ME, di=0x00010000, size=4)).hex(" ") == "26 00 00 00"
    assert ask(meter, ReadData(address=ME, di=0x02020100, size=3)).hex(" ") == "99 99 f9"
    assert ask(meter, ReadData(address=ME, di=0x02010100, size=2)).hex(" ") == "99 99"


def test_a_single_phase_meter_lacks_two_phases_in_a_block_and_refuses_them_alone():
    lacks = frozenset(name for name in NAMES if name.endswith(("_l2", "_l3")))
    meter = meter_of(dict.fromkeys(NAMES, 0.5), lacks=lacks)

    assert ask(meter, ReadData(address=ME, di=0x0201FF00, size=6)).hex(" ") == "05 00 ff ff ff ff"
    with pytest.raises(ExceptionAnswer, match="no such data"):
        ask(meter, ReadData(address=ME, di=0x02010200, size=2))

    blocks = frozenset(block.id for block in PROFILE.blocks)
    meter.refuses = blocks
    learned = Learned(refused=blocks)
    for _ in range(2):
        learned = poll(meter, learned).learned
    result = poll(meter, learned)

    assert learned.refused - blocks == {r.address for r in PROFILE.registers if r.metric.name in lacks}
    assert {NAMES[i] for i, value in enumerate(result.values) if value is None} == lacks


def test_a_meter_answers_its_own_address_and_shortened_ones_and_keeps_still_otherwise():
    meter = meter_of({})

    for asked in (ME, "A" * 12, "A" * 10 + "12", "AA2201141312"):
        assert address_text(ask(meter, ReadAddress(address=asked))) == ME
    for asked in ("202201141313", "A" * 10 + "13", "212201141312"):
        assert meter.hear(ReadAddress(address=asked).request()) == (16, None)


def test_a_meter_hears_a_question_in_noise_and_in_pieces_and_two_in_a_row():
    meter = meter_of({"frequency": 50.0})
    question = ReadData(address=ME, di=0x02800002, size=2)
    sent = question.request()

    for cut in range(5, len(sent)):
        consumed, answer = meter.hear(b"\x68\x00\xfe" + sent[:cut])
        assert answer is None
        assert meter.hear((b"\x68\x00\xfe" + sent[:cut])[consumed:] + sent[cut:])[1] is not None
    consumed, first = meter.hear(sent + sent)
    assert meter.hear((sent + sent)[consumed:]) == (len(sent), first)


@given(st.binary(max_size=300))
def test_a_meter_survives_any_bytes_and_never_answers_noise_it_was_not_asked_in(received):
    consumed, answer = meter_of({}).hear(received)

    assert 0 <= consumed <= len(received)
    assert answer is None


def test_a_meter_that_is_written_to_refuses_and_remembers():
    meter = meter_of({})
    frame = bytearray(ReadData(address=ME, di=0x04000401, size=6).request()[4:])
    frame[8] = 0x14
    frame[-2] = sum(frame[:-2]) % 256

    _, answer = meter.hear(bytes(frame))

    assert answer[4 + 8 : 4 + 11] == bytes((0xD4, 1, 4 + 0x33))
    assert meter.writes_heard == 1


def test_a_meter_has_no_second_part_of_what_fits_into_one():
    with pytest.raises(Refused, match="no such data"):
        ask(meter_of({}), ReadMore(address=ME, di=0x00010000, size=1, sequence=1))


def overlay(left, right):
    """Two answers at once on one pair of wires: who drives it low wins."""
    return bytes(a & b for a, b in zip(left or right, right, strict=True))


@settings(deadline=None, max_examples=20)
@example(
    {"000010001001", "013303002115", "060000141801"}
)  # laid over each other, a whole answer of 000000000001
@given(st.sets(st.text("0123456789", min_size=12, max_size=12), max_size=6))
def test_a_search_over_simulated_meters_finds_all_though_their_answers_mix(addresses):
    addresses = addresses - {"9" * 12}
    meters = [meter_of({}, address=address) for address in addresses]
    assert set(all_found(meters)) == addresses


def all_found(meters):
    search = search_addresses()
    step = next(search)
    while True:
        question = ReadAddress(address=step.ask).request()
        answers = [answer for meter in meters if (answer := meter.hear(question)[1])]
        try:
            step = search.send(heard(functools.reduce(overlay, answers, b"")))
        except StopIteration as done:
            return done.value.found
