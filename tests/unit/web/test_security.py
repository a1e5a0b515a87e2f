import pytest


@pytest.fixture
def alert(world):
    world.clock.step(20 * 86_400)
    world.progress(11.0, half=1.0)
    world.clock.step(86_400)
    world.progress(12.0, half=1.0)
    (alert,) = world.parts.book.open()
    return alert.id


@pytest.mark.parametrize(
    "path", ["/sites/east-lake", "/static/live.js", "/api/v1/sites", "/nothing", "/api/v1/nothing"]
)
async def test_every_answer_forbids_what_is_not_ours(client, path):
    headers = (await client.get(path)).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "something new"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:81"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
    ],
)
async def test_only_our_own_page_and_programs_change_anything(world, alert, client, headers, status):
    answer = await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={"by": "a"}, headers=headers)

    assert answer.status_code == status
    assert (world.parts.book.get(alert).acknowledged_by == "a") == (status == 200)


async def test_a_form_of_another_site_is_refused(world, alert, client):
    answer = await client.post(
        f"/sites/east-lake/alerts/{alert}/acknowledge",
        data={"by": "a"},
        headers={"sec-fetch-site": "cross-site"},
    )

    assert answer.status_code == 403
    assert world.parts.book.get(alert).acknowledged_by is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil"])
async def test_a_name_that_is_not_ours_is_not_served(client, host):
    assert (await client.get("/api/v1/sites", headers={"host": host})).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
async def test_this_machines_own_names_are_served(client, host):
    assert (await client.get("/api/v1/sites", headers={"host": host})).status_code == 200


async def test_a_configured_name_is_served(open_world, browse):
    other = browse(open_world(names=("plumbline.example",)))

    assert (await other.get("/api/v1/sites", headers={"host": "plumbline.example"})).status_code == 200


async def test_a_body_of_megabytes_is_not_read(client):
    answer = await client.post("/api/v1/alerts/1/acknowledge", content=b"x" * (65 * 1024))

    assert answer.status_code == 413


async def test_a_body_without_a_length_is_not_read(client):
    async def pieces():
        yield b"{}"

    answer = await client.post("/api/v1/alerts/1/acknowledge", content=pieces())

    assert answer.status_code == 411


async def test_a_length_beside_pieces_of_unknown_number_is_no_length(client):
    headers = {"content-length": "2", "transfer-encoding": "chunked"}
    answer = await client.post("/api/v1/alerts/1/acknowledge", content=b"{}", headers=headers)

    assert answer.status_code == 411


async def test_an_origin_that_is_no_address_is_another_website(client):
    answer = await client.post("/api/v1/alerts/1/acknowledge", json={}, headers={"origin": "http://["})

    assert answer.status_code == 403


async def test_no_documentation_page_reaches_out_for_a_cdn(client):
    assert (await client.get("/docs")).status_code == 404
    assert (await client.get("/redoc")).status_code == 404
    assert (await client.get("/openapi.json")).status_code == 200
