"""The order in which a wire is tried."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.commission.trials import (
    Setting,
    common_units,
    course,
    presence_asks,
    settings_to_try,
)
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import SerialDefaults

PROFILES = [find_profile(name) for name in shipped()]
ASKS = presence_asks(PROFILES)
SDM630 = find_profile("eastron_sdm630")

settings = st.lists(
    st.builds(
        Setting,
        baud=st.sampled_from([1200, 2400, 9600, 19200]),
        parity=st.sampled_from("NEO"),
        factory=st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda s: (s.baud, s.parity),
)
units = st.lists(st.integers(1, 247), min_size=1, max_size=30, unique=True)


def made_like(unit, baud, parity="N"):
    serial = SerialDefaults(baud=baud, parity=parity, stop_bits=1, unit=unit, bauds=(baud,))
    return replace(SDM630, serial=serial)


def played(steps, answers):
    """Every trial, with `answers(trial)` as what was heard."""
    trials, heard = [], None
    while True:
        try:
            trial = next(steps) if heard is None else steps.send(heard)
        except StopIteration:
            return trials
        trials.append(trial)
        heard = answers(trial)


def tried(trials):
    return [(trial.setting, unit) for trial in trials for unit in trial.units]


@given(settings, units, st.booleans())
def test_where_nobody_answers_every_unit_is_tried_on_every_setting_exactly_once(ports, numbers, thorough):
    common = common_units(PROFILES, numbers)
    trials = played(course(ports, numbers, common, ASKS, timeout_s=0.3, thorough=thorough), lambda _: False)

    assert sorted(map(repr, tried(trials))) == sorted(
        repr((port, unit)) for port in ports for unit in numbers
    )
    assert abs(trials[-1].left_s) < 1e-6
    lefts = [trial.left_s for trial in trials]
    assert lefts == sorted(lefts, reverse=True)


@given(settings, units, st.randoms(use_true_random=False))
def test_a_thorough_scan_leaves_nothing_out_whatever_answers(ports, numbers, chance):
    common = common_units(PROFILES, numbers)
    trials = played(
        course(ports, numbers, common, ASKS, timeout_s=0.3, thorough=True), lambda _: chance.random() < 0.5
    )

    assert len(tried(trials)) == len(ports) * len(numbers)
    assert all(trial.asks == ASKS for trial in trials)


@given(settings, units)
def test_the_other_units_follow_at_once_where_somebody_answered(ports, numbers):
    common = common_units(PROFILES, numbers)
    first = ports[0]
    trials = played(course(ports, numbers, common, ASKS, timeout_s=0.3), lambda trial: trial.setting == first)

    assert {unit for setting, unit in tried(trials) if setting == first} == set(numbers)
    assert all(trial.setting == first or trial.setting.factory for trial in trials)


def test_what_most_meters_leave_their_makers_with_comes_first():
    profiles = [made_like(1, 19200, "E"), made_like(1, 9600), made_like(1, 9600), made_like(1, 2400)]
    order = settings_to_try(profiles)

    assert [str(s) for s in order[:3]] == ["9600 8N1", "19200 8E1", "2400 8N1"]
    assert [s.factory for s in order[:4]] == [True, True, True, False]
    assert len(set(map(str, order))) == len(order)
    assert not any(s.parity == "O" for s in order)


def test_named_speeds_and_parities_are_the_only_ones():
    order = settings_to_try(PROFILES, bauds=[4800, 9600], parities=["O"])

    assert {(s.baud, s.parity) for s in order} == {(4800, "O"), (9600, "O")}


def test_units_as_shipped_come_first_and_some_are_always_common():
    assert common_units([made_like(5, 9600)], range(1, 21)) == (5, 1, 2, 3)
    assert common_units(PROFILES, [40, 41, 42, 43]) == (40, 41, 42)


def test_the_first_two_questions_are_of_both_functions_and_every_profile_is_asked_its_own():
    assert {ASKS[0].function, ASKS[1].function} == {3, 4}
    for profile in PROFILES:
        if profile.protocol == "modbus":
            probe = profile.register(profile.probe)
            assert any(ask.function == profile.function and ask.span.start == probe.address for ask in ASKS)


def test_questions_are_there_without_any_profile():
    assert {ask.function for ask in presence_asks([])} == {3, 4}
