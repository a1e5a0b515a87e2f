"""Every list comes in pieces, and every list of things that have times by their times."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from plumbline_central.api.errors import Unreadable
from plumbline_central.api.paging import Between, Page, _read, _written

V1 = "/api/v1"
SITE = f"{V1}/sites/east-lake"
FUNDS = f"{SITE}/indicators/funds_paid"
PROGRESS = f"{SITE}/indicators/progress"
LISTS = [
    f"{V1}/sites",
    f"{V1}/gateways",
    f"{V1}/gaps",
    f"{V1}/ranking",
    f"{V1}/alerts",
    f"{V1}/alerts/1/history",
    f"{V1}/alerts/out-of-service",
    f"{V1}/maintenance",
    f"{V1}/indicators/templates",
    f"{SITE}/readings/latest",
    f"{SITE}/photos",
    f"{SITE}/indicators",
    f"{FUNDS}/history",
    f"{FUNDS}/points",
    f"{FUNDS}/values",
    f"{PROGRESS}/points",
    f"{PROGRESS}/plans",
]
OBJECTS = {
    f"{SITE}/series?device=crane&metric=voltage_l1&start=2026-01-01T00:00:00Z": "points",
    f"{SITE}/progress": "actual",
}
UNFILLED = {"/deliveries"}
"""Nobody is told anything in this world: see test_alert_api."""
UNDATED = {
    "/deliveries",
    "/sites",
    "/gateways",
    "/ranking",
    "/indicators/templates",
    "/sites/{site}/indicators",
}


@pytest.fixture
def full(world, told):
    told.fill(world)
    return world


async def pieces(client, url):
    """What all pieces of a list hold, one item a piece, as `Link` leads from one to the next."""
    found, joint = [], "&" if "?" in url else "?"
    url = f"{url}{joint}limit=1"
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = answer.headers.get("link", "")
        url = link and re.fullmatch(r'<(/api/v1/[^>]+)>; rel="next"', link)[1]
        assert len(found) < 200
    return found


def test_every_route_that_answers_a_list_takes_limit_and_cursor_and_a_range_where_it_has_times(world):
    lists, lacking = 0, []
    for path, verbs in world.api.openapi()["paths"].items():
        answer = verbs.get("get", {}).get("responses", {}).get("200", {})
        shape = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if shape.get("type") != "array":
            continue
        lists += 1
        wanted = {"limit", "cursor"} | (set() if path.removeprefix(V1) in UNDATED else {"start", "end"})
        taken = {parameter["name"] for parameter in verbs["get"].get("parameters", [])}
        if wanted - taken or "Link" not in answer["headers"]:
            lacking.append(path)

    assert lists == len(LISTS) - 1 + len(UNFILLED)  # two of ours are points
    assert lacking == []


async def test_pieces_put_together_are_the_list(full, client):
    for url in LISTS:
        whole = (await client.get(url)).json()
        single = await pieces(client, url)

        assert [item for piece in single for item in piece] == whole, url
        assert len(whole) > 1 or url.endswith("/photos"), url
        assert all(len(piece) == 1 for piece in single), url
    for url, name in OBJECTS.items():
        whole = (await client.get(url)).json()[name]
        single = await pieces(client, url)

        assert [item for piece in single for item in piece[name]] == whole, url
        assert len(whole) > 1, url


async def test_a_range_takes_only_what_lies_in_it(full, client):
    for url in [one for one in LISTS if "plans" not in one and "gaps" not in one] + [f"{V1}/gaps"]:
        path = re.sub(r"/alerts/1/", "/alerts/{alert}/", url.removeprefix(V1)).replace(
            "/sites/east-lake", "/sites/{site}"
        )
        if path in UNDATED:
            continue
        past = (await client.get(f"{url}?end=1971-01-01T00:00:00Z")).json()
        ahead = (await client.get(f"{url}?start=2098-01-01T00:00:00Z")).json()

        if url.endswith("/gaps"):  # some have no time: nobody knows that they lie elsewhere
            assert all(gap["start"] is None for gap in past + ahead)
        elif not url.endswith("out-of-service"):  # until somebody ends it
            assert past == ahead == [], url


async def test_a_list_goes_on_behind_its_last_item_whatever_came_meanwhile(full, client, told):
    first = await client.get(f"{V1}/sites?limit=1")
    full.add_site("a0")
    full.add_site("a13")
    second = await client.get(re.search("<(.*)>", first.headers["link"])[1])

    assert [site["id"] for site in first.json() + second.json()] == ["a12", "a13"]


async def test_a_cursor_of_another_list_is_refused(full, client):
    keys = [(1.5, "a", "b", "c"), (2**80, 2**80), (2**80, "a"), ("a", "b", "c", "d", "e")]
    cursors = ["x", "%F0%9F%8F%97", *map(_written, keys)]
    for url in [*LISTS[:5], FUNDS + "/values", FUNDS + "/points", *OBJECTS]:
        for query in [*(f"cursor={one}" for one in cursors), "limit=0", "limit=100001"]:
            answer = await client.get(f"{url}{'&' if '?' in url else '?'}{query}")

            assert answer.status_code in (200, 422)  # a text may stand where a text does
            assert answer.status_code == 200 or answer.json()["hint"]
            assert answer.status_code == 422 or query != "cursor=x"


async def test_a_time_that_cannot_be_is_refused_everywhere(client):
    queries = (
        "start=0001-01-01T00:00:00Z",
        "end=0001-01-01T00:00:00%2B14:00",
        "end=9999-12-31T23:59:59Z",
        "end=9999-12-31T23:59:59-14:00",
        "start=2026-03-01T00:00:00",
        "start=2026-03-01",
        "start=1772323200",
        "start=-1",
        "start=",
        "end=NaN",
        "start=2026-03-02T00:00:00Z&end=2026-03-01T00:00:00Z",
        "start=1970-01-01T00:00:00%2B01:00",
    )
    for url in (
        f"{V1}/alerts",
        f"{V1}/gaps",
        f"{SITE}/series?device=m&metric=voltage_l1",
        f"{SITE}/progress",
    ):
        for query in queries:
            answer = await client.get(f"{url}{'&' if '?' in url else '?'}{query}")

            assert answer.status_code == 422, (url, query)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_range_that_begins_ahead_of_now_is_refused(client):
    answer = await client.get(f"{SITE}/series?device=m&metric=voltage_l1&start=2027-01-01T00:00:00Z")

    assert (answer.status_code, answer.json()["detail"]) == (422, "start lies ahead")


async def test_an_etag_knows_whether_more_follows(full, client):
    last = await client.get(f"{V1}/alerts?limit=2&rule=meter_fault")
    one = await client.get(f"{V1}/alerts?limit=1&rule=meter_fault")

    assert "link" not in last.headers
    assert one.headers["link"].startswith("</api/v1/alerts?limit=1&rule=meter_fault&cursor=")


def page(limit, after=None):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/l",
        "query_string": b"",
        "headers": [],
        "server": ("h", 80),
    }
    return Page(limit=limit, after=after, request=Request(scope), response=Response())


keys = st.lists(st.tuples(st.integers(0, 2**53), st.text(max_size=5)), unique=True)


@given(keys, st.integers(1, 5), st.booleans())
def test_any_list_is_whole_again_from_its_pieces(items, limit, falling):
    items.sort(reverse=falling)
    found, after = [], None
    while True:
        one = page(limit, after)
        piece = one.cut(items, lambda item: item, falling=falling)
        found += piece
        if one.link is None:
            break
        after = _read(re.search("cursor=([^&>]+)", one.link)[1])

    assert found == items


@given(st.text())
def test_no_cursor_breaks_anything(text):
    try:
        key = _read(text)
    except Unreadable:
        return

    assert _read(_written(key)) == key or any(part != part for part in key)  # noqa: PLR0124 - NaN


def test_a_span_meets_a_range_that_it_touches(told):
    start, day = told.START, timedelta(days=1)
    march_first = Between(start, start + day)

    assert march_first.meets(start - day, start)
    assert march_first.meets(None, None)
    assert not march_first.meets(start + day, None)
    assert not march_first.meets(None, start - day)
