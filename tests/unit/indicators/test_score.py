"""The score is a sum that can be done by hand; nothing that is missing weighs anything."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.indicators.explain import _WORDS, explain
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.points import IndicatorPoint, IndicatorPoints
from plumbline_central.indicators.score import LeftOut, attainment, deviation, earned_value, ranking, score
from plumbline_central.indicators.templates import templates
from plumbline_central.plan import PlanCurve
from plumbline_central.plan_store import Baseline

from .conftest import SITE, START, day

NOW = day(30)
amounts = st.floats(0, 1e15)
percents = st.floats(0, 100)


def measured(
    value, planned, *, weight=1.0, direction="more", id_="funds_paid", age_d=1, flags=(), budget=None
):
    indicator = replace(
        from_template(templates()["funds_paid"], SITE, id_=id_),
        weight=weight,
        direction=direction,
        budget=budget,
    )
    at = NOW - timedelta(days=age_d)
    plan = None
    if planned is not None:
        curve = PlanCurve(points=((START, float(planned)),), cumulative=False)
        plan = Baseline(
            site=SITE, indicator=id_, version=7, imported_at=START, source="p", imported_by="li", curve=curve
        )
    point = IndicatorPoint(
        ref="r", at=at, value=value, low=value, high=value, planned=planned, flags=flags, seen_by="li"
    )
    return IndicatorPoints(indicator=indicator, baseline=plan, points=(point,))


several = st.lists(
    st.tuples(percents, percents, st.floats(0.001, 1000), st.sampled_from(["more", "less"])),
    min_size=1,
    max_size=8,
)


def many(rows, *, scale=1.0):
    return [
        measured(value, planned, weight=weight * scale, direction=direction, id_=f"i{i}")
        for i, (value, planned, weight, direction) in enumerate(rows)
    ]


@given(several)
def test_the_parts_add_up_to_the_score(rows):
    found = score(SITE, many(rows), NOW)

    assert sum(part.contribution for part in found.parts) == pytest.approx(found.score)
    assert 0 <= found.score <= 100
    assert found.rests_on == pytest.approx(1.0)


@given(several, st.floats(0.01, 100))
def test_weights_have_no_scale(rows, scale):
    assert score(SITE, many(rows), NOW).score == pytest.approx(
        score(SITE, many(rows, scale=scale), NOW).score
    )


@given(several, st.integers(0, 7), percents)
def test_a_better_value_never_lowers_the_score(rows, which, value):
    which %= len(rows)
    was, planned, weight, direction = rows[which]
    better = max(was, value) if direction == "more" else min(was, value)
    changed = [*rows[:which], (better, planned, weight, direction), *rows[which + 1 :]]

    assert score(SITE, many(changed), NOW).score >= score(SITE, many(rows), NOW).score - 1e-9


@given(amounts, amounts, st.sampled_from(["more", "less"]))
def test_attainment_is_between_nothing_and_a_hundred_and_full_on_plan(value, planned, direction):
    assert 0 <= attainment(value, planned, direction) <= 100
    assert attainment(planned, planned, direction) == 100


@given(several, st.floats(0.001, 1000))
def test_what_is_missing_changes_what_the_score_rests_on_and_not_the_score(rows, weight):
    there = score(SITE, many(rows), NOW)
    with_missing = score(SITE, [*many(rows), measured(None, 50.0, weight=weight, id_="gone")], NOW)
    known = sum(row[2] for row in rows)

    assert with_missing.score == pytest.approx(there.score)
    assert with_missing.rests_on == pytest.approx(known / (known + weight))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"value": None, "planned": 50.0}, "no_value"),
        ({"value": 50.0, "planned": 50.0, "flags": ("dark",)}, "no_value"),
        ({"value": 50.0, "planned": 50.0, "age_d": 60}, "stale"),
        ({"value": 50.0, "planned": None}, "no_plan"),
        ({"value": 50.0, "planned": 50.0, "age_d": -1}, "no_value"),
    ],
)
def test_a_part_that_is_left_out_says_why_and_a_site_without_parts_has_no_score(how, why):
    found = score(SITE, [measured(**how)], NOW)

    assert (found.score, found.rests_on, found.parts[0].left_out) == (None, 0.0, why)
    assert "no score" in explain(found)[0]
    assert "left out" in explain(found)[1]


def test_a_score_is_explained_down_to_observation_plan_version_and_weight():
    lines = explain(score(SITE, [measured(30.0, 40.0, weight=3), measured(50.0, 50.0, id_="b")], NOW))

    assert lines[0].endswith("score 81.25 of 100, on 100% of the weights")
    assert lines[1] == (
        "  Funds paid (weight 3): 30 % at 2026-03-30 00:00 UTC [r], planned 40 % [total works plan, version 7];"
        " attainment 75.00 × share 0.7500 = 56.25"
    )


def test_a_score_is_explained_in_chinese_with_the_same_numbers():
    found = score(SITE, [measured(30.0, 40.0, weight=3), measured(None, 50.0)], NOW)

    assert explain(found, "zh") == [
        "a12，2026-03-31 00:00 UTC：得分 75.00（满分 100），依据全部权重的 75%",
        "  资金支付率（权重 3）：30 %，2026-03-30 00:00 UTC [r]，计划 40 % [全部工程计划，第 7 版]；达成度 75.00 × 份额 1.0000 = 75.00",
        "  资金支付率（权重 1）：没有有效数值，没有计划值；未计入：没有有效数值",
    ]
    assert set(_WORDS["zh"]) == set(_WORDS["en"])
    assert {f"why.{why}" for why in get_args(LeftOut)} <= set(_WORDS["zh"])


def test_equal_scores_share_a_place_and_the_unknown_come_last():
    scores = [
        replace(score("s", [measured(value, 50.0)], NOW), site=site)
        for site, value in (("a", 25.0), ("b", 50.0), ("c", 25.0), ("d", None), ("e", 10.0))
    ]

    assert [(rank.place, rank.score.site) for rank in ranking(scores)] == [
        (1, "b"), (2, "a"), (2, "c"), (4, "e"), (None, "d"),
    ]  # fmt: skip


@given(percents, percents)
def test_earned_value_holds_its_equations(value, planned):
    found = earned_value(measured(value, planned, budget=2_000.0), NOW)

    assert found.sv == pytest.approx(found.ev - found.pv, abs=1e-8)
    assert (found.spi is None) == (planned < 1e-6)
    assert found.spi is None or found.spi * found.pv == pytest.approx(found.ev)
    assert found.sv_money == pytest.approx(2_000 * (value - planned) / 100, abs=1e-6)
    assert (found.ev, found.pv) == (value, planned)


def test_there_is_no_earned_value_without_a_plan_or_of_a_level():
    level = measured(50.0, 50.0)

    assert earned_value(measured(50.0, None), NOW) is None
    assert earned_value(replace(level, indicator=replace(level.indicator, cumulative=False)), NOW) is None


@given(amounts, amounts)
def test_a_deviation_is_a_number_or_there_is_none(value, planned):
    quantity = replace(from_template(templates()["funds_paid"], SITE), kind="quantity", unit="t")
    off = deviation(quantity, value, planned)

    assert off is None or abs(off) < 1e30
    assert (off is None) == (planned < 1e-6)
