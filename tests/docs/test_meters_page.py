"""docs/meters.md is what the meter profiles say."""

from dataclasses import replace
from pathlib import Path

from plumbline_edge.config import load_site
from plumbline_edge.meters.profiles.catalogue import catalogue, reads
from plumbline_edge.meters.profiles.file import find_profile, load_profile, shipped
from plumbline_edge.meters.profiles.profile import Block, SerialDefaults

PAGE = Path(__file__).parents[2] / "docs" / "meters.md"
PROFILES = {stem: find_profile(stem) for stem in shipped()}


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == catalogue(PROFILES), "run `make meters`"


def test_the_mixed_wire_is_a_site_file(tmp_path):
    wire = PAGE.read_text(encoding="utf-8").split("## Two kinds of meter on one line")[1].split("```")[1]
    site = tmp_path / "site.toml"
    site.write_text(
        f'site = "a12"\ngateway = "gw1"\nstate_dir = "."\n{wire.removeprefix("toml")}', encoding="utf-8"
    )

    (bus,), meters = load_site(site).buses, load_site(site).meters
    ports = [find_profile(meter.profile).serial for meter in meters]
    assert len(ports) == 2
    assert all(bus.baud in port.bauds and bus.parity in port.parities for port in ports)


def test_every_meter_and_every_value_stands_in_it_with_its_sources():
    page = catalogue(PROFILES)

    for stem, profile in PROFILES.items():
        section = page.split(f"\n## {stem}\n")[1].split("\n## ")[0]
        assert all(model in section for model in profile.covers)
        written = "{:08X}" if profile.protocol == "dlt645" else "{}"
        rows = [f"| {r.metric.name} | {written.format(r.address)} | " for r in profile.registers]
        assert all(row in section for row in rows)
        assert all(f"*{name}*: " in section for name in profile.sources)
        assert all(note in section for note in profile.notes)


def test_reading_in_blocks_needs_fewer_requests_than_reading_one_by_one():
    for profile in PROFILES.values():
        if profile.protocol != "dlt645":
            assert reads(profile, 31) <= reads(profile, 7) < len(profile.registers)


def test_a_dlt645_meter_has_identifiers_and_no_request_counts(tmp_path):
    path = tmp_path / "dlt645.toml"
    path.write_text("""
name = "DL/T 645"
maker = "many"
protocol = "dlt645"
source = "made up for a test"
probe = "voltage_l1"
[registers]
voltage_l1 = { address = 0x02010100, type = "bcd2", scale = 0.1, unit = "V" }
energy_import_total = { address = 0x00010000, type = "bcd4", scale = 0.01, unit = "kWh" }
""")
    profile = replace(
        load_profile(path),
        blocks=(Block(id=0x0201FF00, metrics=("voltage_l1",)),),
        serial=SerialDefaults(baud=2400, parity="E", stop_bits=1, unit=1, bauds=(1200, 2400)),
    )

    page = catalogue({"dlt645_2007": profile})

    assert "| voltage_l1 | 02010100 | bcd2 | 0.1 | V | source |" in page
    assert "0201FF00 answers voltage_l1 at once." in page
    assert "DL/T 645-2007 on RS-485" in page
    assert "2400 baud, 8E1; its `address` is the twelve digits on the label" in page
    assert "Can be set to: 1200, 2400 baud with its maker's tool; no source says" in page
    assert "requests on a serial line" not in page
    assert "| DL/T 645 | 2 | 0 | – |" in page


def test_a_port_says_what_it_can_be_set_to_and_of_which_models_that_is_true(tmp_path):
    serial = SerialDefaults(
        baud=9600, parity="N", stop_bits=1, unit=1, bauds=(19200, 9600), parities=("N", "E"), covers=("X1", "X2"),
    )  # fmt: skip

    page = catalogue({"x": replace(PROFILES["eastron_sdm630"], serial=serial)})

    assert "9600 baud, 8N1, unit 1 (X1, X2; the others: see below)" in page
    assert "Can be set to: 9600, 19200 baud; parity none (N) or even (E)" in page


def test_a_single_register_has_no_word_order_and_a_power_factor_no_unit():
    section = catalogue(PROFILES).split("\n## carlo_gavazzi_em24\n")[1].split("\n## ")[0]

    assert "| power_factor_total | 53 | s16 | 0.001 |  | manual" in section
    assert "| power_active_total | 40 | s32, lsw | 0.1 | W |" in section
