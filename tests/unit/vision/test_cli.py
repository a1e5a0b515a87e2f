from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError, Refused
from plumbline_edge.camera.capture import LazyModel
from plumbline_edge.camera.memory import Memory
from plumbline_edge.config import load_cameras
from plumbline_edge.vision.album import Picture
from plumbline_edge.vision.cli import app
from plumbline_edge.vision.sequence import Start, in_order
from plumbline_edge.vision.witness import Witness

SITE = """
site = "a12"
gateway = "gw1"
state_dir = "state"
[broker]
host = "127.0.0.1"
[[cameras]]
name = "east"
url = "http://127.0.0.1:8081/snapshot.jpg"
track = "new"
quad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
floors = 2
bays = 2
"""


@pytest.fixture
def folder(tmp_path, constant_model):
    """A model that says 100 % of everything."""
    outputs = {
        "stage": np.ones((1, 7, 8, 12), np.float32),
        "aux": np.eye(9, dtype=np.float32)[0].reshape(1, 9, 1, 1) * np.ones((1, 9, 8, 12), np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    content = constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, outputs)
    where = tmp_path / "model"
    where.mkdir()
    (where / "model.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (where / "card.toml").write_text(
        f'name = "tiny"\nversion = "1"\nsha256 = "{digest}"\n[interval_pp]\nnew = 4\nreno = 4\n[zone_interval_pp]\nnew = 4\nreno = 4\n[scores.unseen]\nmae = 2.5\n'
    )
    return where


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(5)
    good = rng.integers(60, 200, (180, 320, 3), np.uint8)
    paths = [tmp_path / "2026-05-01_1000.jpg", tmp_path / "2026-05-02_1000.jpg", tmp_path / "notes.jpg"]
    cv2.imwrite(str(paths[0]), good)
    cv2.imwrite(str(paths[1]), np.zeros_like(good))
    paths[2].write_text("not a picture")
    return [str(path) for path in paths]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_run_prints_one_line_a_photo_with_percent_or_reason(folder, site, photos, tmp_path):
    seen = tmp_path / "seen"
    result = run(
        "run", "--site", site, "--camera", "east", "--model", folder, "--json", "--overlay", seen, *photos
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert [line["file"] for line in lines] == photos
    assert [line["gate"] for line in lines] == [[], ["DARK"], ["UNREADABLE"]]
    assert [line["percent"] for line in lines] == [100, None, None]
    assert lines[0]["at"] == "2026-05-01T10:00:00+08:00"
    assert set(lines[0]) == {"file", "at", "percent", "low", "high", "gate", "shift_px", "zones"}
    assert lines[0]["zones"][0] == {
        "id": "f1b1", "percent": 100, "low": 96, "high": 100, "visible": 1, "stage": 7, "raw": 100, "regress": False,
    }  # fmt: skip
    assert lines[1]["zones"] == []
    assert [path.name for path in seen.iterdir()] == ["2026-05-01_1000.jpg"]


def test_run_leaves_the_gateways_memory_alone(folder, site, photos, tmp_path):
    run("run", "--site", site, "--camera", "east", "--model", folder, *photos)

    assert not (tmp_path / "state").exists()


def test_run_names_the_cameras_there_are(folder, site, photos):
    with pytest.raises(ConfigError, match="no camera 'west'") as wrong:
        run("run", "--site", site, "--camera", "west", "--model", folder, *photos)

    assert "east" in wrong.value.hint


def test_run_without_a_model_ends_at_once(site, photos, tmp_path):
    with pytest.raises(ConfigError, match=r"card\.toml"):
        run("run", "--site", site, "--camera", "east", "--model", tmp_path / "none", *photos)


def test_card_and_check_tell_what_the_model_is(folder):
    assert "  unseen\n    mae: 2.5" in run("card", "--model", folder).stdout
    assert json.loads(run("card", "--model", folder, "--json").stdout)["version"] == "1"
    assert "0 golden pictures" in run("check", "--model", folder).stdout
    assert json.loads(run("check", "--model", folder, "--json").stdout)["size_hw"] == [32, 48]


LEAST = """
[[cameras]]
track = "new"
floors = 2
bays = 2
quad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
"""


@pytest.fixture
def least(tmp_path):
    path = tmp_path / "zones.toml"
    path.write_text(LEAST)
    return path


def picture(path, size=(180, 320), seed=5):
    """A photo of one place by daylight, another each seed; its kind follows from the name."""
    coarse = np.random.default_rng(0).integers(60, 200, (45, 80, 3), np.uint8)
    place = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    place[: size[0] // 8] += np.uint8(seed)
    cv2.imwrite(str(path), place)
    return path


def judged(*arguments):
    done = run("run", "--json", *arguments)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "without_ending", "七月.jpg", "-dash.jpg"])
def test_five_lines_of_a_site_file_judge_a_strangers_photo(folder, least, tmp_path, name):
    kind = ".jpg" if "." not in name else name[name.index(".") :]
    made = picture(tmp_path / f"made{kind}").rename(tmp_path / name)
    done, (line,) = judged("--site", least, "--model", folder, "--", made)

    assert (done.exit_code, line["file"], line["percent"], line["gate"]) == (0, str(made), 100, [])


@pytest.mark.parametrize("size", [(3000, 4000), (48, 64), (4000, 900), (200, 3000)])
def test_photos_of_any_size_are_judged(folder, least, tmp_path, size):
    _, (line,) = judged("--site", least, "--model", folder, picture(tmp_path / "a.jpg", size))

    assert line["percent"] == 100


def test_a_phones_photo_of_many_megapixels_is_not_too_large(folder, least, tmp_path):
    path = tmp_path / "a.jpg"
    coarse = np.random.default_rng(1).integers(60, 200, (300, 400, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (8000, 6000), interpolation=cv2.INTER_NEAREST))

    assert judged("--site", least, "--model", folder, path)[1][0]["gate"] == []


def test_a_photo_that_lies_on_its_side_is_judged_upright(folder, least, tmp_path):
    path = picture(tmp_path / "a.jpg")
    jpeg = path.read_bytes()
    turned = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0"
    path.write_bytes(jpeg[:2] + turned + jpeg[2:])
    witness, (camera,) = Witness(LazyModel(folder)), load_cameras(least).cameras
    at = datetime(2026, 5, 1, tzinfo=UTC)
    (seen,) = in_order([Picture(path=path, at=at)], camera, witness, Start(memory=Memory(), day0_until=None))

    assert seen.progress.percent == 100
    assert (seen.photo.width_px, seen.photo.height_px) == (180, 320)


def test_what_cannot_be_read_is_a_line_with_its_reason(folder, least, tmp_path):
    bad = {"gone.jpg": None, "empty.jpg": b"", "film.jpg": b"\0\0\0\x18ftypmp42", "cut.jpg": b"\xff\xd8\xff"}
    for name, content in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    good = picture(tmp_path / "good.jpg")
    done, lines = judged("--site", least, "--model", folder, *(tmp_path / name for name in bad), good)

    assert done.exit_code == 0
    assert [line["gate"] for line in lines] == [["UNREADABLE"]] * 4 + [[]]
    assert [line["percent"] for line in lines] == [None] * 4 + [100]
    assert lines[0]["at"] is None
    assert "No such file" in done.stderr
    assert "this is a film" in done.stderr


def test_where_no_photo_could_be_judged_the_exit_code_says_so(folder, least, tmp_path):
    done, lines = judged("--site", least, "--model", folder, tmp_path / "gone.jpg")

    assert (done.exit_code, len(lines)) == (1, 1)
    assert "none of 1 photos could be judged" in done.stderr


def test_a_folder_is_judged_by_time_and_photos_against_it_are_named(folder, least, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for i, name in enumerate(["b_2026-05-02.jpg", "a_2026-05-03.jpg", "c_2026-05-01.jpg"]):
        picture(old / name, seed=i)
    done, lines = judged("--site", least, "--model", folder, old)

    assert [line["at"][:10] for line in lines] == ["2026-05-01", "2026-05-02", "2026-05-03"]
    assert done.stderr == ""
    done, lines = judged(
        "--site", least, "--model", folder, old / "a_2026-05-03.jpg", old / "b_2026-05-02.jpg"
    )
    assert [line["at"][:10] for line in lines] == ["2026-05-03", "2026-05-02"]
    assert "b_2026-05-02.jpg is dated before the photo in front of it" in done.stderr


def test_each_photo_on_its_own_remembers_none_before_it(folder, least, tmp_path):
    path = picture(tmp_path / "a.jpg")
    _, in_order = judged("--site", least, "--model", folder, path, path)
    _, alone = judged("--site", least, "--model", folder, "--each", path, path)

    assert [line["gate"] for line in in_order] == [[], ["FROZEN"]]
    assert [line["gate"] for line in alone] == [[], []]


def test_a_renovation_is_judged_against_the_photo_that_is_named(folder, least, tmp_path):
    least.write_text(LEAST.replace('"new"', '"reno"'))
    before, after = picture(tmp_path / "a.jpg", seed=1), picture(tmp_path / "b.jpg", seed=2)
    _, lines = judged("--site", least, "--model", folder, "--day0", before, before, after)

    assert [line["gate"] for line in lines] == [[], []]
    with pytest.raises(ConfigError, match="works_begin"):
        judged("--site", least, "--model", folder, after)


def test_a_day0_that_cannot_be_judged_ends_the_command(folder, least, tmp_path):
    dark = tmp_path / "dark.jpg"
    cv2.imwrite(str(dark), np.zeros((180, 320, 3), np.uint8))
    with pytest.raises(Refused, match="too dark"):
        judged("--site", least, "--model", folder, "--day0", dark, picture(tmp_path / "b.jpg"))


def test_photos_from_before_the_works_are_their_own_day0(folder, least, tmp_path):
    least.write_text(LEAST.replace('track = "new"', 'track = "reno"\nworks_begin = 2026-05-02'))
    first, second = picture(tmp_path / "2026-05-01.jpg", seed=1), picture(tmp_path / "2026-05-03.jpg", seed=2)
    out = tmp_path / "seen"
    judged("--site", least, "--model", folder, "--overlay", out, first, second)

    assert sorted(path.name for path in out.iterdir()) == ["2026-05-01.jpg", "2026-05-03.jpg"]


def test_photos_of_one_name_in_two_folders_keep_an_overlay_each(folder, least, tmp_path):
    for i in (1, 2):
        (tmp_path / str(i)).mkdir()
        picture(tmp_path / str(i) / "a.jpg", seed=i)
    out = tmp_path / "seen"
    judged("--site", least, "--model", folder, "--overlay", out, tmp_path / "1", tmp_path / "2")

    assert sorted(path.name for path in out.iterdir()) == ["a-2.jpg", "a.jpg"]


def test_a_gateways_whole_site_file_will_do_where_its_files_are_not(folder, tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(
        SITE.replace('state_dir = "state"', 'state_dir = "/no/such/folder/state"')
        .replace('host = "127.0.0.1"', 'host = "broker.example"\nca_file = "ca.pem"')
        .replace('track = "new"', 'track = "new"\nusername = "u"\npassword_file = "secret"')
        + '[[meters]]\nname = "m1"\nprofile = "none_such"\n'
    )

    assert judged("--site", path, "--model", folder, picture(tmp_path / "a.jpg"))[1][0]["percent"] == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no .*cameras"),
        (LEAST.replace("cameras", "camera"), "cameras"),
        (LEAST.replace("floors", "flors"), "floors"),
        (LEAST.replace("[0.8, 0.2]", "[0.3, 0.6]"), "clockwise"),
        (LEAST + '[[cameras]]\nname = "b"\n' + LEAST.split("]]", 1)[1].split("\n", 1)[1], "which camera"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(folder, least, tmp_path, text, said):
    least.write_text(text)
    with pytest.raises(ConfigError, match=said):
        judged("--site", least, "--model", folder, picture(tmp_path / "a.jpg"))


def test_for_a_person_a_line_says_percent_or_why_not(folder, least, tmp_path):
    good, dark = picture(tmp_path / "2026-05-01_1000.jpg"), tmp_path / "2026-05-02_1000.jpg"
    cv2.imwrite(str(dark), np.zeros((180, 320, 3), np.uint8))
    lines = run("run", "--site", least, "--model", folder, good, dark).stdout.splitlines()

    assert lines[0].endswith("2026-05-01 10:00   100.0 %  (96.0 to 100.0)")
    assert lines[1].endswith("2026-05-02 10:00   no percent: DARK: too dark to see the facade")
