"""Every shipped family is simulated with values that differ from each other, and read back through the gateway's poll."""

import random
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import combinations
from math import sqrt

import pytest

from plumbline.metrics import BY_CODE, METRICS
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_sim.meter.server import MeterServer, SimulatedMeter

SUNSPEC_AT = 40_070
RTU_GAP, TCP_GAP = 7, 31


def as_asked(name):
    """The profile as one meter's; None where it is not asked in Modbus."""
    profile = find_profile(name)
    if profile.protocol == "sunspec":
        return profile.at(SUNSPEC_AT)
    return profile if profile.protocol == "modbus" else None


FAMILIES = {name: profile for name in shipped() if (profile := as_asked(name)) is not None}


def known_values():
    """One site's values: no two alike, and such that physics has nothing to say."""
    volts, amperes, factors = (229.4, 231.2, 233.1), (10.12, 14.37, 21.85), (0.91, 0.94, 0.97)
    apparent = [v * a for v, a in zip(volts, amperes, strict=True)]
    active = [s * f for s, f in zip(apparent, factors, strict=True)]
    reactive = [sqrt(s * s - p * p) for s, p in zip(apparent, active, strict=True)]
    values = {"frequency": 50.02, "current_n": 3.33, "current_residual": 12.5}
    for i in range(3):
        values |= {
            f"voltage_l{i + 1}": volts[i],
            f"current_l{i + 1}": amperes[i],
            f"power_factor_l{i + 1}": factors[i],
            f"power_apparent_l{i + 1}": apparent[i],
            f"power_active_l{i + 1}": active[i],
            f"power_reactive_l{i + 1}": reactive[i],
            f"energy_import_l{i + 1}": (4_100.3, 5_200.6, 6_300.9)[i],
            f"energy_export_l{i + 1}": (110.2, 120.4, 130.7)[i],
        }
    return values | {
        "voltage_l1_l2": 398.2, "voltage_l2_l3": 402.4, "voltage_l3_l1": 406.9,
        "power_apparent_total": sum(apparent), "power_active_total": sum(active), "power_reactive_total": sum(reactive),
        "power_factor_total": 0.95,
        "energy_import_total": 15_601.8, "energy_export_total": 361.3,
        "energy_reactive_import_total": 812.4, "energy_reactive_export_total": 93.6,
        "thd_voltage_l1": 2.31, "thd_current_l1": 7.89,
    }  # fmt: skip


KNOWN = known_values()


def known_of(profile):
    """What such a meter shows of it: one with a single current sees the first phase, and no more in its totals."""
    names = {metric.name for metric in profile.metrics}
    one_phase = "current_l1" in names and "current_l2" not in names
    return {
        name: KNOWN.get(name.replace("_total", "_l1"), KNOWN[name]) if one_phase else KNOWN[name]
        for name in names
    }


class Steady:
    """A source that always says the same."""

    def at(self, when_s):
        return KNOWN


@asynccontextmanager
async def gateway_s_meter(profile, clock):
    """A meter as the gateway has it, on a simulated one: the only place here that knows what a bus looks like."""
    device = SimulatedMeter(name="meter", unit=17, profile=profile, source=Steady())
    async with (
        MeterServer([device], clock=clock) as server,
        tcp_bus("127.0.0.1", server.port) as bus,
    ):
        yield Meter(
            name="meter", profile=profile, unit=17, bus=bus, every_s=10, clock=clock, rng=random.Random(1)
        )


def tolerance(register):
    """What a register's own resolution, and that of a float, makes of a value."""
    value = abs(KNOWN[register.metric.name])
    if register.scale_at is not None:
        return 1e-3 * value
    raw = 0.5 * float(abs(register.scale)) if register.type[0] != "f" else 0.0
    return raw + 2e-7 * value + 0.51 / register.metric.to_wire(1)


def test_every_metric_has_a_known_value():
    assert {metric.name for metric in METRICS} == set(KNOWN)


@pytest.mark.parametrize("name", FAMILIES)
async def test_each_value_is_read_back_in_its_own_place(clock, name):
    profile = FAMILIES[name]
    async with gateway_s_meter(profile, clock) as meter:
        frame = await meter.poll()

    got = {BY_CODE[code]: steps for code, steps in zip(frame.metrics, frame.values, strict=True)}
    read = {metric.name: metric.from_wire(steps) for metric, steps in got.items() if steps is not None}
    assert read == {
        r.metric.name: pytest.approx(known_of(profile)[r.metric.name], abs=tolerance(r))
        for r in profile.registers
    }
    assert frame.flaws == ()


@pytest.mark.parametrize("name", FAMILIES)
def test_no_two_known_values_of_a_family_could_be_taken_for_each_other(name):
    for a, b in combinations(FAMILIES[name].registers, 2):
        if a.metric.unit == b.metric.unit:
            apart = abs(KNOWN[a.metric.name] - KNOWN[b.metric.name])

            assert apart > tolerance(a) + tolerance(b), (a.metric.name, b.metric.name)


@pytest.mark.parametrize("name", FAMILIES)
async def test_the_gateway_s_plan_keeps_to_what_the_family_allows(clock, name):
    profile = FAMILIES[name]
    async with gateway_s_meter(profile, clock) as meter:
        spans = meter.spans

    assert keeps_to(profile, spans, profile.max_gap)


@pytest.mark.parametrize("bus_gap", [0, RTU_GAP, TCP_GAP])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_plan_for_any_wire_keeps_to_what_the_family_allows(name, bus_gap):
    profile = FAMILIES[name]
    gap = min(bus_gap, profile.max_gap)

    assert keeps_to(profile, plan_reads(profile.registers, max_words=profile.max_registers, max_gap=gap), gap)


def keeps_to(profile, spans, gap):
    assert all(span.count <= profile.max_registers for span in spans)
    assert not [
        (span, barrier) for span in spans for barrier in profile.barriers if span.start < barrier < span.end
    ]
    for span in spans:
        inside = sorted(
            (r for r in profile.registers if span.start <= r.address and r.end <= span.end),
            key=lambda r: r.address,
        )
        ends = [span.start, *(r.end for r in inside)]
        assert all(r.address - end <= gap for r, end in zip(inside, ends, strict=False))
    held = [r for r in profile.registers for span in spans if span.start <= r.address and r.end <= span.end]
    return len(held) == len(profile.registers)


def test_one_answer_never_identifies_two_families():
    said = [
        (name, identity, answer)
        for name in shipped()
        for identity in find_profile(name).identify
        for answer in identity.equals
    ]
    for (one, a, x), (other, b, y) in combinations(said, 2):
        if one != other and (a.address, a.function == 43) == (b.address, b.function == 43):
            same = x == y or (
                isinstance(x, str) and isinstance(y, str) and (x.startswith(y) or y.startswith(x))
            )

            assert not same, f"{one} and {other} both take {x!r}"


@pytest.mark.parametrize(
    ("family", "metric", "answer", "value"),
    [
        # Eastron SDM120M protocol V2.5, 2.1: Volts 1
        ("eastron_sdm120", "voltage_l1", "43 66 33 34", 230.2),
        # ABB A43/A44 user manual 2CMC48001M0201 rev. C, pages 169 and 170
        ("abb_b23", "current_l1", "00 00 00 65", 1.01),
        ("abb_b23", "current_n", "00 00 00 86", 1.34),
        ("abb_b23", "power_active_total", "00 01 E8 E4", 1251.56),
        ("abb_b23", "power_reactive_l2", "FF FF D0 4A", -122.14),
        ("abb_b23", "power_apparent_total", "00 02 25 C3", 1407.39),
        ("abb_b23", "frequency", "13 83", 49.95),
        ("abb_b23", "power_factor_total", "03 CC", 0.972),
        ("abb_b23", "energy_import_l1", "00 00 00 00 00 03 12 92", 2013.62),
        ("abb_b23", "energy_export_l2", "00 00 00 00 00 01 1C 9B", 728.59),
    ],
)
def test_the_worked_examples_of_the_makers_manuals_come_out_right(family, metric, answer, value):
    register = find_profile(family).register(metric)
    alone = replace(find_profile(family), registers=(register,), probe=metric)
    ((steps,), flaws) = Decoder(alone, [Span(register.address, register.end)]).decode([bytes.fromhex(answer)])

    assert register.metric.from_wire(steps) == pytest.approx(value, abs=0.6 / register.metric.to_wire(1))
    assert flaws == ()
