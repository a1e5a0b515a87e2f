"""The page for drawing zones in a real browser: clicked, dragged, typed into, and its block read by the gateway's reader."""

import os
import re
import shutil
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from plumbline.errors import ConfigError
from plumbline_edge.config import load_cameras
from plumbline_edge.vision import zonepage
from plumbline_edge.vision.zonepage.build import page as zone_page
from plumbline_edge.vision.zones import square_to_quad, zone_corners
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

CHROMIUM = (
    os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = (1600, 1000)
QUAD = [(400, 160), (1240, 230), (1260, 850), (380, 900)]
"""Clockwise from top left, in pixels of the photo."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zones")
    photo = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    cv2.fillConvexPoly(photo, np.array(QUAD), (90, 110, 130))
    cv2.imwrite(str(folder / "p.jpg"), photo)
    (folder / "zones.html").write_text(zone_page(folder / "p.jpg"), encoding="utf-8")
    return folder / "zones.html"


class Drawing:
    """A person at the page."""

    def __init__(self, browser, file, tmp_path, **context):
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | context
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked, self.wrong = [], []
        self.page.on("request", lambda request: self.asked.append(request.url[:40]))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.goto(file.as_uri())
        self.site = tmp_path / "zones.toml"

    def at(self, corner):
        box = self.page.locator("#photo").bounding_box()
        factor = box["width"] / SIZE[0]
        return box["x"] + corner[0] * factor, box["y"] + corner[1] * factor

    def click(self, *corners):
        for corner in corners:
            self.page.mouse.click(*self.at(corner))

    def drag(self, start, end):
        self.page.mouse.move(*self.at(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(end), steps=4)
        self.page.mouse.up()

    @property
    def block(self):
        return self.page.input_value("#toml")

    def read(self, **how):
        self.site.write_text(self.block, encoding="utf-8")
        (camera,) = load_cameras(self.site, **how).cameras
        return camera


@pytest.fixture
def drawing(browser, file, tmp_path):
    made = Drawing(browser, file, tmp_path)
    yield made
    made.context.close()
    assert made.wrong == []
    assert [url for url in made.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def pixels(quad):
    return np.asarray(quad) * SIZE


def test_corners_clicked_in_any_order_are_a_facade_that_the_gateway_reads(drawing):
    drawing.click(QUAD[2], QUAD[0], QUAD[3], QUAD[1])
    drawing.page.fill("#floors", "7")
    drawing.page.fill("#bays", "3")
    drawing.page.fill("#camera", "east")
    camera = drawing.read()

    assert np.abs(pixels(camera.quad) - QUAD).max() < 1.5
    assert (camera.name, camera.track, camera.floors, camera.bays) == ("east", "new", 7, 3)


@pytest.mark.parametrize("grid", [(1, 1), (6, 4), (17, 14)])
def test_the_grid_that_is_seen_is_the_grid_that_is_judged(drawing, grid):
    drawing.click(*QUAD)
    drawing.page.fill("#floors", str(grid[0]))
    drawing.page.fill("#bays", str(grid[1]))
    camera = drawing.read()
    wide = drawing.page.locator("#photo").bounding_box()["width"]
    seen = [
        (zone.get_attribute("data-zone"), zone.get_attribute("points"))
        for zone in drawing.page.locator("[data-zone]").all()
    ]
    points = np.array([[pair.split(",") for pair in text.split()] for _, text in seen], float)
    judged = zone_corners(camera.quad, *grid) * SIZE * (wide / SIZE[0])

    assert [name for name, _ in seen] == [
        f"f{floor}b{bay}" for floor in range(1, grid[0] + 1) for bay in range(1, grid[1] + 1)
    ]
    assert np.abs(points - judged).max() < 0.3


def test_a_corner_is_corrected_by_dragging_and_by_keys_and_taken_back(drawing):
    drawing.click(QUAD[0], QUAD[1], QUAD[2], (300, 700))
    drawing.drag((300, 700), QUAD[3])
    dragged = drawing.read().quad
    drawing.page.keyboard.press("ArrowRight")
    drawing.page.keyboard.press("Shift+ArrowUp")
    moved = drawing.read().quad
    drawing.page.keyboard.press("Control+z")
    drawing.page.click("#undo")
    back = drawing.read().quad
    drawing.page.click("#undo")

    assert np.abs(pixels(dragged) - QUAD).max() < 1.5
    assert np.abs(pixels(moved)[3] - pixels(dragged)[3] - (1, -10)).max() < 0.2
    assert back == dragged
    assert np.abs(pixels(drawing.read().quad)[3] - (300, 700)).max() < 1.5


def test_the_loupe_shows_only_while_a_corner_is_held(drawing):
    loupe = drawing.page.locator("#loupe")
    drawing.page.mouse.move(*drawing.at(QUAD[0]))
    drawing.page.mouse.down()

    expect(loupe).to_be_visible()
    drawing.page.mouse.up()
    expect(loupe).to_be_hidden()


@pytest.mark.skipif(
    not os.environ.get("PLUMBLINE_SCREENSHOTS"), reason="PLUMBLINE_SCREENSHOTS=1 renews the picture"
)
def test_the_page_has_its_picture_in_the_docs(browser, tmp_path):
    project = Project.sample(11, track="reno", days=60)
    photo = render(project, 38, Conditions(hour=11, seed=3), SIZE).bgr
    cv2.imwrite(str(tmp_path / "day0.jpg"), photo)
    (tmp_path / "zones.html").write_text(zone_page(tmp_path / "day0.jpg"), encoding="utf-8")
    drawing = Drawing(browser, tmp_path / "zones.html", tmp_path)
    corners = project.facade_quad(SIZE)
    drawing.click(*corners[:3])
    drawing.page.fill("#floors", str(project.floors))
    drawing.page.fill("#bays", str(project.bays))
    drawing.page.mouse.move(*drawing.at(corners[3]))
    drawing.page.mouse.down()
    drawing.page.screenshot(path=str(IMAGES / "zones_page.png"))
    drawing.context.close()

    assert (IMAGES / "zones_page.png").stat().st_size > 10_000


def test_a_facade_that_is_none_gives_no_block(drawing):
    drawing.click((400, 200), (1200, 200), (800, 400), (800, 800))

    expect(drawing.page.locator("#ask")).to_contain_text("no facade")
    expect(drawing.page.locator("#copy")).to_be_disabled()
    assert drawing.block == ""


def test_two_facades_have_a_table_each(drawing):
    drawing.click((100, 100), (700, 150), (700, 800), (100, 900))
    drawing.page.click("#add")
    drawing.click((800, 150), (1500, 100), (1500, 900), (800, 800))
    drawing.page.fill("#floors", "3")

    assert re.findall(r"^\[\[.*\]\]$|^name = .*$", drawing.block, re.MULTILINE) == [
        "[[cameras]]", 'name = "camera"', "[[cameras.facades]]", 'name = "front"', "[[cameras.facades]]", 'name = "side"',
    ]  # fmt: skip
    assert re.findall(r"^floors = .*$", drawing.block, re.MULTILINE) == ["floors = 6", "floors = 3"]
    drawing.page.fill("#name", "front")
    expect(drawing.page.locator("#fault")).to_contain_text("same name")
    drawing.page.fill("#name", "Side!")
    expect(drawing.page.locator("#fault")).to_contain_text("small letters")


def test_weights_are_written_from_the_ground_up_and_add_up(drawing):
    drawing.click(*QUAD)
    drawing.page.fill("#floors", "3")
    drawing.page.fill("#bays", "2")
    drawing.page.check("#weighted")
    drawing.page.get_by_label("f1b1", exact=True).fill("4")
    drawing.page.get_by_label("f1b1", exact=True).press("Tab")
    camera = drawing.read()

    assert camera.weights[0][0] == pytest.approx(4 / 9)
    assert camera.weights[2][1] == pytest.approx(1 / 9)
    drawing.page.click("[data-step='floors 1']")
    assert len(drawing.read().weights) == 4
    drawing.page.uncheck("#weighted")
    assert drawing.read().weights is None


def test_a_renovation_gives_the_day_its_works_begin(drawing):
    drawing.click(*QUAD)
    drawing.page.check("input[value=reno]")

    assert drawing.read(day0_named=True).track == "reno"
    drawing.page.fill("#works", "2026-03-02")
    assert drawing.read().works_begin.isoformat() == "2026-03-02"


def test_the_block_is_saved_as_a_file(drawing):
    drawing.click(*QUAD)
    with drawing.page.expect_download() as waiting:
        drawing.page.click("#save")

    assert waiting.value.suggested_filename == "zones.toml"
    assert waiting.value.path().read_text(encoding="utf-8") == drawing.block


def test_it_speaks_chinese_and_english(browser, file, tmp_path):
    drawing = Drawing(browser, file, tmp_path, locale="zh-CN")

    expect(drawing.page.locator("h1")).to_have_text("划分区域")
    drawing.page.click("#language")
    expect(drawing.page.locator("h1")).to_have_text("Draw the zones")
    assert drawing.page.evaluate("document.documentElement.lang") == "en"
    drawing.context.close()


def test_any_order_of_clicks_gives_the_same_corners(browser):
    page = browser.new_page()
    page.goto("about:blank")
    geometry = (Path(zonepage.__file__).parent / "geometry.js").read_text(encoding="utf-8")
    rng = np.random.default_rng(7)
    quads = [
        (np.array(QUAD) + rng.uniform(-150, 150, (4, 2))).tolist() for _ in range(60)
    ]  # leaning, narrowing and tilted facades
    orders = [list(order) for order in permutations(range(4))]
    found = page.evaluate(
        f"([quads, orders]) => {{ {geometry}; return quads.map((q) => orders.map((o) => ordered(o.map((i) => q[i])))); }}",
        [quads, orders],
    )
    convex = page.evaluate(f"(quads) => {{ {geometry}; return quads.map(isConvex); }}", quads)
    page.close()

    assert [
        all(answer == quad for answer in answers) for quad, answers in zip(quads, found, strict=True)
    ] == [True] * len(quads)
    assert convex == [bool(is_convex(quad)) for quad in quads]


def is_convex(quad):
    try:
        square_to_quad(quad)
    except ConfigError:
        return False
    return True


def test_a_finger_on_a_phone_draws_it_and_nothing_is_wider_than_the_screen(browser, file, tmp_path):
    phone = Drawing(
        browser, file, tmp_path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
        device_scale_factor=2,
    )  # fmt: skip
    for corner in QUAD:
        phone.page.touchscreen.tap(*phone.at(corner))
    camera = phone.read()

    assert np.abs(pixels(camera.quad) - QUAD).max() < 8  # a screen point is four pixels of the photo
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    small = phone.page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=checkbox]):not([type=radio])')]"
        ".filter((e) => e.offsetParent && e.getBoundingClientRect().height < 36).length"
    )
    assert small == 0
    assert phone.wrong == []
    phone.context.close()
