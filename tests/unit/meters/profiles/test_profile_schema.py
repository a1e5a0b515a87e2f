"""The schema that editors use says what the reader says, as far as a schema can."""

import re
import tomllib

import pytest
from small_schema import slips

from plumbline.errors import FaultyFile
from plumbline_edge.meters.profiles.file import load_profile, shipped
from plumbline_edge.meters.profiles.keys import BOUNDS, KEYS, REGISTER_KEYS
from plumbline_edge.meters.profiles.schema import profile_schema, schema_text

FOLDER = next(iter(shipped().values())).parent
SCHEMA = profile_schema()
FIRST_LINE = "#:schema profile.schema.json"
GOOD = """
name = "Example"
maker = "Nobody"
source = "made up for a test"
function = 3
max_registers = 60
max_gap = 3
barriers = [100]
min_gap_ms = 5
probe = "voltage_l1"
[absent]
u16 = [0xFFFF, "0xFFFE"]
[serial]
baud = 9600
parity = "N"
stop_bits = 1
unit = 1
bauds = [9600, 19200]
[[identify]]
function = 4
address = 11
type = "text"
count = 4
equals = ["EX1"]
[serial_number]
function = 3
address = 20
type = "u32"
[registers]
voltage_l1 = { address = 0, type = "u16", scale = 0.1, unit = "V", range = [80, 280] }
energy_import_total = { address = 2, type = "u32", scale = 0.01, unit = "kWh", modulus = 1000000 }
"""
SLIPS = [
    ("function = 3\nmax", "function = 5\nmax"),
    ("max_registers = 60", "max_registers = 126"),
    ("max_registers = 60\n", ""),
    ("max_registers", "max_register"),
    ('probe = "voltage_l1"', 'probe = "voltage_11"'),
    ('probe = "voltage_l1"', 'probe = "voltage_l1"\nwords = "high"'),
    ("voltage_l1 =", "voltage_11 ="),
    ('unit = "V"', 'unit = "kV"'),
    ('type = "u16"', 'type = "u24"'),
    ("scale = 0.1", "scale = 0"),
    ("scale = 0.1", "scales = 0.1"),
    ("address = 0,", 'address = "0x0",'),
    ("address = 0, ", ""),
    ("range = [80, 280]", "range = [80]"),
    ("range = [80, 280]", "modulus = 9"),
    ('source = "made up for a test"', ""),
    ('source = "made up for a test"', 'source = "made up"\nfrom = ["manual"]'),
    ('source = "made up for a test"', 'from = ["manual"]'),
    ('parity = "N"', 'parity = "none"'),
    ("bauds = [9600, 19200]", "bauds = [9600, 19201]"),
    ("equals = [", "equal = ["),
    ("u16 = [", "u15 = ["),
]


def test_the_shipped_schema_is_what_the_reader_s_constants_make():
    written = (FOLDER / "profile.schema.json").read_text(encoding="utf-8")

    assert written == schema_text(), (
        "write it anew: python -m plumbline_edge.meters.profiles.schema > profile.schema.json"
    )


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_profile_fits_the_schema(name):
    raw = tomllib.loads(shipped()[name].read_text(encoding="utf-8"))

    assert list(slips(raw, SCHEMA)) == []


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_profile_names_the_schema_in_its_first_line(name):
    first, *_ = shipped()[name].read_text(encoding="utf-8").splitlines()

    assert first == FIRST_LINE


def test_a_good_file_fits_and_is_read(tmp_path):
    (tmp_path / "good.toml").write_text(GOOD)

    assert list(slips(tomllib.loads(GOOD), SCHEMA)) == []
    assert load_profile(tmp_path / "good.toml").barriers == (100,)


@pytest.mark.parametrize(("before", "after"), SLIPS)
def test_a_slip_is_seen_by_the_schema_and_by_the_reader(tmp_path, before, after):
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    (tmp_path / "slip.toml").write_text(text)

    assert list(slips(tomllib.loads(text), SCHEMA))
    with pytest.raises(FaultyFile):
        load_profile(tmp_path / "slip.toml")


@pytest.mark.parametrize(
    ("bound", "line"),
    [
        ("max_registers", "max_registers = 60"),
        ("max_gap", "max_gap = 3"),
        ("barriers", "barriers = [100]"),
        ("min_gap_ms", "min_gap_ms = 5"),
        ("stop_bits", "stop_bits = 1"),
        ("unit", "unit = 1"),
        ("count", "count = 4"),
    ],
)
def test_schema_and_reader_have_the_same_ends_of_each_number(tmp_path, bound, line):
    low, high = BOUNDS[bound]
    path = tmp_path / "edge.toml"

    assert line in GOOD
    for number in (low - 1, low, high, high + 1):
        text = GOOD.replace(line, re.sub(r"\d+", str(number), line))
        path.write_text(text)
        places = {
            re.sub(r"\[\d+\]", "", place.split(".")[-1]) for place, _ in slips(tomllib.loads(text), SCHEMA)
        }

        assert (bound in places) is (bound in keys_at_fault(path)) is (not low <= number <= high)


def keys_at_fault(path):
    try:
        load_profile(path)
    except FaultyFile as faulty:
        return {fault.key.split(".")[-1] for fault in faulty.faults}
    return set()


def test_the_readme_explains_every_key():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [key for key in (*KEYS, *REGISTER_KEYS) if not re.search(rf"[`\[.]{key}\b", text)] == []
