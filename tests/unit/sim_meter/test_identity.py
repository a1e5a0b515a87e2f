import struct

import pytest

from plumbline_edge.meters.profiles.file import load_profile
from plumbline_sim.meter.server import MeterServer, SimulatedMeter

PROFILE = """
name = "Maker One"
maker = "Maker Ltd"
covers = ["ONE-100"]
source = "made up"
function = 4
max_registers = 10
probe = "voltage_l1"
serial_number = { function = 3, address = 500, type = "u32" }
[[identify]]
function = 3
address = 11
type = "u16"
equals = [1648, 1649]
[[identify]]
function = 4
address = 40000
type = "text"
count = 4
equals = ["SunS"]
[[identify]]
function = 43
address = 1
type = "text"
equals = ["MO-1"]
[registers]
voltage_l1 = { address = 10, type = "u32", unit = "V" }
"""


class Steady:
    def at(self, when_s):
        return {"voltage_l1": 230.0}


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(PROFILE)
    return load_profile(path)


@pytest.fixture
def ask(profile, clock):
    meter = SimulatedMeter(name="m", unit=1, profile=profile, source=Steady(), serial_number="AB-00123456")
    server = MeterServer([meter], clock=clock)
    return lambda *pdu: server.answer(1, bytes(pdu))[0]


def read(function, start, count):
    return struct.pack(">BHH", function, start, count)


async def test_the_families_registers_answer_what_the_profile_expects(ask):
    assert ask(*read(3, 11, 1)) == b"\3\2" + (1648).to_bytes(2)
    assert ask(*read(4, 40000, 4)) == b"\4\x08SunS\0\0\0\0"


async def test_the_meters_own_number_is_answered_in_the_profiles_type(ask):
    assert ask(*read(3, 500, 2)) == b"\3\4" + (123456).to_bytes(4)


async def test_a_register_that_tells_the_family_hides_no_value(ask):
    assert ask(*read(4, 10, 2)) == b"\4\4" + (230).to_bytes(4)
    assert ask(*read(4, 11, 1)) == b"\x84\2"


async def test_basic_identification_is_vendor_product_code_and_revision(ask):
    assert ask(43, 14, 1, 0) == b"\x2b\x0e\1\x82\0\0\3" + b"\0\x09Maker Ltd" + b"\1\4MO-1" + b"\2\0031.0"


async def test_regular_identification_goes_on_with_the_product_name(ask):
    answer = ask(43, 14, 2, 0)

    assert answer.endswith(b"\4\x09Maker One" + b"\5\7ONE-100")
    assert answer[6] == 5


async def test_one_object_can_be_asked_for(ask):
    assert ask(43, 14, 4, 4) == b"\x2b\x0e\4\x82\0\0\1\4\x09Maker One"


@pytest.mark.parametrize(
    ("pdu", "code"), [((43, 13, 1, 0), 1), ((43, 14, 4, 3), 2), ((43, 14, 9, 0), 3), ((43, 14), 1)]
)
async def test_what_the_standard_does_not_know_is_an_exception(ask, pdu, code):
    assert ask(*pdu) == bytes((0xAB, code))


def test_two_meters_without_a_number_have_two_numbers_that_stay(profile):
    numbers = [
        SimulatedMeter(name=name, unit=1, profile=profile, source=Steady()).serial_number
        for name in ("a", "b", "a")
    ]

    assert numbers[0] == numbers[2] != numbers[1]
    assert all(number.isdecimal() and len(number) == 8 for number in numbers)
