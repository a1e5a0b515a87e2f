import re

import pytest

from plumbline.messages import Event, Gap, Health
from plumbline.metrics import Flaw

HOSTILE = '"><script>alert(1)</script>'
JPEG = b"\xff\xd8\xff\xe0 not looked at by the page \xff\xd9"


@pytest.fixture
def behind(world):
    """A site whose alert is open; its number."""
    for day in (20, 21):
        world.clock.step(86_400 * day if day == 20 else 86_400)
        world.progress(day - 9.0, half=1.0)
    (alert,) = world.parts.book.open()
    return alert.id


async def test_one_site_is_the_first_page(client):
    answer = await client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sites/east-lake")


async def test_no_sites_say_how_to_add_one(open_world, browse):
    answer = await browse(open_world()).get("/")

    assert "还没有工地" in answer.text
    assert "plumbline central site" in answer.text


async def test_of_several_sites_the_worst_comes_first(world, behind, client):
    world.add_site("calm", "静安里", "Calm Lane")
    world.plan((0, 0), (100, 100), site="calm")
    world.progress(21.0, site="calm")
    world.add_site("blank", "新建", "Blank")
    answer = await client.get("/")

    order = [answer.text.index(name) for name in ("东湖小学", "新建", "静安里")]
    assert order == sorted(order)
    assert "1 个工地需要处理" in answer.text


async def test_the_page_says_what_is_wrong_and_what_to_do(behind, client):
    text = (await client.get("/sites/east-lake")).text

    assert '<html lang="zh-CN">' in text
    assert "比计划落后 9.0 个百分点" in text
    assert "请联系施工单位核实原因" in text
    assert f'action="/sites/east-lake/alerts/{behind}/acknowledge"' in text


async def test_english_is_asked_for_once_and_then_remembered(behind, client):
    first = await client.get("/sites/east-lake?lang=en")
    second = await client.get("/sites/east-lake")

    assert "9.0 points behind plan" in first.text
    assert "9.0 points behind plan" in second.text
    assert '<html lang="en">' in second.text


async def test_the_browsers_language_decides_where_nothing_was_asked(browse):
    answer = await browse(**{"accept-language": "en-GB"}).get("/sites/east-lake")

    assert '<html lang="en">' in answer.text


async def test_a_form_without_scripts_acknowledges_and_comes_back(world, behind, client):
    answer = await client.post(
        f"/sites/east-lake/alerts/{behind}/acknowledge", data={"by": " 王建国 ", "comment": "周五复查"}
    )
    page = await client.get(answer.headers["location"])

    assert answer.status_code == 303
    assert world.parts.book.get(behind).acknowledged_by == "王建国"
    assert "王建国 已于" in page.text
    assert 'value="王建国"' in page.text
    assert "周五复查" in page.text


async def test_who_comes_second_is_told_so(behind, client):
    where = f"/sites/east-lake/alerts/{behind}/acknowledge"
    await client.post(where, data={"by": "a"})
    answer = await client.post(where, data={"by": "b"})

    assert answer.status_code == 409
    assert "现在不能这样做" in answer.text
    assert "Someone was quicker" in answer.text


@pytest.mark.parametrize(
    "form", [{}, {"by": ""}, {"by": "   "}, {"by": "x" * 81}, {"by": "a", "comment": "x" * 2001}]
)
async def test_a_form_without_a_name_changes_nothing(world, behind, client, form):
    answer = await client.post(f"/sites/east-lake/alerts/{behind}/acknowledge", data=form)

    assert answer.status_code in (409, 422)
    assert world.parts.book.get(behind).acknowledged_by is None


async def test_an_alert_of_another_site_cannot_be_acknowledged_here(world, behind, client):
    world.add_site("other")
    answer = await client.post(f"/sites/other/alerts/{behind}/acknowledge", data={"by": "a"})

    assert answer.status_code == 404
    assert world.parts.book.get(behind).acknowledged_by is None


async def test_a_comment_joins_the_history(world, behind, client):
    answer = await client.post(
        f"/sites/east-lake/alerts/{behind}/comment", data={"by": "李伟", "comment": "脚手架未到"}
    )

    assert answer.status_code == 303
    assert "脚手架未到" in (await client.get("/sites/east-lake")).text


async def test_hostile_names_are_shown_as_text(world, client):
    world.add_site(zh=HOSTILE, en=HOSTILE)
    world.frame(HOSTILE, voltage_l1=230.0)
    world.store(Event(code=HOSTILE, subject=HOSTILE, text=HOSTILE))
    photo = world.progress(5.0, gate=(HOSTILE.replace(" ", ""),), photo=HOSTILE)
    world.photo(photo, JPEG)
    text = (await client.get("/sites/east-lake")).text

    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert not re.search(r'=""?><script', text)


async def test_hostile_words_in_a_form_are_shown_as_text(behind, client):
    await client.post(
        f"/sites/east-lake/alerts/{behind}/acknowledge", data={"by": HOSTILE, "comment": HOSTILE}
    )
    text = (await client.get("/sites/east-lake")).text

    assert "alert(1)" in text
    assert "<script>alert" not in text


async def test_every_part_can_be_drawn_alone(behind, client):
    parts = (await client.get("/sites/east-lake/parts?only=hero,alerts,none-of-ours")).json()
    whole = (await client.get("/sites/east-lake/parts")).json()

    assert list(parts) == ["hero", "alerts"]
    assert set(whole) == {"hero", "curve", "photo", "meters", "alerts", "gateways"}
    assert whole["hero"] == parts["hero"]


async def test_missing_values_say_why_on_the_page(world, client):
    world.frame(power_active_total=None, flaws={"power_active_total": Flaw.SENTINEL})
    text = (await client.get("/sites/east-lake")).text

    assert "电表表示没有此值" in text
    assert ">0.00<" not in text


async def test_a_reading_older_than_the_limit_is_stale_from_the_start(world, client):
    world.frame(voltage_l1=230.0)
    fresh = (await client.get("/sites/east-lake")).text
    world.clock.step(301)
    stale = (await client.get("/sites/east-lake")).text

    assert 'class="meter"' in fresh
    assert 'class="meter stale"' in stale


async def test_a_picture_on_its_way_is_not_a_broken_image(world, client):
    world.progress(5.0)
    text = (await client.get("/sites/east-lake")).text

    assert "照片文件暂缺" in text
    assert "<img" not in text


async def test_an_unusable_photo_says_why_and_keeps_the_last_percent(world, client):
    world.progress(1.0)
    world.clock.step(3600)
    world.photo(world.progress(None, gate=("BLUR", "HTTP_503")), JPEG)
    text = (await client.get("/sites/east-lake")).text

    assert "图像模糊、摄像头回答 503" in text
    assert "<b>1.0</b>" in text


async def test_an_unknown_site_is_a_page_that_leads_back(client):
    answer = await client.get("/sites/nowhere")

    assert answer.status_code == 404
    assert "没有找到这个页面" in answer.text
    assert 'href="/"' in answer.text


async def test_the_page_loads_nothing_from_outside_and_has_no_inline_code(world, told, client):
    told.tell_story(world, JPEG)
    for text in [(await client.get("/sites/east-lake")).text, (await client.get("/")).text]:
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', text)
        assert not re.findall(r"\sstyle=|\son[a-z]+=|javascript:", text)
        assert not re.findall(r"<script(?![^>]*\ssrc=)", text)


async def test_ids_are_unique_on_a_full_page(world, told, client):
    told.tell_story(world, JPEG)
    ids = re.findall(r'\sid="([^"]*)"', (await client.get("/sites/east-lake")).text)

    assert len(ids) == len(set(ids))


async def test_static_files_are_named_by_their_content(client):
    text = (await client.get("/sites/east-lake")).text
    addresses = re.findall(r'"(/static/[^"]+)"', text)

    assert len(addresses) == 3
    for address in addresses:
        assert re.fullmatch(r"/static/[a-z.]+\?v=[0-9a-f]{12}", address)
        assert (await client.get(address)).status_code == 200


async def test_an_alert_leads_to_the_pictures_it_rests_on(world, behind, client):
    alert = world.parts.book.get(behind)
    world.photo(alert.evidence[1].photo, JPEG)
    text = (await client.get("/sites/east-lake")).text
    (address,) = re.findall(r'<a href="(/api/v1/sites/east-lake/photos/[^"]+)"', text)

    assert (await client.get(address)).content == JPEG


@pytest.mark.parametrize(
    ("method", "path", "title"),
    [
        ("GET", "/sites/east-lake/alerts/1/acknowledge", "没有找到这个页面"),
        ("POST", "/sites/east-lake/alerts/999/acknowledge", "没有找到这个页面"),
        ("POST", "/sites/east-lake/alerts/x/acknowledge", "表单没有填完整"),
        ("POST", "/", "没有找到这个页面"),
    ],
)
async def test_every_error_is_a_page_in_the_readers_language(client, method, path, title):
    answer = await client.request(method, path, data={"by": "a"} if method == "POST" else None)

    assert answer.status_code >= 400
    assert title in answer.text
    assert 'href="/?lang=en"' in answer.text


async def test_a_gateway_shows_what_waits_what_it_gave_up_and_how_long_it_has_room(world, client):
    gap = Gap(lane="photo", first=1, last=7, why="size", prev=bytes(32), head=bytes(32))
    gauges = {"waiting_status": 1.0, "waiting_data": 12.0, "outbox_full_in_days": 41.3, "disk_free_mb": 900.0}
    world.store(gap)
    world.store(Health(version="0.2.0", gauges=gauges))
    page = (await client.get("/sites/east-lake?lang=en")).text

    assert "13 records" in page
    assert "7 declared lost" in page
    assert "room for 41 days offline" in page
