"""A site file is read strictly, and every mistake in it is said at once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from plumbline.errors import ConfigError, FaultyFile
from plumbline_edge.config import load_site
from plumbline_edge.meters.profiles.file import shipped
from plumbline_edge.settings import SiteSettings

GOOD = """
site = "a12"
gateway = "gw1"
state_dir = "state"
[broker]
host = "127.0.0.1"
[[meters]]
name = "crane"
profile = "eastron_sdm630"
host = "127.0.0.1"
[[cameras]]
name = "east"
url = "http://127.0.0.1:8080/snapshot.jpg"
track = "new"
quad = [[0.1, 0.2], [0.9, 0.2], [0.9, 0.8], [0.1, 0.8]]
floors = 2
bays = 2
"""

URL = 'url = "http://127.0.0.1:8080/snapshot.jpg"'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(FaultyFile) as caught:
        load_site(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_a_good_file_is_read_and_its_files_are_found_beside_it(tmp_path):
    settings = load_site(write(tmp_path, GOOD))

    assert settings.meters[0].unit == 1
    assert settings.cameras[0].at == ("10:00", "14:00")
    assert settings.state_dir == str(tmp_path / "state")


def test_a_camera_is_a_url_a_usb_device_or_a_folder_beside_the_file(tmp_path):
    (tmp_path / "photos").mkdir()
    usb = load_site(write(tmp_path, GOOD.replace(URL, 'device = "/dev/video0"'))).cameras[0]
    folder = load_site(write(tmp_path, GOOD.replace(URL, 'folder = "photos"'))).cameras[0]
    rtsp = load_site(write(tmp_path, GOOD.replace("http://", "rtsp://"))).cameras[0]

    assert (usb.url, usb.device, folder.folder) == (None, "/dev/video0", str(tmp_path / "photos"))
    assert rtsp.url == "rtsp://127.0.0.1:8080/snapshot.jpg"


def test_a_password_in_an_address_is_not_said_again(tmp_path):
    assert "s3cret" not in str(faults(tmp_path, GOOD.replace("//127", "//me:s3cret@127")))


def test_five_mistakes_are_five_lines(tmp_path):
    text = """
site = "A 12"
gateway = "gw1"
state_dir = "state"
[broker]
host = "127.0.0.1"
prt = 1
[[meters]]
name = "crane"
profile = "eastron_sdm63"
host = "127.0.0.1"
unit = 300
[[meters]]
name = "crane"
profile = "eastron_sdm630"
host = "127.0.0.1"
"""

    assert sorted(faults(tmp_path, text)) == [
        "broker.prt: expected no such key; did you mean 'port'?, got 1",
        "meters.crane.name: expected a name used only once, got 'crane'",
        "meters.crane.profile: expected a shipped profile or a .toml file of your own; did you mean 'eastron_sdm630'?, got 'eastron_sdm63'",
        "meters.crane.unit: expected 0-247, got 300",
        "site: expected a name like ^[a-z0-9][a-z0-9_-]{0,47}$, got 'A 12'",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('host = "127.0.0.1"\n[[meters]]', 'host = "10.0.0.9"\n[[meters]]', "broker.ca_file: expected a CA file"),
        ('state_dir = "state"', 'state_dir = "no/such/state"', "state_dir: expected a folder whose parent exists"),
        ("floors = 2", "floors = 2\nweights = [[0.5, 0.5]]", "weights: expected 2 rows (floors) of 2 numbers"),
        ("floors = 2", "floors = 2\nweights = [[0.5, 0.5], [0.5, 0.5]]", "weights: expected shares that add up to 1"),
        ("floors = 2", 'floors = 2\nat = ["25:00"]', "cameras.east.at: expected a time of day like 10:00"),
        ("[[0.1, 0.2], [0.9, 0.2]", "[[0.9, 0.2], [0.1, 0.2]", "quad: expected four corners clockwise"),
        ("http://127.0.0.1", "ftp://127.0.0.1", "url: expected an http://, https:// or rtsp:// address"),
        (URL, 'url = "rtsp://me:s3cret@10.0.0.5/live"', "got 'rtsp://…@10.0.0.5/live'"),
        (URL, 'url = "rtsp://10.0.0.5:99999/live"', "url: expected an http://, https:// or rtsp:// address"),
        (URL, "", "url: expected one of `url`, `device` (USB) and `folder`, not none of them"),
        (URL, URL + '\ndevice = "/dev/video0"', "expected one of `url`, `device` (USB) and `folder`, not url and device"),
        (URL, 'device = "/dev/sda"', "device: expected a camera like /dev/video0"),
        (URL, 'device = "/dev/video0"\nusername = "u"\npassword_file = "site.toml"', "username: expected nothing"),
        (URL, URL + '\npassword_file = "site.toml"', "username: expected the user whose password"),
        (URL, 'folder = "photos"', "folder: expected a folder that exists"),
        (URL, URL + "\nfolder_keep_days = 7", "folder_keep_days: expected nothing"),
        (URL, URL + "\nburst_frames = 10", "burst_frames: expected 1-9"),
        ('gateway = "gw1"', 'gateway = "gw1"\ntimezone = "Mars"', "timezone: expected a time zone"),
        ('gateway = "gw1"', "", "gateway: expected a value here"),
        ('track = "new"', 'track = "reno"', "cameras.east.works_begin: expected the day the works begin"),
        ("floors = 2", 'floors = 2\nusername = "u"', "cameras.east.password_file: expected a file with the password"),
        (
            "[[cameras]]",
            '[[meters]]\nname = "hoist"\nprofile = "abb_b23"\nhost = "127.0.0.1"\n[[cameras]]',
            "meters.hoist: expected another device than crane",
        ),
        ('name = "crane"', 'name = "crane"\nevery_s = 0', "meters.crane.every_s: expected more than 0"),
        ('host = "127.0.0.1"\n[[', 'host = "127.0.0.1"\npassword_file = "x"\n[[', "broker.password_file: expected a file"),
    ],
)  # fmt: skip
def test_each_mistake_names_key_value_and_expectation(tmp_path, before, after, said):
    assert before in GOOD
    lines = faults(tmp_path, GOOD.replace(before, after, 1))

    assert any(said in line for line in lines), lines


def test_a_profile_of_ones_own_is_found_beside_the_site_file(tmp_path):
    original = shipped()["eastron_sdm120"]
    (tmp_path / "mine.toml").write_text(original.read_text(encoding="utf-8"), encoding="utf-8")
    settings = load_site(write(tmp_path, GOOD.replace('"eastron_sdm630"', '"mine.toml"')))

    assert settings.meters[0].profile == str(tmp_path / "mine.toml")
    assert "No such file" in faults(tmp_path, GOOD.replace('"eastron_sdm630"', '"none.toml"'))[0]


def test_each_fault_of_a_profile_of_ones_own_is_a_line_beside_the_site_file_s(tmp_path):
    original = shipped()["eastron_sdm120"].read_text(encoding="utf-8")
    broken = original.replace("function = 4", "function = 5").replace('unit = "Hz"', 'unit = "kHz"')
    mine = tmp_path / "mine.toml"
    mine.write_text(broken.replace("max_registers", "max_register"), encoding="utf-8")
    two = GOOD.replace('"eastron_sdm630"', '"mine.toml"').replace(
        "[[cameras]]",
        '[[meters]]\nname = "hoist"\nunit = 300\nhost = "127.0.0.1"\nprofile = "mine.toml"\n[[cameras]]',
    )

    assert sorted(faults(tmp_path, two)) == [
        f"{mine}: function: expected a whole number 3-4, got 5",
        f"{mine}: max_register: expected no such key; did you mean 'max_registers'?, got 60",
        f"{mine}: max_registers: expected a whole number 1-125, got None",
        f"{mine}: registers.frequency.unit: expected 'Hz', the metric's unit after scaling (from kHz: scale = 1000), got 'kHz'",
        "meters.hoist.unit: expected 0-247, got 300",
    ]


def test_a_profile_of_ones_own_that_is_not_toml_is_a_fault_of_its_meter(tmp_path):
    (tmp_path / "mine.toml").write_text("name = ", encoding="utf-8")
    (line,) = faults(tmp_path, GOOD.replace('"eastron_sdm630"', '"mine.toml"'))

    assert line.startswith("meters.crane.profile: expected a profile that can be read (")
    assert "not TOML" in line


def test_what_is_not_toml_is_a_sentence_with_the_line(tmp_path):
    with pytest.raises(ConfigError, match="line 2"):
        load_site(write(tmp_path, "site = 'a'\n= 3"))


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 5000 + "]" * 5000, "x" + ".x" * 2000 + " = 1", "x = " + "9" * 5000],
    ids=["deep", "deep by its keys", "a number too long"],
)
def test_a_file_made_to_break_the_reader_is_refused_in_a_sentence(tmp_path, text):
    with pytest.raises(ConfigError, match=r"nested too deep|not TOML"):
        load_site(write(tmp_path, text))


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_site(tmp_path / "none.toml")


def test_the_running_gateway_gets_the_same_settings_back(tmp_path):
    settings = load_site(write(tmp_path, GOOD))

    assert msgspec.json.decode(msgspec.json.encode(settings), type=SiteSettings) == settings


def test_a_daily_budget_is_more_than_nothing(tmp_path):
    wrong = GOOD.replace("[[meters]]", "[uplink]\ndaily_mb = 0\n[[meters]]", 1)
    right = GOOD.replace("[[meters]]", "[uplink]\ndaily_mb = 12.5\n[[meters]]", 1)

    assert len(faults(tmp_path, wrong)) == 1
    assert faults(tmp_path, wrong)[0].startswith("uplink.daily_mb: expected")
    assert load_site(write(tmp_path, right)).uplink.daily_mb == 12.5
    assert load_site(write(tmp_path, GOOD)).uplink.daily_mb is None


@pytest.mark.parametrize("key", ["bus", "host", "unit", "address", "profile"])
@pytest.mark.parametrize("value", ['["x"]', "{ a = 1 }", "1979-05-27"])
def test_a_meter_s_key_of_any_other_type_is_a_fault_and_no_crash(tmp_path, key, value):
    text = GOOD.replace('name = "crane"', f'name = "crane"\n{key} = {value}')
    kept = [line for line in text.splitlines() if not line.startswith(f"{key} = ") or line.endswith(value)]

    assert any(f"meters.crane.{key}" in line for line in faults(tmp_path, "\n".join(kept)))


def test_a_profile_path_that_can_be_none_is_a_fault(tmp_path):
    text = GOOD.replace('"eastron_sdm630"', '"\\u0000.toml"')

    assert "meters.crane.profile" in faults(tmp_path, text)[0]


WIRE = """
[[buses]]
name = "riser"
kind = "rtu"
device = "/dev/ttyUSB0"
"""


@pytest.mark.parametrize("address", ["999999999999", "１２３４５６７８９０１２", "12345", "AAAAAAAAAAAA"])
def test_an_address_that_no_dlt645_meter_can_have_is_said_before_the_start(tmp_path, address):
    text = (
        GOOD
        + WIRE
        + f'[[meters]]\nname = "g"\nprofile = "dlt645_2007"\nbus = "riser"\naddress = "{address}"\n'
    )

    assert "twelve digits" in faults(tmp_path, text)[0]


def test_one_serial_port_is_one_bus(tmp_path):
    text = GOOD + WIRE + WIRE.replace("riser", "hut")

    assert faults(tmp_path, text) == [
        "buses.hut.device: expected another port than riser: put their meters on one bus, got '/dev/ttyUSB0'"
    ]


FACADES = """
[[cameras.facades]]
name = "south"
quad = [[0.1, 0.2], [0.4, 0.2], [0.4, 0.8], [0.1, 0.8]]
floors = 2
bays = 3
share = 0.75
[[cameras.facades]]
name = "gable"
quad = [[0.5, 0.2], [0.9, 0.2], [0.9, 0.8], [0.5, 0.8]]
floors = 2
bays = 1
share = 0.25
"""
SEVERAL = (
    "\n".join(line for line in GOOD.splitlines() if not line.startswith(("quad", "floors", "bays"))) + FACADES
)


def test_a_camera_has_its_one_facade_or_several_named_ones(tmp_path):
    (alone,) = load_site(write(tmp_path, GOOD)).cameras[0].all_facades()
    south, gable = load_site(write(tmp_path, SEVERAL)).cameras[0].all_facades()

    assert (alone.name, alone.prefix, alone.floors) == ("", "", 2)
    assert (south.prefix, south.bays, south.share) == ("south.", 3, 0.75)
    assert gable.quad[0] == (0.5, 0.2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("share = 0.75\n", "", "cameras.east.facades: expected a share for each facade, or for none"),
        ("share = 0.75", "share = 0.5", "cameras.east.facades: expected shares that add up to 1"),
        ('name = "gable"', 'name = "south"', "facades.south.name: expected a name used only once"),
        ('name = "gable"', 'name = "The gable"', "facades.The gable.name: expected a name like"),
        ('name = "gable"\n', "", "facades.1.name: expected a value here"),
        ("floors = 2\nbays = 1", "bays = 1", "facades.gable.floors: expected a value here"),
        ("bays = 1", "bays = 41", "facades.gable.bays: expected 1-40, got 41"),
        ("bays = 1", "bays = 1\ncorners = 4", "facades.gable.corners: expected no such key"),
        ("bays = 1", "bays = 1\nweights = [[1.0]]", "facades.gable.weights: expected 2 rows (floors) of 1 numbers"),
        ("[[0.5, 0.2], [0.9, 0.2]", "[[0.9, 0.2], [0.5, 0.2]", "facades.gable.quad: expected four corners clockwise"),
        ('track = "new"', 'track = "new"\nfloors = 2', "cameras.east.floors: expected nothing: it belongs into each"),
        (FACADES, "", "cameras.east.quad: expected a value here"),
        (FACADES, "\nfacades = []\n", "cameras.east.facades: expected at least one facade"),
        (FACADES, "\nfacades = 3\n", "cameras.east.facades: expected"),
        ('track = "new"', 'track = "new"\ncalibration = "east.json"', "cameras.east.calibration: expected a file that exists"),
    ],
)  # fmt: skip
def test_a_facade_that_makes_no_sense_is_named(tmp_path, old, new, said):
    assert SEVERAL.count(old) >= 1

    assert any(said in line for line in faults(tmp_path, SEVERAL.replace(old, new, 1)))


def test_a_number_of_floors_out_of_bounds_says_the_bounds(tmp_path):
    (line,) = faults(tmp_path, GOOD.replace("floors = 2", "floors = 90"))

    assert "cameras.east.floors: expected 1-40, got 90" in line


def test_a_calibration_file_is_found_beside_the_site_file(tmp_path):
    (tmp_path / "east.json").write_text("{}")
    settings = load_site(write(tmp_path, GOOD.replace("floors = 2", 'floors = 2\ncalibration = "east.json"')))

    assert settings.cameras[0].calibration == str(tmp_path / "east.json")


def test_facades_survive_the_way_into_the_running_gateway(tmp_path):
    settings = load_site(write(tmp_path, SEVERAL))

    assert msgspec.json.decode(msgspec.json.encode(settings), type=SiteSettings) == settings
