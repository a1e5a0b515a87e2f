import tomllib

import pytest

from plumbline.errors import ConfigError, FaultyFile
from plumbline.metrics import BY_NAME
from plumbline_edge.meters.profiles.file import find_profile, load_profile, shipped
from plumbline_edge.meters.profiles.profile import PLAUSIBLE

GOOD = """
name = "Example"
maker = "Nobody"
source = "made up for a test"
function = 3
max_registers = 60
probe = "voltage_l1"
[registers]
voltage_l1 = { address = 0, type = "u16", scale = 0.1, unit = "V" }
energy_import_total = { address = 2, type = "u32", scale = 0.01, unit = "kWh" }
"""


def faults_of(tmp_path, text):
    path = tmp_path / "example.toml"
    path.write_text(text)
    with pytest.raises(FaultyFile) as caught:
        load_profile(path)
    return {fault.key: fault for fault in caught.value.faults}


def test_at_least_the_promised_families_are_shipped():
    promised = {
        "eastron_sdm230", "eastron_sdm72", "eastron_sdm72_v2", "carlo_gavazzi_em24", "carlo_gavazzi_em24_e1",
        "eastron_sdm630", "eastron_sdm120", "abb_b23", "chint_dtsu666", "schneider_iem3155", "carlo_gavazzi_em340",
        "schneider_pm5110", "acrel_adw300", "janitza_b23", "janitza_umg", "inepro_pro380", "sunspec_int", "sunspec_float",
    }  # fmt: skip

    assert promised <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_profile_loads_names_its_source_and_counts_energy(name):
    profile = find_profile(name)

    assert all(len(text) > 20 for text in profile.sources.values())
    assert all(r.sources for r in profile.registers)
    assert "energy_import_total" in {metric.name for metric in profile.metrics}
    assert all(r.count <= profile.max_registers for r in profile.registers)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_profile_states_each_register_in_the_unit_of_its_metric(name):
    raw = tomllib.loads(shipped()[name].read_text())

    assert {key: entry["unit"] for key, entry in raw["registers"].items()} == {
        key: BY_NAME[key].unit for key in raw["registers"]
    }


def test_every_unit_has_a_plausible_range():
    assert {metric.unit for metric in BY_NAME.values()} <= set(PLAUSIBLE)


def test_registers_keep_the_order_of_the_file(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(GOOD)

    assert [metric.name for metric in load_profile(path).metrics] == ["voltage_l1", "energy_import_total"]


def test_a_counter_in_a_32_bit_integer_starts_again_when_it_is_full(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(GOOD)

    assert load_profile(path).register("energy_import_total").modulus == pytest.approx(42_949_672.96)


def test_five_mistakes_are_five_lines_in_one_report(tmp_path):
    faults = faults_of(
        tmp_path,
        GOOD.replace("function = 3", "function = 5")
        .replace("max_registers = 60", "max_registers = 126")
        .replace('probe = "voltage_l1"', 'probe = "frequency"')
        .replace('unit = "V"', 'unit = "kV"')
        .replace('type = "u32"', 'type = "u24"'),
    )

    assert set(faults) == {
        "function", "max_registers", "probe", "registers.voltage_l1.unit", "registers.energy_import_total.type",
    }  # fmt: skip
    assert "expected 'V', the metric's unit after scaling (from kV: scale = 100), got 'kV'" in str(
        faults["registers.voltage_l1.unit"]
    )


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        (
            "address = 2",
            "address = 0",
            "registers.energy_import_total.address",
            "at least 1 (0x0001), past voltage_l1, got 0 (0x0000)",
        ),
        ("voltage_l1 =", "voltage_11 =", "registers.voltage_11", "did you mean 'voltage_l1'?"),
        ("scale = 0.1,", "scale = 0,", "registers.voltage_l1.scale", "other than 0"),
        ("scale = 0.1,", "scales = 0.1,", "registers.voltage_l1.scales", "did you mean 'scale'?"),
        ("scale = 0.1,", "absent = 0x10000,", "registers.voltage_l1.absent", "a raw u16 number"),
        ("scale = 0.1,", "range = [5, 1],", "registers.voltage_l1.range", "[lowest, highest]"),
        ("scale = 0.1,", "modulus = 9,", "registers.voltage_l1.modulus", "where a counter starts again"),
        ("address = 0", "address = 65_536", "registers.voltage_l1.address", "0-65535"),
        ("max_registers = 60", "max_registers = 1", "registers.energy_import_total.type", "at most 1 words"),
        ('source = "made up for a test"', "", "sources", "where the numbers can be checked"),
        (
            "max_registers = 60",
            "max_registers = 60\nbarriers = [3]",
            "barriers",
            "energy_import_total has 2 or 4",
        ),
        ("scale = 0.1,", "scale_at = 9,", "registers.voltage_l1.scale_at", 'only with protocol "sunspec"'),
        (
            'probe = "voltage_l1"',
            'probe = "voltage_l1"\nserial = { baud = 9600, parity = "N", bauds = [9600, 19201] }',
            "serial.bauds",
            "did you mean 19200?",
        ),
        (
            'probe = "voltage_l1"',
            'probe = "voltage_l1"\nserial = { baud = 9600, parity = "N", parities = ["E", "O"] }',
            "serial.parities",
            "a list with 'N' in it",
        ),
        (
            'probe = "voltage_l1"',
            'probe = "voltage_l1"\nserial_number = { function = 3, address = 65_535, type = "u32" }',
            "serial_number.address",
            "at most 65534",
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(tmp_path, old, new, key, expected):
    assert expected in str(faults_of(tmp_path, GOOD.replace(old, new))[key])


def test_a_float_may_have_bits_that_mean_no_value_but_nan_needs_no_mention(tmp_path):
    register = 'current_n = { address = 9, type = "f32", unit = "A", absent = %s }\n'
    path = tmp_path / "example.toml"
    path.write_text(GOOD + register % "0x80008000")

    assert load_profile(path).register("current_n").absent == (-4.591774807899561e-41,)
    for bits, said in (
        ("0x7FC00000", "NaN is always absent"),
        ("-1", "bits of a f32"),
        ("0x100000000", "bits of a f32"),
    ):
        assert said in str(faults_of(tmp_path, GOOD + register % bits)["registers.current_n.absent"])


def test_a_power_of_ten_has_a_word_of_its_own_and_leaves_a_counters_end_unknown(tmp_path):
    path = tmp_path / "example.toml"
    good = GOOD.replace("[registers]", 'protocol = "sunspec"\nmodels = [201]\n[registers]')
    path.write_text(good.replace('unit = "kWh"', 'scale_at = 4, unit = "kWh"'))

    assert load_profile(path).register("energy_import_total").modulus is None
    faults = faults_of(tmp_path, good.replace('unit = "kWh"', 'scale_at = 3, unit = "kWh"'))
    assert "a word of no register's own" in str(faults["registers.energy_import_total.scale_at"])


def test_a_file_that_is_not_toml_or_not_there_is_said_in_a_sentence(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")

    for path, said in ((broken, "not TOML"), (tmp_path / "absent.toml", "No such file")):
        with pytest.raises(ConfigError, match=said):
            load_profile(path)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000 + "]" * 5000,
        "x" + ".x" * 2000 + " = 1",
        "function = " + "9" * 5000,
        "# " + "x" * 2_000_000,
    ],
    ids=["deep", "deep by its keys", "a number too long", "a file too long"],
)
def test_a_file_made_to_break_the_reader_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=r"nested too deep|not TOML|longer than"):
        load_profile(path)


def test_an_unknown_profile_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError) as caught:
        find_profile("eastron_sdm63")

    assert "eastron_sdm630" in caught.value.hint


def test_a_profile_file_of_ones_own_is_found_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)

    assert find_profile(str(path)).name == "Example"


@pytest.mark.parametrize(
    ("block", "key", "expected"),
    [
        (
            'function = 3, address = 0, type = "text", count = 2, equals = ["B23-X"]',
            "equals",
            "at most 4 letters",
        ),
        (
            'function = 3, address = 0, type = "text", count = 2, equals = [""]',
            "equals",
            "letters and digits",
        ),
        (
            'function = 3, address = 0, type = "text", count = 2, equals = ["B23 "]',
            "equals",
            "without spaces",
        ),
        ('function = 3, address = 0, type = "u16", equals = [65536]', "equals", "fits into a u16, 0-65535"),
        ('function = 3, address = 0, type = "u32", equals = ["B23"]', "equals", "a list of numbers"),
        ('function = 3, address = 65535, type = "u32", equals = [1]', "address", "at most 65534"),
        (
            'function = 43, address = 300, type = "text", equals = ["X"]',
            "address",
            "an object's number, 0-255",
        ),
        (
            'function = 43, address = 1, type = "u16", equals = [1]',
            "type",
            "all that function 43 answers with",
        ),
        ('function = 6, address = 1, type = "u16", equals = [1]', "function", "3 or 4 or 43"),
    ],
)
def test_an_identification_that_no_meter_could_answer_is_refused(tmp_path, block, key, expected):
    text = GOOD.replace('probe = "voltage_l1"', f'probe = "voltage_l1"\nidentify = [{{ {block} }}]')

    assert expected in str(faults_of(tmp_path, text)[f"identify.1.{key}"])


@pytest.mark.parametrize("ids", ['["manual", "manual"]', '["reader"]', "[]"])
def test_a_source_is_one_of_the_table_s_and_counts_once(tmp_path, ids):
    text = GOOD.replace('source = "made up for a test"', f"from = {ids}").replace(
        "[registers]", '[sources]\nmanual = "Example manual, page 3"\n[registers]'
    )

    assert "a list of ids of [sources] (manual), each once" in str(faults_of(tmp_path, text)["from"])


def test_a_fault_in_a_register_is_not_told_again_as_a_fault_of_the_probe(tmp_path):
    faults = faults_of(tmp_path, GOOD.replace('unit = "V"', 'unit = "kV"'))

    assert set(faults) == {"registers.voltage_l1.unit"}


def test_a_metric_cannot_stand_in_two_registers(tmp_path):
    path = tmp_path / "twice.toml"
    path.write_text(GOOD + 'voltage_l1 = { address = 9, type = "u16", unit = "V" }\n')

    with pytest.raises(ConfigError, match=r"not TOML: Cannot overwrite a value \(at line \d+"):
        load_profile(path)


def test_a_barrier_where_a_value_begins_or_ends_is_right(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(GOOD.replace("max_registers = 60", "max_registers = 60\nbarriers = [1, 2, 4]"))

    assert load_profile(path).barriers == (1, 2, 4)
