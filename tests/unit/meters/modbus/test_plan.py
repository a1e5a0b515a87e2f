from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.profiles.profile import places


@dataclass(frozen=True)
class Placed:
    address: int
    end: int


@st.composite
def layouts(draw):
    """Registers of 1, 2 or 4 words with holes between them, in any order."""
    at, placed = draw(st.integers(0, 1000)), []
    for hole, words in draw(st.lists(st.tuples(st.integers(0, 60), st.sampled_from((1, 2, 4))), max_size=40)):
        at += hole
        placed.append(Placed(at, at + words))
        at += words
    return draw(st.permutations(placed))


limits = {"max_words": st.integers(4, 125), "max_gap": st.integers(0, 40)}


def cost(spans, max_gap):
    return sum(max_gap + 0.5 + span.count for span in spans)


@given(registers=layouts(), **limits)
def test_every_register_lies_whole_in_exactly_one_read(registers, max_words, max_gap):
    spans = plan_reads(registers, max_words=max_words, max_gap=max_gap)

    for register in registers:
        assert sum(span.start <= register.address and register.end <= span.end for span in spans) == 1


@given(registers=layouts(), **limits)
def test_no_read_is_too_long_or_runs_across_too_wide_a_hole(registers, max_words, max_gap):
    spans = plan_reads(registers, max_words=max_words, max_gap=max_gap)

    used = {word for register in registers for word in range(register.address, register.end)}
    for span in spans:
        assert 0 < span.count <= max_words
        assert {span.start, span.end - 1} <= used
        hole = 0
        for word in range(span.start, span.end):
            hole = 0 if word in used else hole + 1
            assert hole <= max_gap


@given(registers=layouts(), **limits)
def test_a_plan_never_costs_more_bytes_than_filling_reads_from_the_left(registers, max_words, max_gap):
    greedy: list[Span] = []
    for register in sorted(registers, key=lambda r: r.address):
        last = greedy[-1] if greedy else None
        if last and register.address - last.end <= max_gap and register.end - last.start <= max_words:
            greedy[-1] = Span(last.start, register.end)
        else:
            greedy.append(Span(register.address, register.end))

    planned = plan_reads(registers, max_words=max_words, max_gap=max_gap)

    assert cost(planned, max_gap) <= cost(greedy, max_gap)


def test_a_register_longer_than_a_read_may_be_is_refused():
    with pytest.raises(ValueError, match="longer than 2 words"):
        plan_reads([Placed(0, 4)], max_words=2, max_gap=0)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("eastron_sdm630", 3), ("eastron_sdm120", 2), ("abb_b23", 3),
        ("chint_dtsu666", 5), ("schneider_iem3155", 9), ("carlo_gavazzi_em340", 2),
        ("schneider_pm5110", 5), ("acrel_adw300", 3), ("janitza_b23", 5), ("janitza_umg", 3), ("inepro_pro380", 5),
        ("sunspec_int", 1), ("sunspec_float", 1),
    ],
)  # fmt: skip
def test_a_shipped_family_is_read_in_few_requests(name, reads):
    profile = find_profile(name)

    spans = plan_reads(places(profile), max_words=profile.max_registers, max_gap=min(31, profile.max_gap))

    assert len(spans) == reads
