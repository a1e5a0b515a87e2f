import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.metrics import Flaw
from plumbline_edge.meters.decode import Decoder
from plumbline_edge.meters.plan import plan_reads
from plumbline_edge.meters.profile_file import find_profile, load_profile, shipped
from plumbline_sim.meter.encode import Encoder

HEAD = 'name = "T"\nmaker = "T"\nsource = "T"\nfunction = 4\nmax_registers = 125\nprobe = "voltage_l1"\n'
MODBUS = [name for name in sorted(shipped()) if find_profile(name).protocol == "modbus"]


def planned(profile):
    return plan_reads(profile.registers, max_words=profile.max_registers, max_gap=min(31, profile.max_gap))


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
        may_lack = register.type[0] == "f" or register.absent
        value = st.floats(low, high)
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


def test_a_missing_answer_costs_only_its_own_values():
    profile = find_profile("carlo_gavazzi_em340")
    spans, decoder = decoder_of(profile)

    values, flaws = decoder.decode([bytes(2 * spans[0].count), Flaw.EXCEPTION])

    lost = [i for i, span in enumerate(decoder.span_of) if span == 1]
    assert [values[i] for i in lost] == [None] * len(lost)
    assert {i for i, flaw in flaws if flaw == Flaw.EXCEPTION} == set(lost)
    assert all(value is not None for i, value in enumerate(values) if i not in lost)


def test_an_answer_of_another_length_is_never_decoded():
    spans, decoder = decoder_of(find_profile("eastron_sdm120"))

    with pytest.raises(ValueError, match="were asked for"):
        decoder.decode([bytes(2 * s.count - 2) for s in spans])


def test_a_register_that_no_read_covers_is_refused():
    profile = find_profile("eastron_sdm120")

    with pytest.raises(ValueError, match="exactly one span"):
        Decoder(profile, planned(profile)[:1])
