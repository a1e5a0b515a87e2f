"""Which profile fits a meter."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.commission.recognise import (
    Place,
    Scored,
    decide,
    fit_by_values,
    identified,
    places,
    shown_text,
    speaking_values,
)
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import Identity
from plumbline_edge.meters.profiles.profile import places as register_places
from plumbline_sim.meter.encode import Encoder

MODBUS = [name for name in shipped() if find_profile(name).protocol == "modbus"]
SDM630 = find_profile("eastron_sdm630")
B23 = Identity(function=3, address=35168, type="text", count=6, equals=("B23", "B24"))
CODE = Identity(function=4, address=11, type="u16", count=1, equals=(331, 341))
TRUE = {"V": 230.0, "A": 3.0, "W": 700.0, "var": 10.0, "VA": 700.0, "1": 0.9, "Hz": 50.0}


def spans_of(profile):
    return plan_reads(
        register_places(profile),
        max_words=profile.max_registers,
        max_gap=profile.max_gap,
        barriers=profile.barriers,
    )


def answers_of(profile, worth=TRUE):
    encoder = Encoder(profile)
    values = {r.metric.name: worth.get(r.metric.unit, 12.0) for r in profile.registers}
    blocks = {}
    for span in spans_of(profile):
        held = encoder.registers_in(span.start, span.count)
        blocks[span] = encoder.block(span.start, span.count, held, values).block
    return blocks


@pytest.mark.parametrize("name", MODBUS)
def test_a_meters_own_profile_fits_wholly(name):
    profile = find_profile(name)

    vague = not any(register.metric.unit in ("V", "Hz") for register in profile.registers)
    assert fit_by_values(profile, answers_of(profile)) == (0.6 if vague else 1.0)


def test_values_that_no_grid_has_do_not_fit():
    low = answers_of(SDM630, TRUE | {"V": 5.0, "Hz": 12.0})

    assert fit_by_values(SDM630, low) == 0.0


def test_an_answer_to_half_of_it_fits_less():
    first = dict(list(answers_of(SDM630).items())[:1])

    assert 0 < fit_by_values(SDM630, first) < 0.8


@given(st.sampled_from(MODBUS), st.data())
def test_any_bytes_are_judged_without_a_fault(name, data):
    profile = find_profile(name)
    blocks = {
        span: data.draw(st.binary(min_size=0, max_size=2 * span.count + 2)) for span in spans_of(profile)
    }

    assert 0.0 <= fit_by_values(profile, blocks) <= 1.0
    assert 0 <= speaking_values(profile, blocks) <= len(profile.registers)


def test_a_meter_is_known_by_the_text_it_begins_with():
    profile = replace(SDM630, identify=(B23,))
    (place,) = places([profile])

    assert identified(profile, {place: b"B24 212-100\0"}) == "B24 212-100"
    assert identified(profile, {place: b"C15 110\0\0\0\0\0"}) == ""
    assert identified(profile, {place: None}) == identified(profile, {}) == ""


def test_a_meter_is_known_by_a_number():
    profile = replace(SDM630, identify=(CODE,))

    assert identified(profile, {Place(function=4, address=11, count=1): b"\x01\x4b"}) == "code 331"
    assert not identified(profile, {Place(function=4, address=11, count=1): b"\x01\x4c"})


def test_profiles_that_ask_for_the_same_are_asked_once():
    assert len(places([replace(SDM630, identify=(B23, CODE)), replace(SDM630, identify=(B23,))])) == 2


@given(st.binary(max_size=80))
def test_what_a_meter_calls_itself_cannot_play_with_the_terminal(raw):
    assert shown_text(raw).isprintable()


def scored(name, says="", fit=1.0, values=20, registers=30):
    return Scored(name=name, says=says, fit=fit, values=values, registers=registers)


def test_its_own_words_count_more_than_its_values():
    verdict = decide([scored("like", values=40), scored("named", says="B23", fit=0.8)])

    assert (verdict.profile, verdict.sure) == ("named", True)


def test_words_that_its_values_deny_are_doubted():
    assert decide([scored("like"), scored("named", says="code 331", fit=0.1)]).profile == "like"
    alone = decide([scored("named", says="code 331", fit=0.1)])
    assert (alone.profile, alone.sure) == ("named", False)


def test_who_explains_more_values_is_the_larger_family():
    verdict = decide([scored("small", values=8, registers=8), scored("large", values=20)])

    assert (verdict.profile, verdict.sure) == ("large", True)


def test_two_that_fit_the_same_are_both_named():
    verdict = decide([scored("a"), scored("b")])

    assert (verdict.sure, {verdict.profile, *verdict.others}) == (False, {"a", "b"})


def test_nothing_fits_where_nothing_fits_enough():
    assert decide([]).profile is None
    assert decide([scored("a", fit=0.3)]).profile is None


@given(
    st.lists(
        st.builds(
            Scored,
            name=st.text("abcdef", min_size=1),
            says=st.sampled_from(["", "x"]),
            fit=st.floats(0, 1),
            values=st.integers(0, 40),
            registers=st.integers(1, 60),
        ),
        max_size=6,
        unique_by=lambda one: one.name,
    )
)
def test_the_verdict_does_not_depend_on_the_order(all_scored):
    verdict = decide(all_scored)

    assert verdict == decide(all_scored[::-1])
    assert verdict.profile is None or verdict.profile in {one.name for one in all_scored}
    assert verdict.profile not in verdict.others


def test_a_block_of_another_length_says_nothing():
    assert fit_by_values(SDM630, {Span(0, 36): b"\x43\x66" * 10}) == 0.0
