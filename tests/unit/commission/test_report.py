"""The block for the site file."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_edge.commission import paste
from plumbline_edge.commission.recognise import Verdict
from plumbline_edge.commission.report import Sighting, Taken, as_json, site_block
from plumbline_edge.commission.trials import Setting
from plumbline_edge.config import load_site
from plumbline_edge.settings import BusSettings

SERIAL = BusSettings(name="rs485", kind="rtu", device="/dev/ttyUSB0")
NETWORK = BusSettings(name="network", kind="tcp", host="192.168.1.50", port=1502)
N9600, N2400 = Setting(baud=9600), Setting(baud=2400)
SITE = 'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n'


def seen(unit, profile="eastron_sdm630", setting=N9600, sure=True, how="says 'x'"):
    return Sighting(unit=unit, setting=setting, verdict=Verdict(profile=profile, how=how, sure=sure))


def loaded(tmp_path, block, before=SITE):
    path = tmp_path / "site.toml"
    path.write_text(before)
    paste.append(path, block)
    return load_site(path)


def test_the_block_makes_a_site_that_loads(tmp_path):
    site = loaded(tmp_path, site_block(SERIAL, [seen(1), seen(7, "abb_b23")]))

    assert [(m.name, m.unit, m.profile, m.bus) for m in site.meters] == [
        ("m1", 1, "eastron_sdm630", "rs485"),
        ("m7", 7, "abb_b23", "rs485"),
    ]
    assert (site.buses[0].device, site.buses[0].baud) == ("/dev/ttyUSB0", 9600)


def test_a_second_scan_adds_only_what_is_new(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    paste.append(path, site_block(NETWORK, [seen(1, setting=None)]))
    taken = Taken.of(tomllib.loads(path.read_text()))
    block = site_block(NETWORK, [seen(1, setting=None), seen(2, setting=None)], taken)
    paste.append(path, block)
    again = Taken.of(tomllib.loads(path.read_text()))

    assert [meter.unit for meter in load_site(path).meters] == [1, 2]
    assert len(load_site(path).buses) == 1
    assert site_block(NETWORK, [seen(1, setting=None), seen(2, setting=None)], again) == ""


def test_names_that_the_file_has_are_not_given_again(tmp_path):
    before = (
        SITE
        + '[[buses]]\nname = "rs485"\nkind = "tcp"\nhost = "10.0.0.1"\n[[meters]]\nname = "m1"\n'
        + ('profile = "eastron_sdm630"\nbus = "rs485"\n')
    )
    block = site_block(SERIAL, [seen(1)], Taken.of(tomllib.loads(before)))

    assert [meter.name for meter in loaded(tmp_path, block, before).meters] == ["m1", "m1-2"]


def test_a_meter_at_another_speed_is_said_and_left_out():
    block = site_block(SERIAL, [seen(1), seen(2), seen(3, setting=N2400)])

    assert len(tomllib.loads(block)["meters"]) == 2
    assert "unit 3 speaks 2400 8N1, the others 9600 8N1" in block


def test_who_is_not_known_stands_in_a_comment():
    block = site_block(SERIAL, [seen(9, profile=None, how="no profile fits")])

    assert "meters" not in tomllib.loads(block)
    assert "# unit 9: no profile fits" in block


def test_a_block_that_would_not_do_leaves_the_file_alone(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text("gateway = 'gw1'\n")
    with pytest.raises(ConfigError, match="nothing was written"):
        paste.append(path, site_block(SERIAL, [seen(1)]))

    assert path.read_text() == "gateway = 'gw1'\n"
    assert list(tmp_path.iterdir()) == [path]


printable = st.text().filter(str.isprintable)


@given(
    st.lists(
        st.builds(
            seen,
            st.integers(1, 247),
            st.none() | st.sampled_from(["eastron_sdm630", "abb_b23"]),
            st.sampled_from([N9600, N2400]),
            st.booleans(),
            printable,
        ),
        max_size=12,
        unique_by=lambda one: one.unit,
    ),
    printable,
)
def test_whatever_meters_say_the_block_is_toml_with_names_of_their_own(found, device):
    bus = BusSettings(name="rs485", kind="rtu", device=device.replace("\x7f", ""))
    block = tomllib.loads(site_block(bus, found))
    names = [meter["name"] for meter in block.get("meters", ())]

    assert len(names) == len(set(names)) <= len(found)
    if found:
        assert block["buses"][0]["device"] == bus.device
    assert len(as_json(bus, found, [], "")["meters"]) == len(found)
