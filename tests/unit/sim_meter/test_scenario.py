import tomllib
from pathlib import Path

import pytest

from plumbline.errors import ConfigError, FaultyFile
from plumbline_edge.config import load_site
from plumbline_sim.meter.faults import KINDS, OF_THE_BUS
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import RtuServer
from plumbline_sim.site.gateway import site_file
from plumbline_sim.site.scenario import load_scenario, shipped
from plumbline_sim.site.stage import raised

TRACE = {
    "rows.csv": "when,V\n2026-01-01 00:00,229.5\n2026-01-01 01:00,229.5\n",
    "map.toml": 'title = "T"\nsource = "made up"\n[time]\ncolumns = ["when"]\nformat = "%Y-%m-%d %H:%M"\n'
    'timezone = "UTC"\ninterval_s = 3600\n[metrics]\nvoltage_l1 = { column = "V" }\n',
}
GOOD = """
title = "T"
[[buses]]
name = "riser"
kind = "rtu"
link = "line"
baud = 9600
faults = [{ kind = "noise", share = 0.5 }]
[[meters]]
name = "one"
bus = "riser"
unit = 7
profile = "eastron_sdm630"
trace_file = "rows.csv"
map_file = "map.toml"
serial_number = "4711"
turnaround_s = 0.1
faults = [{ kind = "slow", seconds = 1, from_s = 10, for_s = 5, every_s = 60 }]
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        for name, content in TRACE.items():
            (tmp_path / name).write_text(content)
        path = tmp_path / "scenario.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def mistakes(write):
    def mistakes(text):
        with pytest.raises(FaultyFile) as caught:
            load_scenario(write(text))
        return {fault.key: fault.expected for fault in caught.value.faults}

    return mistakes


def test_a_scenario_is_read_whole_with_its_files_beside_it(write, tmp_path):
    scenario = load_scenario(write(GOOD))

    (bus,), (meter,) = scenario.buses, scenario.meters
    assert (bus.link, bus.baud, bus.faults[0].kind, bus.faults[0].share) == (
        tmp_path / "line",
        9600,
        "noise",
        0.5,
    )
    assert (meter.trace_file, meter.map_file) == (tmp_path / "rows.csv", tmp_path / "map.toml")
    assert (meter.faults[0].seconds, meter.faults[0].every_s) == (1, 60)


def test_all_mistakes_are_told_at_once(mistakes):
    said = mistakes(
        GOOD.replace('kind = "rtu"', 'kind = "rtu"\nhost = "127.0.0.1"')
        .replace("baud = 9600", "baud = 9600\nparty = 1")
        .replace("unit = 7", "unit = 300")
        .replace('"eastron_sdm630"', '"eastron_sdm360"')
        .replace('"rows.csv"', '"row.csv"')
        .replace("seconds = 1", "seconds = 0")
        + '[[meters]]\nname = "one"\nbus = "rise"\nprofile = "abb_b23"\n'
    )

    assert said["buses.riser.host"] == "nothing: a rtu bus has none"
    assert said["buses.riser.party"] == "no such key; did you mean 'parity'?"
    assert said["meters.one.unit"] == "1-247"
    assert "did you mean 'eastron_sdm630'?" in said["meters.one.profile"]
    assert said["meters.one.trace_file"] == "a file that exists"
    assert said["meters.one.faults.0.seconds"] == "how long, more than 0"
    assert said["meters.one.name"] == "a name used only once"
    assert said["meters.one.bus"] == "the name of one of [[buses]]; did you mean 'riser'?"
    assert said["meters.one.role"] == "a role, or trace_file and map_file"


@pytest.mark.parametrize(
    ("before", "after", "key", "expected"),
    [
        ('kind = "noise"', 'kind = "stuck"', "buses.riser.faults.0.kind", "what can ail a whole bus"),
        ('kind = "slow"', 'kind = "reset"', "meters.one.faults.0.kind", "a fault that a rtu bus can have"),
        ('kind = "slow"', 'kind = "slwo"', "meters.one.faults.0.kind", "'slow'"),
        ("for_s = 5, ", "", "meters.one.faults.0.for_s", "how long it lasts each time"),
        ("for_s = 5", "for_s = 60", "meters.one.faults.0.for_s", "less than every_s, 60"),
        ("share = 0.5", "share = 2", "buses.riser.faults.0.share", "more than 0, at most 1"),
        (
            'link = "line"',
            'link = "line"\ndevice = "/dev/ttyUSB0"',
            "buses.riser.link",
            "no link beside a `device`",
        ),
        ("unit = 7", 'unit = 7\nrole = "main"', "meters.one.role", "the one or the other"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_would(mistakes, before, after, key, expected):
    assert before in GOOD

    assert expected in mistakes(GOOD.replace(before, after))[key]


def test_two_meters_of_one_bus_have_two_numbers_and_two_buses_two_places(mistakes):
    meter = '[[meters]]\nname = "{}"\nbus = "{}"\nprofile = "abb_b23"\nrole = "crane"\nunit = 7\n'
    bus = '[[buses]]\nname = "{}"\nkind = "tcp"\nport = 5020\n'

    said = mistakes(
        GOOD + meter.format("two", "riser") + meter.format("three", "a") + bus.format("a") + bus.format("b")
    )

    assert said == {
        "meters.two.unit": "another unit than that of one",
        "buses.b.port": "another port than that of a",
    }


def test_a_file_that_is_not_there_is_said_with_where_examples_are(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_scenario(tmp_path / "none.toml")

    assert "firmware_configs/scenarios" in caught.value.hint


async def test_a_recording_is_played_by_a_meter_of_its_bus(write, clock):
    scenario = load_scenario(write(GOOD))

    async with raised(scenario, clock) as buses:
        (meter,) = buses["riser"].meters.values()

        assert isinstance(buses["riser"], RtuServer)
        assert meter.values_at(clock.wall().timestamp())["voltage_l1"] == 229.5
        assert (meter.serial_number, meter.turnaround_s) == ("4711", 0.1)


SHIPPED = shipped()


@pytest.mark.parametrize("name", SHIPPED)
async def test_a_shipped_scenario_is_played_and_each_meter_measures(name, clock):
    scenario = load_scenario(SHIPPED[name])
    async with raised(scenario, clock, OpLog()) as buses:
        for bus in scenario.buses:
            for meter in buses[bus.name].meters.values():
                probe = meter.profile.register(meter.profile.probe)
                asked = bytes((meter.profile.function,)) + probe.address.to_bytes(2) + probe.count.to_bytes(2)
                _, operation = buses[bus.name].answer(meter.unit, asked)

                assert operation.poll, f"{meter.name}: {operation.outcome}"
            assert set(buses[bus.name].meters) == {
                meter.unit for meter in scenario.on(bus.name) if not meter.address
            }


def test_the_dirty_bus_has_every_fault_there_is():
    scenario = load_scenario(SHIPPED["dirty_bus"])
    faults = [fault for place in (*scenario.buses, *scenario.meters) for fault in place.faults]

    assert {fault.kind for fault in faults} == set(KINDS)


def test_the_page_about_scenarios_names_every_fault():
    page = (Path(SHIPPED["dirty_bus"]).parent / "README.md").read_text(encoding="utf-8")

    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
    last = page.strip().splitlines()[-1]
    assert all(f"`{kind}`" in last for kind in OF_THE_BUS)


@pytest.mark.parametrize("name", SHIPPED)
async def test_the_gateways_file_fits_the_buses_and_meters(name, clock):
    scenario = load_scenario(SHIPPED[name])
    async with raised(scenario, clock) as buses:
        written = tomllib.loads(site_file(scenario, buses, every_s=5))

    wires = {bus["name"]: bus for bus in written.get("buses", [])}
    assert [meter["name"] for meter in written["meters"]] == [
        meter.name for bus in scenario.buses for meter in scenario.on(bus.name)
    ]
    told_of = {told["name"]: told for told in written["meters"]}
    bauds = {bus.name: bus.baud or 9600 for bus in scenario.buses}
    for meter in scenario.meters:
        told = told_of[meter.name]
        server = buses[meter.bus]
        number = told.get("address") or told["unit"]
        assert (told["profile"], number, told["every_s"]) == (meter.profile, meter.address or meter.unit, 5)
        place = wires[told["bus"]] if "bus" in told else told
        if isinstance(server, RtuServer):
            assert (place["kind"], place["device"], place["baud"]) == ("rtu", server.path, bauds[meter.bus])
        else:
            assert (place["host"], place["port"]) == (server.host, server.port)


@pytest.mark.parametrize("name", SHIPPED)
async def test_the_gateway_takes_the_file_that_was_written_for_it(name, clock, tmp_path):
    scenario = load_scenario(SHIPPED[name])
    path = tmp_path / "site.toml"
    async with raised(scenario, clock) as buses:
        path.write_text(site_file(scenario, buses, every_s=5), encoding="utf-8")

    assert {meter.name for meter in load_site(path).meters} == {meter.name for meter in scenario.meters}
