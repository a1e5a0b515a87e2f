import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.errors import Unreachable
from plumbline.messages import Gap
from plumbline.metrics import Flaw
from plumbline_central.alerts.states import State

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
V1 = "/api/v1"


@pytest.fixture
def behind(world):
    world.clock.step(20 * 86_400)
    world.progress(11.0, half=1.0)
    world.clock.step(86_400)
    world.progress(12.0, half=1.0)
    (alert,) = world.parts.book.open()
    return alert.id


async def test_the_document_in_docs_is_current(world):
    """PLUMBLINE_WRITE_DOCS=1 writes it anew."""
    current = json.dumps(world.api.openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("PLUMBLINE_WRITE_DOCS") == "1":
        DOCUMENT.write_text(current, encoding="utf-8")

    assert DOCUMENT.read_text(encoding="utf-8") == current


async def test_a_site_says_how_it_stands(behind, client):
    (site,) = (await client.get(f"{V1}/sites")).json()
    state = (await client.get(f"{V1}/sites/east-lake")).json()

    assert site == {
        "id": "east-lake",
        "name_zh": "东湖小学外立面改造",
        "name_en": "East Lake School, facade renewal",
    }
    assert (state["level"], state["percent"], state["planned"]) == ("alarm", 12.0, 21.0)
    assert state["deviation_pp"] == pytest.approx(-9.0)
    assert state["open_alerts"] == 1


async def test_readings_keep_their_units_and_their_flaws(world, client):
    world.frame(voltage_l1=230.1, power_active_total=None, flaws={"power_active_total": Flaw.TIMEOUT})
    voltage, power = (await client.get(f"{V1}/sites/east-lake/readings/latest")).json()

    assert (voltage["value"], voltage["unit"], voltage["flaw"]) == (230.1, "V", None)
    assert (power["value"], power["unit"], power["flaw"]) == (None, "W", 102)
    assert voltage["at"] == "2026-03-01T00:00:00Z"


async def test_a_series_is_of_the_last_day_by_default(world, client, told):
    for hours in (30, 2, 1):
        world.frame(at=told.START - timedelta(hours=hours), voltage_l1=230.0 + hours)
    answer = await client.get(f"{V1}/sites/east-lake/series?device=main&metric=voltage_l1")

    assert answer.json()["points"] == [["2026-02-28T22:00:00Z", 232.0], ["2026-02-28T23:00:00Z", 231.0]]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("device=main&metric=nonsense", 404),
        ("device=main", 422),
        ("device=main&metric=voltage_l1&start=2026-03-01T00:00:00", 422),
        ("device=main&metric=voltage_l1&step_s=0", 422),
        ("device=main&metric=voltage_l1&step_s=nan", 422),
        ("device=main&metric=voltage_l1&step_s=1", 409),
        ("device=main&metric=voltage_l1&start=tomorrow", 422),
        ("device=main&metric=voltage_l1&end=0001-01-01T00:00:00Z", 422),
        ("device=main&metric=voltage_l1&start=9999-12-31T23:59:59Z", 422),
    ],
)
async def test_a_series_that_cannot_be_is_refused_with_a_hint(client, query, status):
    answer = await client.get(f"{V1}/sites/east-lake/series?{query}")

    assert answer.status_code == status
    assert answer.json()["detail"]
    assert answer.json()["hint"]


async def test_progress_has_plan_and_photos(behind, client):
    progress = (await client.get(f"{V1}/sites/east-lake/progress")).json()

    assert progress["plan_version"] == 1
    assert [percent for _, percent in progress["planned"]] == [0.0, 100.0]
    assert [seen["percent"] for seen in progress["actual"]] == [11.0, 12.0]
    assert progress["actual"][1]["standing"] == "judged"


async def test_a_picture_is_found_by_the_address_it_is_listed_with(world, client):
    world.photo("p1", b"\xff\xd8first")
    world.photo("北 2#?%", b"\xff\xd8second", at=world.clock.wall() + timedelta(minutes=1))
    (listed,) = (await client.get(f"{V1}/sites/east-lake/photos")).json()
    picture = await client.get(listed["href"])

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.content == b"\xff\xd8second"


class Away:
    """A store whose server is down."""

    def latest(self, site):
        raise Unreachable("the store does not answer", hint="Start it.")


async def test_a_store_that_is_away_is_a_503_that_says_so(world, browse):
    faults = {"InfluxDB": "the store does not answer"}
    world.api.state.services = replace(world.services, telemetry=Away(), faults=lambda: faults)
    answer = await browse().get(f"{V1}/sites/east-lake/readings/latest")
    health = await browse().get(f"{V1}/health")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {
        "type": "about:blank", "title": "Service Unavailable", "status": 503,
        "detail": "the store does not answer", "hint": "Start it.",
    }  # fmt: skip
    assert health.json()["faults"] == faults


async def test_while_the_readings_are_away_the_page_shows_everything_else(world, browse):
    world.progress(11.0, half=1.0)
    world.api.state.services = replace(world.services, telemetry=Away())
    page = await browse().get("/sites/east-lake")

    assert page.status_code == 200
    assert "时序数据库暂时没有应答" in page.text
    assert "11.0" in page.text


async def test_a_page_without_its_pictures_store_is_a_503_in_the_readers_language(world, browse):
    world.api.state.services = replace(world.services, photos=Away())
    page = await browse().get("/sites/east-lake")

    assert page.status_code == 503
    assert "暂时无法读取数据" in page.text


async def test_a_picture_of_another_site_is_not_shown(world, client):
    world.add_site("other")
    world.photo("p1", b"\xff\xd8")

    assert (await client.get(f"{V1}/sites/other/photos/p1.jpg")).status_code == 404


async def test_an_alert_is_acknowledged_once(behind, client, world):
    done = await client.post(f"{V1}/alerts/{behind}/acknowledge", json={"by": "王建国", "comment": "在查"})
    again = await client.post(f"{V1}/alerts/{behind}/acknowledge", json={"by": "b"})
    history = (await client.get(f"{V1}/alerts/{behind}/history")).json()

    assert (done.status_code, done.json()["state"]) == (200, State.ACKNOWLEDGED)
    assert (again.status_code, again.json()["hint"]) == (409, "Someone was quicker; add a comment instead.")
    assert [step["what"] for step in history] == ["raised", "acknowledged"]
    assert history[1]["comment"] == "在查"


async def test_alerts_are_listed_with_their_evidence(behind, client):
    (alert,) = (await client.get(f"{V1}/alerts?site=east-lake")).json()

    assert alert["deviation_pp"] == pytest.approx(-9.0)
    assert [point["percent"] for point in alert["evidence"]] == [11.0, 12.0]
    assert (await client.get(f"{V1}/alerts/{behind}")).json() == alert


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/alerts/999", 404),
        ("GET", "/alerts/999/history", 404),
        ("POST", "/alerts/999/acknowledge", 404),
        ("POST", "/alerts/999/comment", 404),
        ("POST", "/alerts/999/close", 404),
        ("GET", "/alerts/0", 422),
        ("GET", "/alerts/99999999999999999999", 422),
        ("GET", "/alerts?site=nowhere", 404),
        ("GET", "/alerts?limit=0", 422),
        ("GET", "/sites/nowhere", 404),
        ("GET", "/sites/nowhere/progress", 404),
        ("GET", "/nothing", 404),
    ],
)
async def test_what_is_not_there_is_said_the_same_way_everywhere(client, method, path, status):
    answer = await client.request(
        method, f"{V1}{path}", json={"by": "a", "comment": "b"} if method == "POST" else None
    )

    assert answer.status_code == status
    assert set(answer.json()) == {"type", "title", "status", "detail", "hint"}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [{}, {"by": " "}, {"by": "x" * 81}, {"by": "a", "else": 1}, [], "a"])
async def test_a_question_with_anything_else_in_it_is_refused(behind, client, body):
    answer = await client.post(f"{V1}/alerts/{behind}/acknowledge", json=body)

    assert answer.status_code == 422
    assert answer.json()["hint"]


async def test_an_alert_whose_condition_stands_cannot_be_closed(behind, client):
    answer = await client.post(f"{V1}/alerts/{behind}/close", json={"by": "a"})

    assert answer.status_code == 409


async def test_gateways_health_and_gaps_are_told(world, client):
    world.health(waiting=12)
    (gateway,) = (await client.get(f"{V1}/gateways?site=east-lake")).json()
    health = (await client.get(f"{V1}/health")).json()

    assert (gateway["online"], gateway["gauges"]["waiting_data"]) == (True, 12.0)
    assert health["missing_records"] == 0
    assert health["last_seen"] == "2026-03-01T00:00:00Z"
    assert (await client.get(f"{V1}/gaps")).json() == []


async def test_health_says_whether_what_was_stored_was_projected(world, client):
    before = (await client.get(f"{V1}/health")).json()
    world.health()  # straight to the projections: no ledger has it
    after = (await client.get(f"{V1}/health")).json()

    assert (before["status"], before["balanced"]) == ("ok", True)
    assert (after["status"], after["balanced"]) == ("out of balance", False)
    assert after["projections"]["gateways"] == {
        "applied": 1,
        "passed_over": 0,
        "behind": 0,
        "balanced": False,
    }
    assert [name for name, holds in after["equations"].items() if not holds] == [
        f"stored = {name} applied + passed over + behind"
        for name in ("series", "photos", "gateways", "gaps", "progress")
    ]


async def test_a_gap_says_whether_and_why_its_gateway_declared_it(world, client):
    name = {"site": "east-lake", "gateway": "gw-east-1", "epoch": "e1", "lane": "data"}
    gone = Gap(
        lane="data", first=5, last=9, why="thinned", from_us=1_000_000, until_us=2_000_000, instead=(10, 11)
    )
    world.store(gone)

    gaps = (await client.get(f"{V1}/gaps")).json()
    health = (await client.get(f"{V1}/health")).json()

    assert [{**name, **gap} for gap in gaps] == gaps
    assert [(gap["first"], gap["last"], gap["declared"], gap["why"]) for gap in gaps] == [
        (1, 4, False, ""),
        (5, 9, True, "thinned"),
    ]
    assert (gaps[1]["start"], gaps[1]["count"], gaps[1]["summarised"]) == ("1970-01-01T00:00:01Z", 5, True)
    assert (health["missing_records"], health["declared_missing_records"]) == (4, 5)
