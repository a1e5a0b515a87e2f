from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.tenure import Counters
from plumbline_edge.meters.profiles.file import find_profile

FLOATS = find_profile("eastron_sdm630")
WIDTH = len(FLOATS.registers)
WHOLE = find_profile("carlo_gavazzi_em340")


@pytest.fixture
def play():
    """The flaws and sentences of one counter's values (in kWh; None: no value), poll by poll."""

    def play(values, profile=FLOATS, tenure=None):
        counters = Counters(profile.registers)
        place = [metric.name for metric in profile.metrics].index("energy_import_total")
        state = tenure or counters.begin()
        flaws, told = [], []
        for value in values:
            steps = None if value is None else round(value * 10_000)
            verdict = counters.judge(
                state, tuple(steps if i == place else None for i in range(len(profile.registers)))
            )
            state = verdict.tenure
            flaws.append(dict(verdict.flaws).get(place))
            told += [verdict.replaced] if verdict.replaced else []
        return flaws, told

    return play


def test_a_counter_that_grows_or_stands_still_is_good(play):
    assert play([10, 10, 10.5, None, 11]) == ([None] * 5, [])


def test_a_counter_that_goes_back_and_counts_on_is_told_as_another_meter_once(play):
    flaws, told = play([5000, 5000.1, 3, 3.1, 3.2, 3.3, 3.4, 3.5])

    assert flaws == [None, None, Flaw.WENT_BACK, Flaw.WENT_BACK, None, None, None, None]
    assert told == ["another meter, or this one was set back: energy_import_total from 5000.1 to 3.2 kWh"]


def test_an_idle_meter_that_was_set_to_zero_is_told_too(play):
    assert len(play([5000, 0, 0, 0, 0])[1]) == 1


def test_one_misread_value_is_no_other_meter(play):
    assert play([5000, 5000.1, 9000, 5000.2, 5000.3]) == ([None, None, None, Flaw.WENT_BACK, None], [])
    assert play([5000, 5000.1, 12, 5000.2, 5000.3]) == ([None, None, Flaw.WENT_BACK, None, None], [])


def test_an_older_answer_served_again_is_no_other_meter(play):
    flaws, told = play([5000, 5000.2, 5000.0, 5000.0, 5000.0, 5000.1, 5000.2, 5000.3])

    assert told == []
    assert flaws[-3:] == [None, None, None]


def test_a_full_integer_counter_rolls_over_and_is_no_other_meter(play):
    full = WHOLE.register("energy_import_total").modulus

    assert play([full - 2, full - 1, 1, 2, 3, 4], WHOLE) == (
        [None, None, Flaw.ROLLOVER, None, None, None],
        [],
    )


def test_a_decimal_counter_rolls_over_after_its_last_nine():
    profile = replace(FLOATS, registers=tuple(
        replace(r, modulus=100_000) if r.metric.kind == "counter" else r for r in FLOATS.registers
    ))  # fmt: skip
    counters = Counters(profile.registers)
    place = [metric.name for metric in profile.metrics].index("energy_import_total")
    state = counters.begin()
    flaws = []
    for kwh in (99_999.99, 0.01, 0.02):
        verdict = counters.judge(
            state, tuple(round(kwh * 1e4) if i == place else None for i in range(len(profile.registers)))
        )
        state = verdict.tenure
        flaws += verdict.flaws

    assert flaws == [(place, Flaw.ROLLOVER)]


def test_another_serial_number_is_another_meter_whose_counters_begin_anew(play):
    counters = Counters(FLOATS.registers)
    first = counters.serial_read(counters.begin(), "1234 ")
    same = counters.serial_read(first.tenure, "1234")
    other = counters.serial_read(same.tenure, "77")

    assert (first.replaced, same.replaced) == (None, None)
    assert other.replaced == "another meter: its serial number is 77, it was 1234"
    assert play([3.0, 3.1], tenure=other.tenure) == ([None, None], [])


def test_the_same_serial_number_with_lower_counters_was_set_back(play):
    counters = Counters(FLOATS.registers)
    known = counters.serial_read(counters.begin(), "1234").tenure

    assert play([500, 1, 1, 1], tenure=known)[1][0].startswith("meter 1234 was set back")


@given(st.lists(st.integers(0, 10**6)), st.integers(0, 10**6))
def test_whatever_comes_a_growing_end_is_good_and_told_at_most_once(values, start):
    counters = Counters(FLOATS.registers)
    state = counters.begin()
    for value in values:
        state = counters.judge(state, (value * 10_000,) * WIDTH).tenure
    told = 0
    flaws = ()
    for i in range(5):
        verdict = counters.judge(state, ((start + i) * 10_000,) * WIDTH)
        state, flaws = verdict.tenure, verdict.flaws
        told += verdict.replaced is not None

    assert flaws == ()
    assert told <= 1
