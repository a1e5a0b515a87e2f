"""Files of the API, as spreadsheets and data tools get them."""

import csv
import io

import pytest
from pyarrow import parquet

from plumbline.errors import Unreachable
from plumbline_central.api.routes_export import _while_running

EXPORT = "/api/v1/export"


@pytest.fixture
def full(world, told):
    told.fill(world)
    return world


@pytest.fixture
def table(client):
    async def ask(name):
        answer = await client.get(f"{EXPORT}/{name}")
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))

    return ask


async def test_readings_have_units_and_say_why_they_are_not_good(full, table):
    found = await table("readings.csv?start=2026-03-01T00:00:00Z&site=east-lake")
    first = {(row["device"], row["metric"]): row for row in reversed(found)}

    assert len(found) == 12
    assert first["crane", "power_active_total"] == {
        "site": "east-lake",
        "gateway": "gw-east-1",
        "device": "crane",
        "metric": "power_active_total",
        "time": "2026-03-01T00:00:00Z",
        "value": "-4.0",
        "unit": "W",
        "quality": "good",
        "flaw": "",
    }
    missing, stuck = first["hoist", "voltage_l1"], first["hoist", "power_active_total"]
    assert (missing["value"], missing["unit"], missing["quality"], missing["flaw"]) == (
        "",
        "V",
        "bad",
        "timeout",
    )
    assert (stuck["value"], stuck["quality"], stuck["flaw"]) == ("7.0", "uncertain", "stuck")
    assert await table("readings.csv") == []  # nothing came in the last day
    assert len(await table("readings.csv?start=2026-03-01T01:00:00Z&end=2026-03-01T02:00:00Z")) == 4


async def test_indicators_stand_beside_their_plan(full, table):
    found = await table("indicators.csv")
    funds = [row for row in found if row["indicator"] == "funds_paid"]
    seen = [row for row in found if row["indicator"] == "progress"]

    assert [(row["value"], row["quality"], row["flags"]) for row in funds] == [
        ("28.0", "good", ""),
        *[("", "bad", "withdrawn")] * 3,
    ]
    assert [row["time"] for row in found] == [row["time"] for row in [*seen, *funds]]
    assert float(seen[0]["planned"]) == pytest.approx(100 * 20 / 95)
    assert {row["unit"] for row in found} == {"%"}


async def test_a_name_that_looks_like_a_formula_is_text_and_an_alert_says_what_was_found(full, table):
    newest, *_, oldest = await table("alerts.csv?site=east-lake")

    assert int(newest["id"]) > int(oldest["id"]) == 1
    assert oldest["acknowledged_by"] == "'=HYPERLINK(1)"
    assert (newest["facts"], newest["unit"], newest["deviation"]) == ("silent_s=900.0", "", "")
    assert await table("alerts.csv?site=a12") == []


async def test_parquet_says_the_same_as_csv(full, table, client):
    for name in ("readings", "indicators", "alerts"):
        query = "?start=2026-01-01T00:00:00Z"
        answer = await client.get(f"{EXPORT}/{name}.parquet{query}")
        there = parquet.read_table(io.BytesIO(answer.content))
        rows = await table(f"{name}.csv{query}")

        assert answer.headers["content-type"] == "application/vnd.apache.parquet"
        assert f'filename="plumbline-{name}.parquet"' in answer.headers["content-disposition"]
        assert there.schema.names == list(rows[0])
        assert there.num_rows == len(rows)
        for column in ("value", "planned", "id"):
            if column in there.schema.names:
                assert [None if row[column] == "" else float(row[column]) for row in rows] == there[
                    column
                ].to_pylist()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("readings.xls", 422),
        ("photos.csv", 404),
        ("readings.csv?site=nowhere", 404),
        ("readings.csv?start=2027-01-01T00:00:00Z", 422),
        ("alerts.csv?start=2026-03-02T00:00:00Z&end=2026-03-01T00:00:00Z", 422),
        ("indicators.parquet?end=0001-01-01T00:00:00Z", 422),
    ],
)
async def test_what_cannot_be_exported_is_said(client, path, status):
    answer = await client.get(f"{EXPORT}/{path}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_file_that_is_cut_by_a_stop_does_not_look_whole(world):
    world.services.stopping.set()
    with pytest.raises(Unreachable):
        list(_while_running(world.services, [[("a",)]]))
