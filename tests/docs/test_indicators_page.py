"""docs/indicators.md says what the library has, and its worked example is what the code works out."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline_central.indicators.cells import date_of
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.points import IndicatorPoint, IndicatorPoints
from plumbline_central.indicators.score import earned_value, score
from plumbline_central.indicators.templates import templates
from plumbline_central.plan import SHANGHAI, PlanCurve
from plumbline_central.plan_store import Baseline

PAGE = (Path(__file__).parents[2] / "docs" / "indicators.md").read_text(encoding="utf-8")
AT = datetime(2026, 4, 1, tzinfo=UTC)


def table(header):
    lines = PAGE[PAGE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(text):
    found = re.search(r"[\d,]+(\.\d+)?", text)
    return float(found.group().replace(",", "")) if found else None


def test_the_table_of_the_library_is_the_library():
    assert table("| template | 名称") == [
        [f"`{t.id}`", t.name_zh, t.unit, t.source.kind, t.direction, f"{t.weight:g}"]
        for t in templates().values()
    ]


def test_the_worked_example_is_what_the_code_works_out():
    rows = table("| indicator | weight | value")
    measured = []
    for name, weight, value, planned, *_ in rows:
        id_ = name.strip("`")
        indicator = replace(from_template(templates()[id_], "a12"), weight=number(weight), budget=None)
        if id_ == "funds_paid":
            indicator = replace(indicator, budget=2_400_000.0)
        curve = PlanCurve(points=((AT, number(planned)),), kind=indicator.kind)
        plan = Baseline(
            site="a12", indicator=id_, version=1, imported_at=AT, source="p", imported_by="li", curve=curve
        )
        seen = number(value)
        point = IndicatorPoint(ref="r", at=AT, value=seen, low=seen, high=seen, planned=number(planned))
        measured.append(IndicatorPoints(indicator=indicator, baseline=plan, points=(point,)))
    found = score("a12", measured, AT)
    shown = [tuple(map(number, row[4:])) for row in rows]
    earned = earned_value(measured[1], AT)

    assert [
        (round(p.attainment, 2), round(p.share, 4), round(p.contribution, 2))
        if p.left_out is None
        else (None,) * 3
        for p in found.parts
    ] == shown
    assert f"= **{found.score:.2f}**, on 65 / 75 = **{found.rests_on:.0%}**".replace("%", " %") in PAGE
    assert (earned.pv, earned.ev, earned.sv, earned.spi, earned.sv_money) == (
        40,
        30,
        -10,
        0.75,
        pytest.approx(-240_000),
    )


@pytest.mark.parametrize("text", ["2026-03-01", "2026/3/1", "2026.3.1", "2026年3月1日"])
def test_the_dates_that_the_page_shows_are_understood(text):
    assert text in PAGE
    assert date_of(text, SHANGHAI) == datetime(2026, 3, 1, tzinfo=SHANGHAI)
