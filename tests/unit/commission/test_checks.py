"""What the doctor's single checks say."""

import asyncio
import os
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.broker import BrokerSettings
from plumbline.clock import ManualClock
from plumbline.messages import Frame
from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.commission.check import Doubt
from plumbline_edge.commission.checks import (
    broker,
    certificates,
    meters,
    outbox,
    serial_ports,
    site_file,
    storage,
    time_of_day,
)
from plumbline_edge.commission.ports import Adapter, how_to_free
from plumbline_edge.commission.reading import Reading, rows_of
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.settings import BusSettings, MeterSettings, OutboxSettings, SiteSettings

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SDM630 = find_profile("eastron_sdm630")


def site(state_dir="/nowhere/state", **more):
    return SiteSettings(site="a12", gateway="gw1", state_dir=str(state_dir), **more)


def levels(findings):
    return {one.what: one.level for one in findings}


def test_every_mistake_of_a_site_file_is_a_fault(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('site = "A"\ngateway = "gw1"\n')
    findings, settings = site_file.check(path)

    assert settings is None
    assert len(findings) >= 2
    assert {one.level for one in findings} == {"fault"}
    assert site_file.check(tmp_path / "none.toml")[0][0].level == "fault"


# storage


def test_a_folder_that_is_not_there_yet_is_no_fault(tmp_path):
    found = levels(storage.check(site(tmp_path / "a" / "b")))

    assert found["state folder"] == found["device key"] == "ok"


def test_a_state_folder_that_is_a_file_is_a_fault(tmp_path):
    (tmp_path / "state").touch()

    assert levels(storage.check(site(tmp_path / "state"))) == {"state folder": "fault"}


def test_too_little_room_is_said_with_how_much_is_missing(tmp_path):
    (found,) = [
        one for one in storage.check(site(tmp_path, outbox=OutboxSettings(max_mb=1e6))) if one.what == "disk"
    ]

    assert found.level != "ok"
    assert "Free " in found.hint


def test_a_damaged_device_key_is_a_fault_and_stays_as_it_is(tmp_path):
    (tmp_path / "device.key").write_bytes(b"short")

    assert levels(storage.check(site(tmp_path)))["device key"] == "fault"
    assert (tmp_path / "device.key").read_bytes() == b"short"


@pytest.mark.parametrize(
    ("life", "end", "level"),
    [
        ("0x01 0x02", "0x01", "ok"),
        ("0x01 0x09", "0x01", "warning"),
        ("0x02 0x02", "0x02", "warning"),
        ("0x00 0x00", "0x00", None),
        ("x", "", None),
    ],
)
def test_a_card_that_tells_its_wear_is_listened_to(tmp_path, life, end, level):
    number = tmp_path.stat().st_dev
    device = tmp_path / f"{os.major(number)}:{os.minor(number)}" / "device"
    device.mkdir(parents=True)
    (device / "life_time").write_text(life + "\n")
    (device / "pre_eol_info").write_text(end + "\n")
    found = list(storage.wear(tmp_path, tmp_path))

    assert [one.level for one in found] == ([level] if level else [])


def test_a_card_that_says_nothing_of_its_wear_is_not_guessed_at(tmp_path):
    assert list(storage.wear(tmp_path, tmp_path)) == []


# clock


@pytest.mark.parametrize(
    ("trust", "level"), [("synced", "ok"), ("simulated", "ok"), ("unsynced", "warning"), ("unset", "fault")]
)
def test_the_clock_is_as_good_as_its_trust(tmp_path, trust, level):
    found = time_of_day.check("Asia/Shanghai", ManualClock(NOW, trust=trust), tmp_path / "none")

    assert levels(found) == {"clock": level, "battery clock": "warning", "time zone": "ok"}
    assert "18:00" in found[-1].said


def test_a_battery_clock_is_seen(tmp_path):
    (tmp_path / "rtc0").mkdir()

    assert levels(time_of_day.check("UTC", ManualClock(NOW), tmp_path))["battery clock"] == "ok"


# serial ports


def bus(device, name="b1"):
    return BusSettings(name=name, kind="rtu", device=str(device))


def ports(*buses, found=(), held=()):
    return serial_ports.check(site(buses=buses), found=found, who_holds=lambda _: held)


def test_a_port_that_is_not_there_is_said_with_those_that_are(tmp_path):
    (found,) = ports(bus(tmp_path / "ttyUSB9"), found=[Adapter(device="/dev/ttyUSB0", name="CH340")])

    assert found.level == "fault"
    assert "/dev/ttyUSB0 (CH340)" in found.said


def test_a_free_port_is_well_and_a_lasting_name_is_recommended(tmp_path):
    port = tmp_path / "ttyUSB0"
    port.touch()
    adapter = Adapter(device=str(port), name="FT232R", by_id="/dev/serial/by-id/usb-FTDI")

    assert [one.level for one in ports(bus(port))] == ["ok"]
    (found,) = ports(bus(port), found=[adapter])
    assert (found.level, "/dev/serial/by-id/usb-FTDI" in found.hint) == ("warning", True)


def test_who_holds_a_port_and_two_buses_on_one_are_said(tmp_path):
    port = tmp_path / "ttyUSB0"
    port.touch()

    assert "mbpoll (pid 7)" in ports(bus(port), held=["mbpoll (pid 7)"])[0].said
    assert [one.level for one in ports(bus(port), bus(port, "b2"))] == ["ok", "fault", "ok"]


def test_a_site_without_serial_ports_has_nothing_to_check():
    assert ports() == []


# meters


def a_reading(frame, **more):
    rows = () if frame is None else rows_of(frame)
    return Reading(meter="m1", rows=rows, requests=2, took_ms=more.pop("took_ms", 80.0), **more)


def a_frame(values, flaws=()):
    codes = (BY_NAME["voltage_l1"].code, BY_NAME["frequency"].code)
    return Frame(device="m1", metrics=codes, values=values, flaws=flaws)


GOOD = a_frame((23010, 50010))


def test_a_meter_that_answers_well_is_well():
    (found,) = meters.judge("m1", "SDM630", a_reading(GOOD))

    assert (found.level, "2 requests in 80 ms" in found.said) == ("ok", True)


def test_a_meter_that_does_not_answer_is_a_fault_with_a_hint():
    (found,) = meters.judge("m1", "SDM630", a_reading(None, why="no answer"))

    assert (found.level, found.said) == ("fault", "no answer")
    assert found.hint


def test_values_that_cannot_be_and_values_that_are_missing_are_said():
    odd = a_frame((500, 50010), ((0, int(Flaw.OUT_OF_RANGE)),))
    gone = a_frame((23010, None), ((1, int(Flaw.SENTINEL)),))
    empty = a_frame((None, None), ((0, int(Flaw.TIMEOUT)), (1, int(Flaw.TIMEOUT))))

    assert "voltage_l1 = 5 V (out of range)" in meters.judge("m1", "SDM630", a_reading(odd))[0].said
    assert "frequency" in meters.judge("m1", "SDM630", a_reading(gone))[0].said
    assert meters.judge("m1", "SDM630", a_reading(empty))[0].level == "fault"
    assert meters.judge("m1", "SDM630", a_reading(GOOD, took_ms=2_000.0))[0].level == "ok"


def test_refused_registers_are_not_called_missing():
    refused = a_frame((23010, None), ((1, int(Flaw.EXCEPTION)),))
    (found,) = meters.judge("m1", "SDM630", a_reading(refused))

    assert "1 value refused: frequency" in found.said
    assert "address - 1" in found.hint
    assert "lacks them" not in found.said


def test_what_the_commissioning_check_suspects_is_a_warning():
    doubt = Doubt(kind="phase swapped", sentence="phases swapped", hint="swap them")
    found = meters.judge("m1", "SDM630", a_reading(GOOD, doubts=(doubt,)))

    assert [(one.level, one.said) for one in found[:1]] == [("warning", "phases swapped")]
    assert found[-1].level == "ok"


def test_a_slow_meter_is_warned_of_only_where_the_polls_of_its_wire_do_not_fit():
    def on(name, every_s):
        return MeterSettings(name=name, profile="dlt645_2007", bus="rs485", every_s=every_s)

    assert meters.fullness([("rs485", on("m1", 10.0), 2_000.0)]) == []
    (found,) = meters.fullness([("rs485", on(f"m{i}", 10.0), 2_000.0) for i in range(6)])
    assert (found.what, "120 %" in found.said, found.level) == ("bus rs485", True, "warning")


def test_a_port_that_somebody_else_holds_is_one_finding_for_all_its_meters():
    wire = BusSettings(name="b1", kind="rtu", device="/dev/ttyUSB0")
    unasked = [(wire, "m1"), (wire, "m2")]
    (found,) = meters.in_use(unasked, who_holds=lambda _: ())

    assert "m1, m2 could not be asked" in found.said
    assert "fuser -v /dev/ttyUSB0" in found.hint
    assert meters.in_use(unasked, who_holds=lambda _: ("plumbline edge (pid 7)",)) == []


@pytest.mark.parametrize(
    ("who", "hint"),
    [
        (["plumbline edge (pid 7)"], "systemctl stop plumbline-edge"),
        (["mbpoll (pid 7)"], "Stop mbpoll (pid 7)"),
    ],
)
def test_who_holds_a_port_decides_what_to_stop(who, hint):
    assert hint in how_to_free("/dev/ttyUSB0", who)
    assert ("plumbline-edge" in how_to_free("/dev/ttyUSB0", who)) == ("plumbline" in who[0])


# broker


async def test_a_broker_that_refuses_on_this_machine_is_not_running(unused_tcp_port):
    here = site(broker=BrokerSettings(host="127.0.0.1", port=unused_tcp_port))
    (found,) = await broker.check(here, ManualClock(NOW))

    assert "systemctl status mosquitto" in found.hint
    assert "firewall" not in found.hint


def pem(tmp_path, until):
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=400))
        .not_valid_after(until)
        .sign(key, None)
    )
    path = tmp_path / "gw1.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "level"), [(-1, "fault"), (10, "warning"), (200, "ok")])
def test_a_certificate_is_as_good_as_the_time_it_has_left(tmp_path, days, level):
    until = NOW + timedelta(days=days)

    assert certificates.check_file("own certificate", pem(tmp_path, until), NOW).level == level


def test_what_is_no_certificate_is_a_fault(tmp_path):
    (tmp_path / "x.pem").write_text("hello")

    assert certificates.check_file("own certificate", tmp_path / "x.pem", NOW).level == "fault"
    assert certificates.check_file("own certificate", tmp_path / "none.pem", NOW).level == "fault"


async def test_a_broker_that_is_away_is_a_fault_and_nothing_more_is_tried(unused_tcp_port):
    settings = site(broker=BrokerSettings(port=unused_tcp_port))
    found = await broker.check(settings, ManualClock(NOW))

    assert [(one.what, one.level) for one in found] == [("broker", "fault")]
    assert "connection refused" in found[0].said


async def test_a_port_where_no_broker_answers_is_a_fault_in_time():
    ended = asyncio.Semaphore(0)

    async def silent(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.release()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = site(broker=BrokerSettings(port=port))
        found = await broker.check(settings, ManualClock(NOW), connect_s=0.3)
        async with asyncio.timeout(5):
            for _ in range(2):  # it came twice, and left no connection behind
                await ended.acquire()

    assert levels(found) == {"broker": "ok", "broker login": "fault"}


# outbox


def test_no_outbox_yet_is_well_and_a_damaged_one_is_not(tmp_path):
    clock = ManualClock(NOW)

    assert levels(outbox.check(site(tmp_path), clock)) == {"outbox": "ok"}
    (tmp_path / "outbox.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert levels(outbox.check(site(tmp_path), clock)) == {"outbox": "fault"}
    (tmp_path / "outbox.db").unlink()
    sqlite3.connect(tmp_path / "outbox.db").close()
    assert levels(outbox.check(site(tmp_path), clock)) == {"outbox": "fault"}
