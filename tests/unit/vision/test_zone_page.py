"""The page for drawing zones, as a file; tests/system/test_zone_page.py draws on it."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError, Refused
from plumbline_edge.vision import zonepage
from plumbline_edge.vision.cli import app
from plumbline_edge.vision.zonepage.build import page

ROOT = Path(__file__).parents[3]
PIXELS = np.random.default_rng(2).integers(0, 255, (90, 160, 3), np.uint8)
TURN_RIGHT = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
COMMENT = b"\xff\xfe\0\x12taken by Li Lei."


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "day0 <1>.jpg"
    jpeg = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    path.write_bytes(jpeg[:2] + TURN_RIGHT + COMMENT + jpeg[2:])
    return path


def embedded(text):
    return base64.b64decode(re.search(r'src="data:image/jpeg;base64,([^"]+)"', text).group(1))


def test_the_photo_is_in_it_upright_at_full_size_and_without_what_its_maker_wrote(photo):
    jpeg = embedded(page(photo))

    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION).shape == (
        160, 90, 3,
    )  # fmt: skip
    assert b"Exif" not in jpeg
    assert b"Li Lei" not in jpeg


def test_its_policy_allows_its_own_script_and_style_and_no_request(photo):
    text = page(photo)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    own = {
        kind: "sha256-"
        + base64.b64encode(hashlib.sha256(re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL).group(1).encode()).digest()).decode()
        for kind in ("script", "style")
    }  # fmt: skip

    assert f"script-src '{own['script']}'" in policy
    assert f"style-src '{own['style']}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert re.findall(r'\son\w+="', text) == []


def test_a_files_name_is_text_and_no_tag(photo):
    text = page(photo)

    assert "day0 &lt;1&gt;.jpg" in text
    assert "day0 <1>" not in text
    assert "@@" not in text


def test_a_name_that_looks_like_a_place_to_fill_in_is_just_a_name(photo):
    text = page(photo.rename(photo.with_name("@@SCRIPT@@.jpg")))

    assert "<title>@@SCRIPT@@.jpg" in text


def test_both_languages_say_the_same_things():
    words = (Path(zonepage.__file__).parent / "words.js").read_text(encoding="utf-8")
    keys = {
        name: re.findall(r"^    (\w+):", block, re.MULTILINE)
        for name, block in re.findall(r"^  (en|zh): \{\n(.*?)^  \},", words, re.MULTILINE | re.DOTALL)
    }
    html = (Path(zonepage.__file__).parent / "page.html").read_text(encoding="utf-8")

    assert keys["en"] == keys["zh"]
    assert set(re.findall(r'data-(?:w|label)="(\w+)"', html)) <= set(keys["en"])


def test_the_page_is_in_what_is_installed():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    parts = {path.suffix for path in Path(zonepage.__file__).parent.iterdir() if path.is_file()}

    assert "edge/plumbline_edge" in build["targets"]["wheel"]["packages"]  # with everything in it
    assert {".html", ".css", ".js"} <= parts


def test_the_command_writes_it_and_says_what_to_do(photo, tmp_path):
    out = tmp_path / "zones.html"
    done = CliRunner().invoke(app, ["zones", str(photo), "--out", str(out)], catch_exceptions=False)

    assert "open it in a browser" in done.stdout
    assert out.read_text(encoding="utf-8") == page(photo)


def test_what_is_no_photo_is_refused(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("no picture")
    with pytest.raises(Refused, match=r"notes\.jpg"):
        page(path)


def test_a_page_that_cannot_be_written_is_said(photo, tmp_path):
    with pytest.raises(ConfigError, match="no-such"):
        CliRunner().invoke(
            app, ["zones", str(photo), "--out", str(tmp_path / "no-such" / "z.html")], catch_exceptions=False
        )
