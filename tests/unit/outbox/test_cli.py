"""What a person at the cabinet can see of the outbox, also while the gateway runs."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta

import pytest
from outbox_life import Site, live
from typer.testing import CliRunner

from plumbline.clock import ManualClock, to_us
from plumbline.errors import ConfigError
from plumbline.messages import DeviceHealth, Event, Health
from plumbline_edge.outbox import Limits, Outbox
from plumbline_edge.outbox.cli import app
from plumbline_edge.recorder import Recorder

SITE = """
site = "a12"
gateway = "gw1"
state_dir = "."
[[meters]]
name = "m0"
profile = "eastron_sdm630"
host = "127.0.0.1"
"""


@pytest.fixture
def said(tmp_path):
    """Runs a command on the site file; its standard output."""
    file = tmp_path / "site.toml"
    file.write_text(SITE, encoding="utf-8")

    def run(command, *more):
        result = CliRunner().invoke(app, [command, str(file), *map(str, more)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    return run


def gateway(tmp_path, **limits):
    return Outbox(tmp_path / "outbox.db", gateway="gw1", limits=Limits(**limits))


async def test_status_says_what_waits_what_central_has_and_what_is_gone(tmp_path, said):
    async with gateway(tmp_path, max_bytes=2 << 20) as outbox:
        site = Site()
        await live(outbox, site, 10)
        outbox.acknowledge((outbox.epoch, "status"), ((1, 10),))
        states = {state.lane: state for state in await outbox.states()}
        shown = json.loads(said("status", "--json"))
        table = said("status")

    lanes = {lane["lane"]: lane for lane in shown["lanes"]}
    data = states["data"]
    assert lanes["status"]["acknowledged"] == 10
    assert (lanes["data"]["gone"], lanes["data"]["kept"]) == (data.gone, data.kept)
    assert data.gone > 0
    assert lanes["data"]["waiting"] == data.last - data.gone
    assert shown["bytes"] > 1_000_000
    assert outbox.epoch in table
    assert str(data.gone) in table


async def test_status_tells_how_each_camera_does(tmp_path, said):
    clock = ManualClock(datetime(2026, 5, 2, 12, tzinfo=UTC))
    camera = DeviceHealth(
        name="east", status="silent", answers=4, errors={"HTTP_401": 2, "DARK": 1}, latency_ms=812.0,
        source="rtsp", last_good_us=to_us(clock.wall() - timedelta(hours=26)),
    )  # fmt: skip
    async with gateway(tmp_path) as outbox:
        recorder = Recorder(outbox, clock, lambda: None, boot="b" * 32)
        await recorder.keep([recorder.now().saw(Health(version="1", devices=(camera,)))])
        await recorder.keep([recorder.now().saw(Event(code="started"))])
        table, shown = said("status"), json.loads(said("status", "--json"))

    assert all(word in table for word in ("east", "rtsp", "silent", "26 h before", "HTTP_401"))
    assert shown["devices"][0]["errors"] == {"HTTP_401": 2, "DARK": 1}


async def test_status_and_tail_keep_to_the_width_of_a_terminal(tmp_path, said, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    async with gateway(tmp_path, max_bytes=2 << 20) as outbox:
        await live(outbox, Site(), 10)
        lines = said("status").splitlines() + said("tail", "-n", 20).splitlines()

    polls = [line for line in lines if " frame " in line]
    assert max(map(len, lines)) <= 80
    assert any("waiting since" in line for line in lines)
    assert polls
    assert all("voltage_l1=" in line and line.endswith(" more") for line in polls)


async def test_tail_shows_the_newest_records_of_all_lanes_oldest_first(tmp_path, said):
    site = Site()
    async with gateway(tmp_path) as outbox:
        await outbox.append([*site.hours(0.1), site.event("the end"), site.photo()])
        lines = [json.loads(line) for line in said("tail", "-n", 7, "--json").splitlines()]

    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["lane"] for line in lines} == {"status", "data", "photo"}
    assert [line["text"] for line in lines if line["kind"] == "event"] == ["the end"]


async def test_export_writes_every_reading_with_its_unit(tmp_path, said):
    site = Site()
    async with gateway(tmp_path) as outbox:
        await outbox.append(site.hours(0.1))
        said("export", "--out", tmp_path / "readings.csv")
    with (tmp_path / "readings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 36 * 4 * 10
    assert rows[0] | {"epoch": ""} == {
        "at": "2026-03-01T00:00:10+00:00", "clock": "synced", "device": "m0", "metric": "voltage_l1",
        "value": "0.4", "unit": "V", "flaw": "", "epoch": "", "seq": "1",
    }  # fmt: skip


async def test_export_can_be_held_to_what_central_lacks(tmp_path, said):
    site = Site()
    async with gateway(tmp_path) as outbox:
        await outbox.append(site.hours(0.1))
        outbox.acknowledge((outbox.epoch, "data"), ((1, 100), (111, 120)))
        await outbox.append(site.cycle())
        said("export", "--out", tmp_path / "all.jsonl", "--format", "jsonl", "--waiting")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]

    assert [line["seq"] for line in lines if line["lane"] == "data"] == [
        *range(101, 111),
        *range(121, 149),
    ]
    assert {line["kind"] for line in lines} == {"frame", "health"}


def test_a_gateway_that_never_ran_is_a_sentence(said):
    with pytest.raises(ConfigError, match="is not there yet"):
        said("status")
