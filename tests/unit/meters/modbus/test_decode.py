import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.metrics import Flaw
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import plan_reads
from plumbline_edge.meters.profiles.file import find_profile, load_profile, shipped
from plumbline_edge.meters.profiles.profile import places
from plumbline_sim.meter.encode import Encoder

HEAD = 'name = "T"\nmaker = "T"\nsource = "T"\nfunction = 4\nmax_registers = 125\nprobe = "voltage_l1"\n'
MODBUS = [name for name in sorted(shipped()) if find_profile(name).protocol == "modbus"]


def planned(profile):
    return plan_reads(places(profile), max_words=profile.max_registers, max_gap=min(31, profile.max_gap))


def decoder_of(profile):
    spans = planned(profile)
    return spans, Decoder(profile, spans)


@pytest.fixture
def one(tmp_path):
    """Decodes a single register, given as the inside of its table and its bytes."""

    def decode(register, block):
        path = tmp_path / "one.toml"
        path.write_text(f"{HEAD}[registers]\nvoltage_l1 = {{ address = 7, {register}, unit = 'V' }}\n")
        _, decoder = decoder_of(load_profile(path))
        ((value,), flaws) = decoder.decode([block])
        return value, [Flaw(flaw) for _, flaw in flaws]

    return decode


@pytest.mark.parametrize(
    ("register", "block", "steps"),
    [
        ("type = 'u16', scale = 0.1", b"\x08\xfd", 23010),
        ("type = 's16', scale = 0.01, range = [-99, 0]", b"\xff\x9c", -100),
        ("type = 'u32', scale = 0.1", b"\x00\x00\x08\xfd", 23010),
        ("type = 's32', scale = 0.1, words = 'lsw'", b"\x08\xfd\x00\x00", 23010),
        ("type = 'u32', scale = 0.1, words = 'lsw', bytes = 'little'", b"\xfd\x08\x00\x00", 23010),
        ("type = 'u64', scale = 0.01", b"\0\0\0\0\0\0\x59\xe2", 23010),
        ("type = 'u64', scale = 0.01, words = 'lsw'", b"\x59\xe2\0\0\0\0\0\0", 23010),
        ("type = 'f32'", struct.pack(">f", 230.1), 23010),
        ("type = 'f32', bytes = 'little'", b"\x66\x43\x9a\x19", 23010),
        ("type = 'f64', scale = 1000", struct.pack(">d", 0.2301), 23010),
    ],
)
def test_bytes_worked_out_by_hand_mean_what_they_should(one, register, block, steps):
    assert one(register, block) == (steps, [])


@pytest.mark.parametrize(
    ("register", "block", "value", "flaw"),
    [
        ("type = 'f32'", struct.pack(">f", math.nan), None, Flaw.NOT_A_NUMBER),
        ("type = 'f32'", struct.pack(">f", math.inf), None, Flaw.OVERFLOW),
        ("type = 'f32'", struct.pack(">f", -3e38), None, Flaw.OVERFLOW),
        ("type = 'f32'", struct.pack(">f", 1_501.0), 150_100, Flaw.OUT_OF_RANGE),
        ("type = 'f32', range = [180, 280]", struct.pack(">f", 90.0), 9_000, Flaw.OUT_OF_RANGE),
        ("type = 'u16', absent = 0xFFFF", b"\xff\xff", None, Flaw.SENTINEL),
        ("type = 's32', absent = [0x7FFFFFFF, -1]", b"\xff\xff\xff\xff", None, Flaw.SENTINEL),
        ("type = 'u64', absent = '0xFFFFFFFFFFFFFFFF'", b"\xff" * 8, None, Flaw.SENTINEL),
        ("type = 'u64'", b"\xff" * 8, None, Flaw.OVERFLOW),
        ("type = 'f32', absent = 0x80008000", b"\x80\x00\x80\x00", None, Flaw.SENTINEL),
    ],
)
def test_a_value_that_is_none_or_cannot_be_is_flagged(one, register, block, value, flaw):
    assert one(register, block) == (value, [flaw])


def test_a_frequency_or_power_factor_outside_its_range_is_kept_and_doubted():
    profile = find_profile("eastron_sdm120")
    spans, decoder = decoder_of(profile)
    said = {"frequency": 44.9, "power_factor_total": 1.2, "voltage_l1": 230.0}
    encoder = Encoder(profile)
    blocks = [
        encoder.block(s.start, s.count, encoder.registers_in(s.start, s.count), {**FULL, **said}).block
        for s in spans
    ]

    values, flaws = decoder.decode(blocks)

    names = [metric.name for metric in profile.metrics]
    assert {names[i]: flaw for i, flaw in flaws} == {
        "frequency": Flaw.OUT_OF_RANGE,
        "power_factor_total": Flaw.OUT_OF_RANGE,
    }
    assert values[names.index("frequency")] == 44_900


FULL = dict.fromkeys(
    ("current_l1", "power_active_total", "power_apparent_total", "power_reactive_total", "energy_import_total",
     "energy_export_total", "energy_reactive_import_total", "energy_reactive_export_total"), 0.0,
)  # fmt: skip


@st.composite
def readings(draw):
    """A shipped profile and, for each of its metrics, a plausible value or none at all."""
    profile = find_profile(draw(st.sampled_from(MODBUS)))
    values = {}
    for register in profile.registers:
        low = max(register.low, 0.0 if register.type[0] == "u" else -20_000.0)
        high = min(register.high, 200_000.0)
        if register.type[0] != "f" and register.scale_at is None:
            high = min(
                high, float(register.scale) * (2 ** (16 * register.count - (register.type[0] == "s")) - 2)
            )
        may_lack = register.type[0] == "f" or register.absent
        # a SunSpec counter at 0 has not counted: no value
        value = st.floats(1 if 0 in register.absent else low, high)
        values[register.metric.name] = draw(st.none() | value if may_lack else value)
    return profile, values


@settings(deadline=None)
@given(readings())
def test_what_a_simulated_meter_encodes_is_decoded_within_its_resolution(reading):
    profile, values = reading
    spans, decoder = decoder_of(profile)
    encoder = Encoder(profile)
    blocks = [
        encoder.block(s.start, s.count, encoder.registers_in(s.start, s.count), values).block for s in spans
    ]

    decoded, flaws = decoder.decode(blocks)

    flawed = dict(flaws)
    for i, register in enumerate(profile.registers):
        said = values[register.metric.name]
        if said is None:
            assert decoded[i] is None
            assert flawed[i] in (Flaw.NOT_A_NUMBER, Flaw.SENTINEL)
            continue
        resolution = register.metric.to_wire(1)
        meters_own = abs(said) * 2**-23 if register.type[0] == "f" else float(register.scale) / 2
        if register.scale_at is not None:  # as coarse as the largest value on the same scale makes it
            group = [values[r.metric.name] for r in profile.registers if r.scale_at == register.scale_at]
            fits = 2**15 - 1 if register.type == "s16" else 2**32 - 1
            meters_own = max(
                1 / resolution, max(abs(value) for value in group if value is not None) * 10 / fits
            )
        assert abs(decoded[i] - said * resolution) <= 0.5 + meters_own * resolution + 1e-6
        assert i not in flawed


@settings(deadline=None)
@given(st.sampled_from(MODBUS), st.data())
def test_any_bytes_of_the_right_length_give_values_or_reasons(name, data):
    spans, decoder = decoder_of(find_profile(name))
    blocks = [data.draw(st.binary(min_size=2 * s.count, max_size=2 * s.count)) for s in spans]

    values, flaws = decoder.decode(blocks)

    flawed = dict(flaws)
    for i, value in enumerate(values):
        if value is None:
            assert Flaw(flawed[i]).quality == "bad"
        else:
            assert abs(value) <= 2**53
            assert i not in flawed or Flaw(flawed[i]).quality == "uncertain"


def test_the_registers_of_a_real_pm5330_read_as_they_were():
    """Words at their addresses, recorded from the meter in 2018 (SolarNetwork's PM5100DataTests.java)."""
    words = {
        2999: 0x42DB6B85, 3001: 0x42D8570A, 3003: 0x42DC6B85, 3005: 0x80008000, 3019: 0x43F80A73, 3027: 0x438E86AF,
        3053: 0x41F58370, 3055: 0x41FB2E41, 3057: 0x41FDAEF4, 3059: 0x42BB9829, 3061: 0xBFDE601E, 3063: 0x40088510,
        3065: 0xBFED2324, 3067: 0xBFBA7921, 3109: 0x4270070C, 3205: 0x046E73EA, 3209: 0x00016481,
    }  # fmt: skip
    profile = find_profile("schneider_pm5110")
    spans, decoder = decoder_of(profile)
    blocks = [
        b"".join(
            (words.get(at - 1, 0) & 0xFFFF if at not in words else words[at] >> 16).to_bytes(2)
            for at in range(span.start, span.end)
        )
        for span in spans
    ]

    values, flaws = decoder.decode(blocks)

    read = dict(zip((metric.name for metric in profile.metrics), values, strict=True))
    assert read["voltage_l1"] == 28_505
    assert read["voltage_l1_l2"] == 49_608
    assert [read[f"current_l{i}"] for i in (1, 2, 3)] == [109_710, 108_170, 110_210]
    assert read["power_active_total"] == 937_972
    assert sum(read[f"power_reactive_l{i}"] for i in (1, 2, 3)) == read["power_reactive_total"] == -14_568
    assert (read["energy_import_total"], read["energy_export_total"]) == (743_474_980, 912_650)
    assert read["current_n"] is None
    assert (profile.metrics.index(profile.register("current_n").metric), Flaw.SENTINEL) in flaws


SUNSPEC = 'protocol = "sunspec"\nmodels = [201]\n'
SCALED = """[registers]
voltage_l1 = { address = 7, type = "s16", unit = "V", scale_at = 9, absent = -32768 }
voltage_l2 = { address = 8, type = "s16", unit = "V", scale_at = 9, absent = -32768 }
frequency = { address = 10, type = "u16", unit = "Hz", scale = 0.01 }
energy_import_total = { address = 11, type = "u32", unit = "kWh", scale = 0.001, scale_at = 13, absent = 0 }
"""


@pytest.fixture
def scaled(tmp_path):
    """Decodes two voltages of 2301 and none, 50.00 Hz and 1234 Wh with the two powers of ten given, in 1 or 2 reads."""
    path = tmp_path / "scaled.toml"
    path.write_text(HEAD + SUNSPEC + SCALED)
    profile = load_profile(path)
    decoder = Decoder(profile, planned(profile))

    def decode(power, energy_power, raw_energy=1234):
        values, flaws = decoder.decode(
            [struct.pack(">hhhHIh", 2301, -32768, power, 5000, raw_energy, energy_power)]
        )
        return values, {i: Flaw(flaw) for i, flaw in flaws}

    return decode


def test_a_power_of_ten_in_the_answer_scales_the_values_that_name_it(scaled):
    assert scaled(-1, 0) == ((23010, None, 50_000, 12_340), {1: Flaw.SENTINEL})
    assert scaled(-2, 3) == ((2301, None, 50_000, 12_340_000), {1: Flaw.SENTINEL})
    assert scaled(-1, 0) == ((23010, None, 50_000, 12_340), {1: Flaw.SENTINEL})


def test_a_power_of_ten_that_is_not_implemented_leaves_no_value(scaled):
    assert scaled(-0x8000, 0) == ((None, None, 50_000, 12_340), {0: Flaw.SENTINEL, 1: Flaw.SENTINEL})


@pytest.mark.parametrize("power", [11, -11, 103, 0x7FFF])
def test_a_power_of_ten_that_none_can_be_is_garbage(scaled, power):
    values, flaws = scaled(-1, power)

    assert values == (23010, None, 50_000, None)
    assert flaws[3] == Flaw.GARBAGE


def test_a_sunspec_counter_at_0_has_not_counted(scaled):
    values, flaws = scaled(-1, 0, raw_energy=0)

    assert (values[3], flaws[3]) == (None, Flaw.SENTINEL)


def test_values_whose_power_of_ten_was_not_answered_have_its_flaw(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text(HEAD + SUNSPEC + SCALED.replace("scale_at = 9", "scale_at = 900"))
    profile = load_profile(path)
    spans, decoder = decoder_of(profile)
    near = struct.pack(">hh2xHIh", 2301, 2302, 5000, 1234, 103)

    assert [(span.start, span.count) for span in spans] == [(7, 2), (10, 4), (900, 1)]
    for answer, flaw in ((Flaw.EXCEPTION, Flaw.EXCEPTION), (Flaw.TIMEOUT, Flaw.TIMEOUT)):
        values, flaws = decoder.decode([near[:4], near[6:], answer])

        assert values == (None, None, 50_000, None)
        assert flaws == ((0, flaw), (1, flaw), (3, Flaw.GARBAGE))


def test_a_missing_answer_costs_only_its_own_values():
    profile = find_profile("carlo_gavazzi_em340")
    spans, decoder = decoder_of(profile)

    values, flaws = decoder.decode([bytes(2 * spans[0].count), Flaw.EXCEPTION])

    lost = [i for i, span in enumerate(decoder.span_of) if span == 1]
    assert [values[i] for i in lost] == [None] * len(lost)
    assert {i for i, flaw in flaws if flaw == Flaw.EXCEPTION} == set(lost)
    assert all(value is not None for i, value in enumerate(values) if i not in lost)


def test_the_number_of_a_flaw_is_never_taken_for_a_value():
    profile = find_profile("eastron_sdm630")
    spans, decoder = decoder_of(profile)
    encoder = Encoder(profile)
    said = {r.metric.name: 50.0 if r.metric.unit == "Hz" else 0.5 for r in profile.registers}
    blocks = [
        encoder.block(s.start, s.count, encoder.registers_in(s.start, s.count), said).block for s in spans
    ]

    values, flaws = decoder.decode([*blocks[:-1], Flaw.TIMEOUT])

    lost = [i for i, span in enumerate(decoder.span_of) if span == len(spans) - 1]
    assert [values[i] for i in lost] == [None] * len(lost)
    assert flaws == tuple((i, int(Flaw.TIMEOUT)) for i in lost)


def test_an_answer_of_another_length_is_never_decoded():
    spans, decoder = decoder_of(find_profile("eastron_sdm120"))

    with pytest.raises(ValueError, match="were asked for"):
        decoder.decode([bytes(2 * s.count - 2) for s in spans])


def test_a_register_that_no_read_covers_is_refused():
    profile = find_profile("eastron_sdm120")

    with pytest.raises(ValueError, match="exactly one span"):
        Decoder(profile, planned(profile)[:1])
