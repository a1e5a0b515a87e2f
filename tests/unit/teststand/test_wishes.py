from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.file import shipped
from plumbline_sim.teststand.wishes import START, find_map, wish

MODEL = "eastron_sdm630"
PLAIN = {
    "trace": None, "map": None, "role": None, "tape": None, "units": {}, "cameras": {}, "speed": 600.0, "every_s": None,
    "timeout_s": 3.0, "seed": 1, "start": None, "timezone": "Asia/Shanghai", "folder": Path("nowhere"),
}  # fmt: skip


def wished(meters, **given):
    return wish(meters, **(PLAIN | given))


def test_a_meter_plays_the_role_of_its_name_or_a_crane():
    site = wished({"hoist": MODEL, "gate": MODEL})

    assert [meter.role for meter in site.meters] == ["hoist", "crane"]


def test_what_is_given_for_one_meter_is_for_that_one():
    site = wished({"a": MODEL, "b": MODEL}, tape={"b": "bus.jsonl"}, units={"b": 7})

    assert [(meter.role, meter.tape, meter.unit) for meter in site.meters] == [
        ("crane", None, 1), (None, Path.cwd() / "bus.jsonl", 7),
    ]  # fmt: skip


def test_one_map_serves_several_traces_and_a_shipped_one_is_known_by_its_name():
    site = wished({"a": MODEL, "b": MODEL}, trace={"a": "a.csv", "b": "b.csv"}, map="steel")

    assert {meter.map for meter in site.meters} == {find_map("steel", Path())}
    assert find_map("steel", Path()).is_file()


def test_a_profile_of_ones_own_lies_beside_the_test_or_in_the_current_folder(tmp_path, monkeypatch):
    here, beside = tmp_path / "here", tmp_path / "tests"
    for folder in (here, beside):
        folder.mkdir()
        shutil.copy(shipped()[MODEL], folder / "own.toml")
    (beside / "own.toml").rename(beside / "vx3.toml")
    monkeypatch.chdir(here)

    site = wished({"a": "vx3.toml", "b": "own.toml"}, folder=beside)

    assert [meter.profile_name for meter in site.meters] == [
        str(beside / "vx3.toml"),
        str(here / "own.toml"),
    ]


def test_five_polls_a_real_second_unless_asked_otherwise():
    assert wished({"a": MODEL}, speed=3000.0).every_s == 600
    assert wished({"a": MODEL}, speed=3000.0, every_s=60).every_s == 60


def test_a_site_begins_on_a_working_morning():
    assert START.weekday() == 0
    assert (START + timedelta(hours=8)).hour == 9


@pytest.mark.parametrize(
    ("meters", "given", "words"),
    [
        ({}, {}, "without meters"),
        ({"a": "eastron_sdm603"}, {}, "no meter profile"),
        ({"a": "vx3.toml"}, {}, f"{Path.cwd()}/vx3.toml: No such file"),
        ({"a": MODEL}, {"speed": 0}, "at least 1"),
        ({"a": MODEL}, {"role": "digger"}, "no role 'digger'"),
        ({"a": MODEL}, {"role": {"b": "crane"}}, "role names b"),
        ({"a": MODEL}, {"trace": "a.csv"}, "needs a map"),
        ({"a": MODEL}, {"role": "crane", "tape": "bus.jsonl"}, "exclude each other"),
        ({}, {"cameras": {"east": "old"}}, "no works 'old'"),
        ({"a": MODEL}, {"timezone": "Mars/Base"}, "no 'Mars/Base'"),
    ],
)
def test_what_cannot_be_is_a_sentence(meters, given, words):
    with pytest.raises(ConfigError, match=words):
        wished(meters, **given)
