import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline_edge.meters.dlt645.frames import ANYBODY, ReadAddress
from plumbline_edge.meters.dlt645.search import Heard, heard, search_addresses

digits = st.text("0123456789", min_size=12, max_size=12).filter(lambda address: address != "9" * 12)
ADDRESS_161 = bytes.fromhex("68 61 01 00 00 00 00 68 93 06 94 34 33 33 33 33 5F 16")
ADDRESS_162 = bytes.fromhex("68 62 01 00 00 00 00 68 93 06 95 34 33 33 33 33 61 16")


def wire(addresses, asked):
    """What a wire with these meters brings: each of those who fit answers at the same moment."""
    answering = [address for address in addresses if address.endswith(asked.lstrip("A"))]
    match answering:
        case []:
            return Heard(kind="nothing")
        case [one]:
            return Heard(kind="one", found=(one,))
        case _:
            return Heard(kind="collision")


def searched(addresses, hear=wire, **limits):
    search = search_addresses(**limits)
    step = next(search)
    while True:
        ReadAddress(address=step.ask).request()
        try:
            step = search.send(hear(addresses, step.ask))
        except StopIteration as done:
            return done.value


@settings(max_examples=200)
@given(st.sets(digits, max_size=20))
def test_every_meter_on_a_wire_is_found_and_nobody_else(addresses):
    result = searched(addresses)

    assert set(result.found) == addresses
    assert result.unresolved == ()
    assert len(result.found) == len(addresses)
    assert result.asked <= 1 + 601 * len(addresses)


@pytest.mark.parametrize(
    ("addresses", "asked"),
    [
        ([], 1),
        (["000000000161"], 1 + 1),
        (["000000000161", "000000000162"], 101 + 2),
        (["000000000161", "000000000261"], 201 + 2),
        (["100000000161", "000000000161"], 601),
        ([f"2022011413{i:02d}" for i in range(20)], 101 + 20),
    ],
)
def test_a_search_asks_as_often_as_the_last_digits_are_alike(addresses, asked):
    result = searched(addresses)

    assert (set(result.found), result.asked) == (set(addresses), asked)


def test_twenty_meters_with_any_numbers_cost_three_hundred_questions_on_average():
    questions = []
    rng = random.Random(645)
    for _ in range(100):
        addresses = {f"{rng.randrange(10**12 - 1):012d}" for _ in range(20)}
        result = searched(addresses)
        assert set(result.found) == addresses
        questions.append(result.asked)

    assert 200 < sum(questions) / len(questions) < 400


def test_a_search_on_a_wire_full_of_noise_ends():
    result = searched([], hear=lambda *_: Heard(kind="collision"), most=500)

    assert result.asked == 500
    assert result.found == ()
    assert len(result.unresolved) > 1_000


def test_a_meter_that_only_seemed_to_answer_is_called_and_looked_behind():
    """Found by the simulated meters: their answers laid over each other made a whole frame of a fourth meter."""
    meters = ["000010001001", "013303002115", "060000141801"]

    def hear(addresses, asked):
        ghost = Heard(kind="one", found=("000000000001",))
        return ghost if asked == ANYBODY else wire(addresses, asked)

    result = searched(meters, hear=hear)

    assert set(result.found) == set(meters)
    assert result.unresolved == ()


def test_a_meter_that_does_not_answer_when_called_is_looked_for_again():
    asked_before = set()

    def hear(addresses, asked):
        first_time = asked not in asked_before
        asked_before.add(asked)
        return Heard(kind="nothing") if asked == "000000000161" and first_time else wire(addresses, asked)

    assert searched(["000000000161"], hear=hear).found == ("000000000161",)


def test_two_meters_with_one_address_are_named():
    result = searched(["000000000161", "000000000161", "000000000162"])

    assert result.found == ("000000000162",)
    assert result.unresolved == ("000000000161",)


def test_progress_says_how_many_questions_are_certain():
    search = search_addresses()
    first = next(search)
    second = search.send(Heard(kind="collision"))

    assert (first.ask, first.asked, first.left) == (ANYBODY, 1, 0)
    assert (second.ask, second.asked, second.left) == ("A" * 10 + "00", 2, 99)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"", Heard(kind="nothing")),
        (b"\xfe\xfe", Heard(kind="nothing")),
        (ReadAddress().request(), Heard(kind="nothing")),
        (ReadAddress().request() + b"\xfe" + ADDRESS_161, Heard(kind="one", found=("000000000161",))),
        (ADDRESS_161 + ADDRESS_161, Heard(kind="one", found=("000000000161",))),
        (
            ADDRESS_161 + b"\xfe\xfe" + ADDRESS_162,
            Heard(kind="collision", found=("000000000161", "000000000162")),
        ),
        (ADDRESS_161 + b"\x00", Heard(kind="collision", found=("000000000161",))),
        (bytes(a & b for a, b in zip(ADDRESS_161, ADDRESS_162, strict=True)), Heard(kind="collision")),
        (ADDRESS_161[:9], Heard(kind="collision")),
    ],
)
def test_what_came_over_the_wire_is_told_apart(received, expected):
    assert heard(received) == expected
