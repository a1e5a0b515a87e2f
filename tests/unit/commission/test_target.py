"""What a command line means."""

import pytest

from plumbline.errors import ConfigError
from plumbline_edge.commission.ports import Adapter, by_id_of, holders, the_only_one
from plumbline_edge.commission.target import (
    bauds_of,
    parities_of,
    units_of,
    wire_from_options,
    wire_from_site,
)

USB0 = Adapter(device="/dev/ttyUSB0", name="FT232R", by_id="/dev/serial/by-id/usb-FTDI")
USB1 = Adapter(device="/dev/ttyUSB1", name="CH340")


def test_units_are_ranges_and_numbers_each_once():
    assert units_of("1-3, 2,9") == (1, 2, 3, 9)


@pytest.mark.parametrize("text", ["", "0", "5-3", "1-248", "a", "1-", "1--3", "-1"])
def test_what_is_no_unit_is_said(text):
    with pytest.raises(ConfigError, match="unit numbers"):
        units_of(text)


def test_speeds_and_parities():
    assert bauds_of("9600, 2400,9600") == (9600, 2400)
    assert parities_of("n,e") == ("N", "E")
    assert bauds_of(None) is parities_of(None) is None
    for wrong in (
        lambda: bauds_of("fast"),
        lambda: bauds_of("²"),
        lambda: bauds_of("5"),
        lambda: parities_of("X"),
    ):
        with pytest.raises(ConfigError):
            wrong()


def test_a_host_may_name_its_port():
    assert wire_from_options(None, "10.0.0.7", rtu=False).port == 502
    bus = wire_from_options(None, "[fe80::1]:1502", rtu=True)
    assert (bus.host, bus.port, bus.kind) == ("fe80::1", 1502, "rtu_over_tcp")
    for wrong in ("a:b", "a:0", "a:99999", "", "a b"):
        with pytest.raises(ConfigError, match="no host"):
            wire_from_options(None, wrong)


def test_a_bus_of_a_site_file_without_meters_can_be_scanned(tmp_path):
    path = tmp_path / "site.toml"
    site = 'site = "a12"\ngateway = "gw1"\nstate_dir = "s"\n'
    path.write_text(site + '[[buses]]\nname = "b1"\nkind = "rtu"\ndevice = "/dev/ttyUSB0"\nbaud = 2400\n')

    assert wire_from_site(path, None).baud == wire_from_site(path, "b1").baud == 2400
    with pytest.raises(ConfigError, match="no bus 'b2'"):
        wire_from_site(path, "b2")
    path.write_text(site + '[[buses]]\nname = "b1"\nkind = "rtu"\n')
    with pytest.raises(ConfigError, match="device"):
        wire_from_site(path, "b1")


def test_the_only_adapter_is_taken_and_of_several_one_must_be_named():
    assert the_only_one([USB0]) == USB0
    with pytest.raises(ConfigError, match=r"ttyUSB0 \(FT232R\), /dev/ttyUSB1 \(CH340\)"):
        the_only_one([USB0, USB1])
    with pytest.raises(ConfigError, match="no serial port"):
        the_only_one([])


def test_an_adapter_has_a_lasting_name():
    assert by_id_of("/dev/ttyUSB0", [USB0, USB1]) == USB0.by_id
    assert by_id_of("/dev/ttyUSB1", [USB0, USB1]) is None


def test_who_holds_a_port_is_named(tmp_path):
    port = tmp_path / "ttyUSB0"
    port.touch()
    fds = tmp_path / "proc" / "77" / "fd"
    fds.mkdir(parents=True)
    (fds / "3").symlink_to(port)
    (fds.parent / "comm").write_text("mbpoll\n")

    assert holders(str(port), tmp_path / "proc") == ("mbpoll (pid 77)",)
    assert holders(str(tmp_path / "other"), tmp_path / "proc") == ()


def test_the_gateway_is_known_by_its_command_whatever_started_it(tmp_path):
    port = tmp_path / "ttyUSB0"
    port.touch()
    process = tmp_path / "proc" / "77"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to(port)
    (process / "comm").write_text("python3\n")
    (process / "cmdline").write_bytes(b"python3\0-m\0plumbline\0edge\0run\0site.toml\0")

    assert holders(str(port), tmp_path / "proc") == ("plumbline edge (pid 77)",)
