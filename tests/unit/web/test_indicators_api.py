"""Indicators, values, plans, milestones and scores over HTTP."""

import io
import json
from dataclasses import replace
from datetime import timedelta

import openpyxl
import pytest

from plumbline_central.api import models_indicators, models_plans

V1 = "/api/v1"
SITE = f"{V1}/sites/east-lake"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
async def funds(world, client):
    world.clock.step(40 * 86_400)
    answer = await client.put(
        f"{SITE}/indicators/funds_paid", json={"by": "li", "template": "funds_paid", "budget": 2000.0}
    )
    assert answer.status_code == 200
    return answer.json()


async def imported(client, text, query="", indicator="funds_paid"):
    return await client.post(
        f"{SITE}/indicators/{indicator}/plans/import?by=li{query}", content=text.encode("gbk"), headers=CSV
    )


async def test_the_library_is_there_in_both_languages(client):
    library = (await client.get(f"{V1}/indicators/templates")).json()

    assert {"progress", "energy", "satisfaction"} <= {one["id"] for one in library}
    assert all(one["name_zh"] and one["name_en"] for one in library)


async def test_an_indicator_is_added_changed_retired_and_every_change_is_kept(funds, client):
    changed = await client.put(
        f"{SITE}/indicators/funds_paid", json={"by": "wang", "owner": "Zhao", "budget": None}
    )
    retired = await client.post(f"{SITE}/indicators/funds_paid/retire", json={"by": "wang"})
    history = (await client.get(f"{SITE}/indicators/funds_paid/history")).json()

    assert (funds["weight"], funds["scope"], funds["budget"]) == (15, "total", 2000.0)
    assert (changed.json()["owner"], changed.json()["budget"]) == ("Zhao", None)
    assert [one["id"] for one in retired.json()] == ["progress"]
    assert [(one["what"], one["who"]) for one in history] == [
        ("created", "li"), ("changed", "wang"), ("retired", "wang"),
    ]  # fmt: skip
    assert (await client.get(f"{SITE}/indicators/funds_paid")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"by": "li"}, 404, "no indicator"),
        ({"by": "li", "template": "fund"}, 404, "no template"),
        ({"by": "", "template": "funds_paid"}, 422, "by"),
        ({"by": "li", "template": "funds_paid", "weight": -1, "unit": "kg"}, 422, "weight"),
        (
            {"by": "li", "template": "energy", "source": {"kind": "meters", "metric": "volts"}},
            422,
            "source.metric",
        ),
    ],
)
async def test_what_cannot_be_an_indicator_is_refused_with_every_reason(client, body, status, said):
    answer = await client.put(f"{SITE}/indicators/new", json=body)

    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert answer.json()["hint"]


async def test_a_plan_is_tried_imported_and_compared(funds, client):
    text = "日期,计划完成百分比\n2026-03-01,0\n2026-04-10,40\n2026-09-01,100\n"
    tried = (await imported(client, text, "&dry_run=true")).json()
    first = (await imported(client, text, "&source=计划.csv")).json()
    points = [["2026-03-01T00:00:00+08:00", 0], ["2026-09-11T00:00:00+08:00", 100]]
    second = await client.post(
        f"{SITE}/indicators/funds_paid/plans", json={"by": "li", "source": "ERP", "points": points}
    )
    versions = (await client.get(f"{SITE}/indicators/funds_paid/plans")).json()
    diff = (await client.get(f"{SITE}/indicators/funds_paid/plans/1/diff/2")).json()

    assert (tried["version"], tried["points"], tried["remarks"]) == (None, 3, ["read as GBK"])
    assert (first["version"], first["scope"], second.json()["version"]) == (1, "total", 2)
    assert [(one["version"], one["source"], one["points"]) for one in versions] == [
        (1, "计划.csv", 3), (2, "ERP", 2),
    ]  # fmt: skip
    assert diff["end_moved_d"] == 10.0
    assert len(diff["changes"]) == 3
    assert (await client.get(f"{SITE}/indicators/funds_paid/plans/1")).json()["points"][1][1] == 40.0
    assert (await client.get(f"{SITE}/indicators/funds_paid/plans/9")).status_code == 404


async def test_a_faulty_plan_is_told_row_by_row_and_nothing_is_kept(funds, client):
    answer = await imported(client, "日期,计划完成百分比\n2026-03-01,0\n2026-02-01,101\n2026-13-01,5\n")

    assert answer.status_code == 422
    assert [line.split(": ")[1] for line in answer.json()["detail"].splitlines()] == [
        "row 3",
        "row 3",
        "row 4",
    ]
    assert (await client.get(f"{SITE}/indicators/funds_paid/plans")).json() == []
    unreadable = await client.post(
        f"{SITE}/indicators/funds_paid/plans/import?by=li", content=b"\xff\xfed\0", headers=CSV
    )
    assert (unreadable.status_code, "UTF-16" in unreadable.json()["detail"]) == (422, True)
    falling = {
        "by": "li",
        "source": "ERP",
        "points": [["2026-03-01T00:00:00Z", 5], ["2026-03-02T00:00:00Z", 4]],
    }
    assert (await client.post(f"{SITE}/indicators/funds_paid/plans", json=falling)).status_code == 409


async def test_a_workbook_is_read_over_http_too(funds, client):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (["日期", "计划完成百分比"], ["2026-03-01", 0], ["2026-09-01", 100]):
        book.active.append(row)
    book.save(file)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = await client.post(
        f"{SITE}/indicators/funds_paid/plans/import?by=li&source=plan.xlsx&scope=visible",
        content=file.getvalue(),
        headers={"Content-Type": kind},
    )

    assert (answer.json()["points"], answer.json()["scope"]) == (2, "visible")


async def test_a_table_may_be_large_and_other_bodies_may_not(funds, client):
    rows = "".join(f"2026-03-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z,50\n" for i in range(9_000))

    assert (await imported(client, f"date,percent\n{rows}")).json()["points"] == 9_000
    too_large = await client.post(f"{SITE}/values", content=b" " * 70_000)
    assert too_large.status_code == 413


async def test_values_are_corrected_and_both_are_kept(funds, world, client):
    at = (world.clock.wall() - timedelta(days=1)).isoformat()
    for value in (30.0, 32.0):
        body = {"by": "li", "values": [{"indicator": "funds_paid", "at": at, "value": value}]}
        assert (await client.post(f"{SITE}/values", json=body)).json() == {"values": 1, "dry_run": False}
    kept = (await client.get(f"{SITE}/indicators/funds_paid/values")).json()
    points = (await client.get(f"{SITE}/indicators/funds_paid/points")).json()

    assert [(one["value"], one["current"]) for one in kept] == [(32.0, True), (30.0, False)]
    assert [one["value"] for one in points] == [32.0]
    wrong = {
        "by": "li",
        "values": [{"indicator": "funds", "at": at, "value": 1}, {"indicator": "x", "at": at, "value": 2}],
    }
    answer = await client.post(f"{SITE}/values", json=wrong)
    assert (answer.status_code, len(answer.json()["detail"].splitlines())) == (422, 2)


async def test_a_table_of_values_is_taken_whole_or_not_at_all(funds, client):
    url = f"{SITE}/values/import?by=li&indicator=funds_paid"
    bad = await client.post(url, content=b"date,value\n2026-03-31,30\n2026-04-31,31\n", headers=CSV)
    good = await client.post(url, content=b"date,value\n2026-03-31,30\n", headers=CSV)

    assert (bad.status_code, "row 3" in bad.json()["detail"]) == (422, True)
    assert good.json()["values"] == 1


async def test_milestones_are_imported_and_said_to_be_done(world, client):
    world.clock.step(60 * 86_400)
    table = "编号,名称,计划完成日期\nroof,屋面完工,2026-05-31\nwall,墙体,2026-03-31\n".encode("gbk")
    answer = await client.post(f"{SITE}/milestones/import?by=li", content=table, headers=CSV)
    before = (await client.get(f"{SITE}/milestones")).json()
    done = {"by": "li", "done": "2026-04-02T10:00:00+08:00"}
    after = (await client.post(f"{SITE}/milestones/wall/done", json=done)).json()

    assert answer.json()["values"] == 2
    assert [(one["id"], one["overdue"]) for one in before["milestones"]] == [("wall", True), ("roof", False)]
    assert (after["version"], after["milestones"][0]["overdue"]) == (2, False)
    assert (await client.post(f"{SITE}/milestones/rof/done", json=done)).status_code == 404


async def test_a_score_falls_apart_into_its_inputs_again(funds, world, client):
    await imported(client, "date,percent\n2026-03-01,40\n")
    at = world.clock.wall() - timedelta(days=1)
    values = [{"indicator": "funds_paid", "at": at.isoformat(), "value": 30.0}]
    await client.post(f"{SITE}/values", json={"by": "li", "values": values})
    world.progress(20.0)
    score = (await client.get(f"{SITE}/score")).json()
    ranking = (await client.get(f"{V1}/ranking")).json()

    progress, money = score["parts"]
    assert score["score"] == pytest.approx(sum(part["contribution"] for part in score["parts"]))
    assert (money["attainment"], money["share"], money["plan_version"]) == (75.0, pytest.approx(15 / 55), 1)
    assert progress["observation"]["planned"] == pytest.approx(40.0)
    assert [(one["indicator"], one["spi"], one["sv_money"]) for one in score["earned_value"]] == [
        ("progress", 0.5, None), ("funds_paid", 0.75, -200.0),
    ]  # fmt: skip
    assert (ranking[0]["place"], ranking[0]["score"]) == (1, score["score"])
    assert len(score["explained"]) == 3
    past = await client.get(f"{SITE}/score", params={"at": "2026-03-02T00:00:00Z"})
    assert past.json()["score"] is None


async def test_every_shape_of_these_has_an_example_that_fits_it(world):
    shapes = [
        shape
        for module in (models_indicators, models_plans)
        for shape in vars(module).values()
        if isinstance(shape, type) and shape.__module__ == module.__name__ and hasattr(shape, "model_fields")
    ]

    assert len(shapes) > 15
    for shape in shapes:
        (example,) = shape.model_config["json_schema_extra"]["examples"]
        shape.model_validate_json(json.dumps(example))


async def test_alerts_are_judged_soon_after_a_change_and_not_after_a_look(funds, world, client):
    wanted = []
    world.api.state.services = replace(world.services, judge_soon=lambda: wanted.append(1))
    await imported(client, "date,value\n2026-04-01,10\n")
    value = {"indicator": "funds_paid", "at": world.clock.wall().isoformat(), "value": 30.0}
    await client.post(f"{SITE}/values", json={"by": "li", "values": [value]})
    await client.get(f"{SITE}/indicators")
    refused = await client.post(
        f"{SITE}/values", json={"by": "li", "values": [value | {"indicator": "none"}]}
    )

    assert len(wanted) == 2
    assert refused.status_code == 422
