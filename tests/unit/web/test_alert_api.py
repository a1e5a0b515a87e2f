from datetime import timedelta

import pytest

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.condition import Condition
from plumbline_central.deviation import Point

V1 = "/api/v1"
SLOT = {"site": "east-lake", "rule": "meter_fault", "subject": "crane"}
LI = {"by": "李伟", "comment": "换表"}


@pytest.fixture
def look(world):
    """Lets the rules look, and find these meters faulty."""

    def settle(*meters):
        now = world.clock.wall()
        found = [
            Condition(
                slot=Slot(site="east-lake", rule="meter_fault", subject=meter),
                severity="red",
                since=now,
                gateway="gw-east-1",
                facts={"silent_s": 900.0, "unit": "m"},
            )
            for meter in meters
        ]
        with world.parts.book.write() as writer:
            writer.settle(found, ["meter_fault"], now)

    return settle


@pytest.fixture
def ask(client):
    async def get(path, status=200):
        answer = await client.get(f"{V1}{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


@pytest.fixture
def say(client):
    async def post(path, status=200, **body):
        answer = await client.post(f"{V1}{path}", json=LI | body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


def later(world, **by):
    return (world.clock.wall() + timedelta(**by)).isoformat()


async def test_a_person_takes_an_alert_through_its_life(world, look, ask, say):
    look("crane")
    assert (await say("/alerts/1/assign", to="王建国"))["assigned_to"] == "王建国"
    shelved = await say("/alerts/1/shelve", until=later(world, days=2))
    assert (shelved["state"], shelved["shown"], shelved["shelved_by"]) == (
        "unacknowledged",
        "shelved",
        "李伟",
    )
    assert (await say("/alerts/1/unshelve"))["shown"] == "unacknowledged"
    assert (await say("/alerts/1/rectify"))["rectified_by"] == "李伟"
    look()

    (alert,) = await ask("/alerts?state=all")
    assert (alert["shown"], alert["gateway"], alert["facts"]) == (
        "normal",
        "gw-east-1",
        {"silent_s": 900.0, "unit": "m"},
    )
    steps = await ask("/alerts/1/history")
    assert [(step["what"], step["who"]) for step in steps] == [
        ("raised", "plumbline"),
        *[(what, "李伟") for what in ("assigned", "shelved", "unshelved", "rectified")],
        ("returned", "plumbline"),
    ]


async def test_the_list_is_narrowed(look, ask, say):
    look(*(f"m{n}" for n in range(5)))
    await say("/alerts/2/assign", to="li")
    await say("/alerts/3/acknowledge")

    async def ids(query):
        return [alert["id"] for alert in await ask(f"/alerts?{query}")]

    assert await ids("assigned_to=li") == [2]
    assert await ids("state=acknowledged") == [3]
    assert await ids("rule=meter_fault&severity=red&site=east-lake&state=all") == [5, 4, 3, 2, 1]
    assert await ids("severity=amber") == []
    assert await ids("site=system") == []
    assert await ids("start=2026-03-01T00:00:00Z&end=2026-03-01T00:00:00Z") == []
    assert await ids("start=2026-03-01T08:00:00%2B08:00") == [5, 4, 3, 2, 1]


async def test_what_has_not_changed_is_not_sent_again(look, client, say):
    look("crane")
    for path in ("/alerts", "/maintenance", "/alerts/out-of-service", "/alerts/rates"):
        first = await client.get(f"{V1}{path}")
        tag = first.headers["etag"]
        again = await client.get(f"{V1}{path}", headers={"if-none-match": f'"other", W/{tag}'})

        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "private, no-cache"
    before = (await client.get(f"{V1}/alerts")).headers["etag"]
    await say("/alerts/1/acknowledge")
    assert (await client.get(f"{V1}/alerts", headers={"if-none-match": before})).status_code == 200


async def test_a_slot_is_taken_out_of_service_and_put_back(look, ask, say):
    out = await say("/alerts/out-of-service", 201, **SLOT)
    look("crane")
    assert [alert["shown"] for alert in await ask("/alerts")] == ["out_of_service"]
    assert [alert["id"] for alert in await ask("/alerts?state=out_of_service")] == [1]
    assert await ask("/alerts/out-of-service?site=east-lake") == [out]
    back = await say(f"/alerts/out-of-service/{out['id']}/end")

    assert (back["ended_by"], back["ended_why"]) == ("李伟", "换表")
    assert await ask("/alerts/out-of-service") == []
    assert await ask("/alerts/out-of-service?which=all") == [back]
    assert [alert["shown"] for alert in await ask("/alerts")] == ["unacknowledged"]


async def test_a_maintenance_window_is_planned_listed_and_ended(world, look, ask, say):
    window = await say("/maintenance", 201, site="east-lake", until=later(world, hours=8))
    ahead = await say(
        "/maintenance",
        201,
        site="east-lake",
        subject="crane",
        start=later(world, days=1),
        until=later(world, days=2),
    )
    look("crane")
    (alert,) = await ask("/alerts")
    assert (alert["shown"], alert["suppressed_by"]) == ("suppressed", f"maintenance-{window['id']}")
    assert [one["id"] for one in await ask("/maintenance")] == [ahead["id"], window["id"]]
    for one in (ahead, window):
        await say(f"/maintenance/{one['id']}/end")

    assert await ask("/maintenance") == []
    assert [alert["shown"] for alert in await ask("/alerts")] == ["unacknowledged"]


async def test_the_rates_say_how_much_people_have_to_bear(world, look, ask):
    for _ in range(3):
        look("crane", "hoist")
        look("hoist")
        world.clock.step(600)
    world.clock.step(86_400)
    found = await ask("/alerts/rates?site=east-lake")

    assert (found["per_hour"]["now"], found["per_hour"]["peak"], found["standing"]) == (0, 4, 1)
    assert [one["slot"]["subject"] for one in found["chattering"]] == ["crane"]
    assert [(one["slot"]["subject"], one["raised"]) for one in found["bad_actors"]] == [
        ("crane", 3),
        ("hoist", 1),
    ]
    assert [one["subject"] for one in found["stale"]] == ["hoist"]
    assert (await ask("/alerts/rates?chatter_s=600"))["chattering"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/alerts?state=asleep", None, 422),
        ("GET", "/alerts?rule=none", None, 422),
        ("GET", "/alerts?cursor=nonsense", None, 422),
        ("GET", "/alerts/rates?site=nowhere", None, 404),
        ("GET", "/alerts/rates?start=2027-01-01T00:00:00Z", None, 422),
        ("GET", "/alerts/rates?chatter_s=0", None, 422),
        ("GET", "/maintenance?site=nowhere", None, 404),
        ("POST", "/alerts/1/assign", LI, 422),
        ("POST", "/alerts/1/shelve", LI, 422),
        ("POST", "/alerts/1/shelve", LI | {"until": "2026-03-01T00:00:00"}, 422),
        ("POST", "/alerts/1/shelve", LI | {"until": "2099-03-01T00:00:00Z"}, 409),
        ("POST", "/alerts/1/shelve", {"by": "li", "until": "2026-03-02T00:00:00Z"}, 422),
        ("POST", "/alerts/1/unshelve", LI, 409),
        ("POST", "/alerts/9/rectify", LI, 404),
        ("POST", "/alerts/out-of-service", LI | SLOT | {"subject": "a/#"}, 422),
        ("POST", "/alerts/out-of-service", LI | SLOT | {"rule": "none"}, 422),
        ("POST", "/alerts/out-of-service", LI | SLOT | {"site": "nowhere"}, 404),
        ("POST", "/alerts/out-of-service/9/end", LI, 404),
        ("POST", "/maintenance", LI | {"site": "east-lake", "until": "2026-02-01T00:00:00Z"}, 409),
        ("POST", "/maintenance", LI | {"site": "nowhere", "until": "2026-03-02T00:00:00Z"}, 404),
        ("POST", "/maintenance/9/end", LI, 404),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_to_do(look, client, method, path, body, status):
    look("crane")
    answer = await client.request(method, f"{V1}{path}", json=body)

    assert answer.status_code == status
    assert set(answer.json()) == {"type", "title", "status", "detail", "hint"}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_page_says_of_each_alert_what_it_is_and_whether_it_is_withheld(
    world, look, say, client, language
):
    look("crane", "hoist")
    await say("/alerts/1/shelve", until=later(world, days=2))
    page = (await client.get(f"/sites/east-lake?lang={language}")).text

    words = {
        "zh": ("电表异常：crane", "已搁置", "请查明原因"),
        "en": ("Meter fault: crane", "Shelved", "Find the cause"),
    }
    assert all(word in page for word in words[language])


async def test_a_notice_that_a_receiver_refused_is_listed_with_its_words(world, client):
    point = Point(ref="g/e/data/1", at=world.clock.wall(), percent=42.0, low=None, high=None, planned=50.0)
    book = AlertBook(world.parts.control, channels=["webhook:ops"])
    with book.write() as writer:
        writer.raise_(
            Slot(site="east-lake", rule="no_data", subject="north"), "amber", [point], point.at, "cause"
        )
    (waiting,) = world.parts.deliveries.waiting("webhook:ops", 1)
    world.parts.deliveries.end([waiting], "parked", "webhook:ops: answered 410 gone")

    assert (await client.get(f"{V1}/deliveries", params={"state": "waiting"})).json() == []
    (parked,) = (await client.get(f"{V1}/deliveries")).json()
    assert (parked["channel"], parked["what"], parked["key"], parked["why"]) == (
        "webhook:ops", "raised", "no_data-north", "webhook:ops: answered 410 gone",
    )  # fmt: skip


async def test_what_waits_is_told_in_pieces_the_newest_first(world, client):
    book = AlertBook(world.parts.control, channels=["webhook:a", "webhook:b", "webhook:c"])
    point = Point(ref="g/e/data/1", at=world.clock.wall(), percent=42.0, low=None, high=None, planned=50.0)
    with book.write() as writer:
        writer.raise_(
            Slot(site="east-lake", rule="no_data", subject="north"), "amber", [point], point.at, "cause"
        )
    url, found = f"{V1}/deliveries?state=waiting&limit=2", []
    while url:
        answer = await client.get(url)
        found.append([one["id"] for one in answer.json()])
        url = answer.links.get("next", {}).get("url")

    assert found == [[3, 2], [1]]
