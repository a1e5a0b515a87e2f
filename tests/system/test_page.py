"""The page in a real browser, served by the real server, fed through the real stores."""

import asyncio
import importlib.util
import os
import shutil
import socket
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

CHROMIUM = (
    os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = (1280, 720)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]

WORLD = Path(__file__).parents[1] / "unit" / "web" / "world.py"


def load_world():
    name = "plumbline_tests_world"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, WORLD)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


told = load_world()


class Server:
    """uvicorn in a thread of its own, on one port for as often as it is started."""

    def __init__(self, world):
        self.world = world
        self.port = None
        self._thread = None

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        listener = socket.create_server(("127.0.0.1", self.port or 0))
        self.port = listener.getsockname()[1]
        self._stopping = asyncio.Event()  # one per loop
        self.world.api.state.services = replace(self.world.services, stopping=self._stopping)
        config = uvicorn.Config(self.world.api, log_level="warning", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(listener,))
        self._thread.start()

    def _run(self, listener):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve([listener]))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
            listener.close()

    def stop(self):
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._server.should_exit = True
            self._thread.join()
            self._thread = None


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def picture():
    """A rendered site: its JPEG, the facade's corners in shares, floors and bays."""
    project = Project.sample(11, track="reno", days=60)
    image = render(project, 38, Conditions(hour=11, seed=3), SIZE).bgr
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    quad = tuple((x / SIZE[0], y / SIZE[1]) for x, y in project.facade_quad(SIZE))
    return jpeg, quad, (project.floors, project.bays)


@pytest.fixture
def world(tmp_path):
    made = told.World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server(world):
    made = Server(world)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def visit(browser, server):
    """Opens a page; at the end nothing may have gone wrong in it, nor been asked of anyone else."""
    contexts, troubles = [], []

    def open_page(path="/", *, width=1440, height=900, **how):
        how.setdefault("locale", "zh-CN")
        context = browser.new_context(viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda said: (
                troubles.append(said.text)
                if said.type in ("error", "warning") and "net::ERR_" not in said.text
                else None
            ),
        )
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(server.address + "/") else troubles.append(asked.url),
        )
        page.goto(server.address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def story(world, picture):
    """A site that fell behind, with everything on its page."""
    jpeg, quad, grid = picture
    told.tell_story(world, jpeg, slip_pp=13.0, width_px=SIZE[0], height_px=SIZE[1], quad=quad, grid=grid)
    return world


@pytest.fixture
def quiet(world):
    """A site on plan, day 20 of 100."""
    world.add_site()
    world.plan((0, 0), (100, 100))
    world.clock.step(20 * 86_400)
    world.progress(20.0, half=1.0)
    world.frame(**told.three_phase(12_340.0, 100.0))
    return world


def fall_behind(world):
    for day in (21, 22):
        world.clock.step(86_400)
        world.progress(day - 9.0, half=1.0)


@pytest.mark.parametrize(
    ("language", "headline", "live", "to_do"),
    [
        ("zh", "比计划落后 10.0 个百分点", "实时更新", "要做什么"),
        ("en", "10.0 points behind plan", "Live", "What to do"),
    ],
)
def test_values_photo_curve_and_alert_are_there(story, visit, language, headline, live, to_do):
    page = visit(f"/?lang={language}")

    expect(page.locator(".headline")).to_have_text(headline)
    expect(page.locator(".todo h2")).to_have_text(to_do)
    expect(page.locator("#link-word")).to_have_text(live)
    expect(page.locator(".meter")).to_have_count(3)
    expect(page.locator(".plot .seen")).to_have_count(40)
    site = Project.sample(11, track="reno", days=60)  # as `picture` shows it
    expect(page.locator(".zones .zone")).to_have_count(site.floors * site.bays)
    expect(page.locator(".alert-unacknowledged")).to_have_count(1)
    assert page.evaluate("document.querySelector('.picture img').naturalWidth") == SIZE[0]
    if os.environ.get("PLUMBLINE_SCREENSHOTS") == "1":
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / f"page_{language}.png", full_page=True)


def test_a_reading_appears_by_itself_and_is_written_as_the_server_writes_it(quiet, visit):
    page = visit()
    power = page.locator('.meter .big [data-metric="power_active_total"]')
    expect(power).to_have_text("12.34")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    quiet.clock.step(10)
    quiet.frame(**told.three_phase(-9_876_543.2, 1_234_567.0))
    expect(power).to_have_text("−9,876.54")
    live = page.locator(".meter .value").all_text_contents()
    page.reload()

    assert page.locator(".meter .value").all_text_contents() == live


def test_a_value_that_stops_coming_turns_into_a_dash_with_its_reason(quiet, visit):
    page = visit()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    quiet.clock.step(10)
    quiet.frame(power_active_total=None, flaws={"power_active_total": told.Flaw.TIMEOUT})

    expect(page.locator('.meter .big [data-metric="power_active_total"]')).to_have_text("—")
    expect(page.locator(".meter > .reason")).to_have_text("电表没有及时应答")


def test_old_readings_look_old_until_a_new_one_comes(quiet, visit):
    quiet.clock.step(3 * 3600)
    page = visit()
    expect(page.locator(".meter")).to_have_class("meter stale")
    expect(page.locator(".meter header time")).to_have_text("3 小时前")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    quiet.frame(**told.three_phase(5_000.0, 101.0))

    expect(page.locator(".meter")).to_have_class("meter")


def test_a_gateway_that_goes_offline_is_seen_at_once(quiet, visit):
    quiet.health()
    page = visit()
    expect(page.locator(".gateway .status-online")).to_have_text("在线")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    quiet.health(online=False)

    expect(page.locator(".gateway .status-offline")).to_have_text("离线")
    expect(page.locator(".hero-warning .headline")).to_have_text("网关离线，数据可能不是最新")


def test_a_meter_never_seen_before_joins_the_page(quiet, visit):
    page = visit()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    quiet.frame("hoist", voltage_l1=231.0)

    expect(page.locator(".meter h3")).to_have_text(["hoist", "main"])


def test_an_alert_rises_and_is_acknowledged_before_all_eyes(quiet, visit):
    mine, theirs = visit(), visit("/?lang=en")
    expect(mine.locator(".headline")).to_have_text("进度符合计划")
    expect(mine.locator("#link")).to_have_attribute("data-state", "live")
    expect(theirs.locator("#link")).to_have_attribute("data-state", "live")
    fall_behind(quiet)
    expect(mine.locator(".hero-alarm .headline")).to_have_text("比计划落后 9.0 个百分点")
    expect(theirs.locator(".hero-alarm .headline")).to_have_text("9.0 points behind plan")
    mine.get_by_label("您的姓名").first.fill("王建国")
    mine.get_by_label("说明（可不填）").first.fill("周五复查")
    mine.get_by_role("button", name="我已知晓").first.click()

    expect(mine.locator(".hero-warning .todo")).to_contain_text("王建国 已于")
    expect(theirs.locator(".hero-warning .todo")).to_contain_text("王建国 acknowledged this")
    (alert,) = quiet.parts.book.open()
    assert quiet.parts.book.history(alert.id)[-1].comment == "周五复查"


def test_words_being_typed_survive_what_happens_meanwhile(quiet, visit):
    fall_behind(quiet)
    page = visit()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    note = page.get_by_label("说明（可不填）").first
    note.fill("已联系")
    with page.expect_response(lambda answer: "/parts?only=" in answer.url and "hero" in answer.url):
        quiet.clock.step(86_400)
        quiet.progress(13.0, half=1.0)
    expect(page.locator(".part-curve .seen")).to_have_count(4)

    expect(note).to_have_value("已联系")


def test_a_cut_line_is_said_and_mends_itself_without_losing_anything(quiet, visit, server):
    page = visit()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    server.stop()
    expect(page.locator("#lost")).to_contain_text("连接中断")
    expect(page.locator("body")).to_have_class("offline")
    quiet.clock.step(10)
    quiet.frame(**told.three_phase(7_000.0, 102.0))
    fall_behind(quiet)
    server.start()

    expect(page.locator("#lost")).to_be_hidden(timeout=20_000)
    expect(page.locator('.meter .big [data-metric="power_active_total"]')).to_have_text("7.00")
    expect(page.locator(".headline")).to_have_text("比计划落后 9.0 个百分点")


def test_without_scripts_it_can_be_read_and_acknowledged(story, visit):
    page = visit("/?lang=zh", java_script_enabled=False)
    expect(page.locator(".headline")).to_have_text("比计划落后 10.0 个百分点")
    expect(page.locator("#link")).to_be_hidden()
    expect(page.locator("noscript .lost")).to_be_visible()
    form = page.locator(".hero .sign-off")
    form.locator("[name=by]").fill("李伟")
    form.locator("button").click()

    expect(page.locator(".hero .todo")).to_contain_text("李伟 已于")


def test_the_whole_way_to_acknowledging_can_be_gone_by_keyboard(story, visit):
    page = visit("/?lang=en")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".hero [name=by]")).to_be_focused()
    page.keyboard.type("Li Wei")
    page.keyboard.press("Enter")

    expect(page.locator(".hero .todo")).to_contain_text("Li Wei acknowledged this")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (1440, 900), (2560, 1440)])
def test_no_screen_needs_sideways_scrolling(story, visit, language, width, height):
    page = visit(f"/?lang={language}", width=width, height=height)
    expect(page.locator(".headline")).to_be_visible()
    for part in page.locator("details").all():
        part.evaluate("one => { one.open = true; }")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".part *")].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width > 0 && box.right > innerWidth + 1 && !one.closest(".scroll");
        }).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    if os.environ.get("PLUMBLINE_SCREENSHOTS") == "1" and width == 360:
        IMAGES.mkdir(exist_ok=True)
        page.reload()
        page.screenshot(path=IMAGES / f"page_phone_{language}.png")


def test_the_verdict_and_the_button_are_seen_without_scrolling_on_a_phone(story, visit):
    page = visit(width=360, height=740)

    for seen in (page.locator(".headline"), page.locator(".hero button")):
        box = seen.bounding_box()
        assert box["y"] + box["height"] <= 740


def test_an_empty_site_and_no_site_at_all_say_the_next_step(world, visit):
    page = visit()
    expect(page.locator("main")).to_contain_text("plumbline central site")
    world.add_site()
    page.reload()

    expect(page.locator(".headline")).to_have_text("还没有进度计划")
    expect(page.locator(".empty")).to_have_count(4)


def test_the_list_of_sites_turns_by_itself(quiet, visit):
    quiet.add_site("calm", "静安里", "Calm Lane")
    quiet.plan((0, 0), (100, 100), site="calm")
    quiet.progress(20.0, site="calm", at=quiet.clock.wall() + timedelta(seconds=1))
    page = visit()
    expect(page.locator("h1")).to_have_text("所有工地都不需要处理")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    fall_behind(quiet)

    expect(page.locator(".site-alarm .site-name")).to_have_text("东湖小学外立面改造")
