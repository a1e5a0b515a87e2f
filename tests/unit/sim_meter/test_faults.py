import random
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.faults import (
    KINDS,
    WIRES,
    Active,
    Fault,
    Memory,
    on_now,
    spoiled_pdu,
    stray,
    swapped,
)

SDM630, ABB, EM340 = (find_profile(name) for name in ("eastron_sdm630", "abb_b23", "carlo_gavazzi_em340"))


def active(*faults):
    return Active(faults=tuple((fault, 0) for fault in faults))


@pytest.mark.parametrize(
    ("fault", "on", "off"),
    [
        (Fault(kind="silent"), [0, 1e9], [-1]),
        (Fault(kind="silent", from_s=10), [10, 1e9], [0, 9.9]),
        (Fault(kind="silent", for_s=5), [0, 4.9], [5, 100]),
        (Fault(kind="silent", from_s=10, for_s=5, every_s=60), [10, 14.9, 70, 134.9], [9.9, 15, 69.9, 75]),
    ],
)
def test_a_fault_comes_and_goes_by_its_times(fault, on, off):
    assert all(fault.turn(at) is not None for at in on)
    assert all(fault.turn(at) is None for at in off)


def test_a_share_of_requests_is_met_and_the_same_seed_meets_the_same_ones():
    fault = Fault(kind="silent", share=0.3)

    def met(seed):
        rng = random.Random(seed)
        return [bool(on_now([fault], 0, "rtu", rng).faults) for _ in range(1000)]

    assert 250 < sum(met(1)) < 350
    assert met(1) == met(1)
    assert met(1) != met(2)


def test_a_fault_that_a_wire_cannot_have_does_not_happen_there():
    rng = random.Random(1)
    every = [Fault(kind=kind) for kind in KINDS]

    for wire in ("tcp", "rtu", "rtu_over_tcp"):
        assert {fault.kind for fault, _ in on_now(every, 0, wire, rng).faults} == {
            kind for kind in KINDS if wire in WIRES[kind]
        }


def test_a_stuck_meter_shows_its_first_values_until_it_is_well_and_then_new_ones():
    memory, stuck = Memory(), active(Fault(kind="stuck"))

    shown = [
        memory.values({"voltage_l1": volts}, faults, SDM630)["voltage_l1"]
        for volts, faults in ((1, stuck), (2, stuck), (3, active()), (4, stuck), (5, stuck))
    ]

    assert shown == [1, 1, 3, 4, 4]


def test_a_counter_that_rolls_over_goes_to_its_end_and_begins_at_0_with_nothing_lost():
    memory, faults = Memory(), active(Fault(kind="rollover", left=1.0))
    end = EM340.register("energy_import_total").modulus

    shown = [
        memory.values({"energy_import_total": kwh, "voltage_l1": 230.0}, faults, EM340)
        for kwh in (5_000.0, 5_000.5, 5_001.5)
    ]

    assert [round(values["energy_import_total"], 6) for values in shown] == [
        round(end - 1, 6),
        round(end - 0.5, 6),
        0.5,
    ]
    assert {values["voltage_l1"] for values in shown} == {230.0}


def test_a_counter_with_no_known_end_is_left_alone():
    values = Memory().values({"energy_import_total": 5.0}, active(Fault(kind="rollover")), SDM630)

    assert SDM630.register("energy_import_total").modulus is None
    assert values == {"energy_import_total": 5.0}


def test_a_meter_reboots_once_a_turn_and_is_silent_for_its_seconds():
    memory, fault = Memory(), Fault(kind="reboot", seconds=3, every_s=60)

    began = [
        memory.begins_reboot(Active(faults=((fault, turn),)), now_s)
        for turn, now_s in ((0, 100.0), (0, 104.0), (1, 160.0), (1, 164.0))
    ]

    assert began == [True, False, True, False]
    assert memory.silent_until_s == 163.0


def test_words_are_swapped_within_each_value_and_single_words_stay():
    registers = ABB.registers
    frequency, factor = (
        next(r for r in registers if r.metric.name == n) for n in ("frequency", "power_factor_total")
    )
    wide = replace(frequency, address=0, type="u32")
    narrow = replace(factor, address=3)

    assert swapped(b"\1\2\3\4\0\0\5\6", 0, [wide, narrow]) == b"\3\4\1\2\0\0\5\6"


@given(count=st.integers(1, 125), data=st.data())
def test_half_the_registers_is_a_sound_answer_with_half_of_them(count, data):
    block = data.draw(st.binary(min_size=2 * count, max_size=2 * count))

    pdu = spoiled_pdu(struct.pack(">BB", 4, 2 * count) + block, active(Fault(kind="half")))

    assert pdu[0] == 4
    assert pdu[1] == len(pdu) - 2 == 2 * (count // 2)
    assert pdu[2:] == block[: pdu[1]]


@pytest.mark.parametrize(("fault", "code"), [(Fault(kind="busy"), 6), (Fault(kind="exception", code=2), 2)])
def test_an_exception_stands_in_the_answers_place(fault, code):
    assert spoiled_pdu(b"\3\2\0\1", active(fault)) == bytes((0x83, code))


def test_noise_is_a_few_bytes_of_a_line_that_nobody_drives():
    rng = random.Random(3)
    heard = [stray(rng) for _ in range(100)]

    assert all(1 <= len(noise) <= 4 for noise in heard)
    assert set(b"".join(heard)) == {0x00, 0xFF}
