"""Simulated meters read rightly and wrongly: what a gateway would see of each mistake an electrician makes."""

import cmath
import math
from dataclasses import replace
from datetime import date

from plumbline_edge.meters.doubts.fit import words_of
from plumbline_edge.meters.doubts.suspicion import Poll
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_sim.meter.encode import Encoder
from plumbline_sim.meter.load import SiteLoad

MONDAY = date(2026, 3, 2)
MIDNIGHT_S = 1_772_380_800.0  # that Monday's, in Shanghai
TEN_S = MIDNIGHT_S + 10 * 3600


def load(role="main", seed=1):
    return SiteLoad(role, seed=seed, since=MONDAY, start_kwh=1_234.0)


class Reader:
    """A meter of the family `true`, read by a gateway that takes it for `seen`."""

    def __init__(self, true, seen=None, wrong=None):
        self.true, self.seen, self.wrong = true, seen or true, wrong or (lambda values: values)
        self.encoder = Encoder(true)
        self.held = plan_reads(true.registers, max_words=true.max_registers, max_gap=true.max_gap)
        self.spans = plan_reads(
            self.seen.registers, max_words=self.seen.max_registers, max_gap=self.seen.max_gap
        )
        self.decoder = Decoder(self.seen, self.spans)

    def words(self, values):
        values = self.wrong(values)
        blocks = [
            (span, self.encoder.block(span.start, span.count, self.encoder.registers_in(span.start, span.count), values).block)
            for span in self.held
        ]  # fmt: skip
        return words_of(blocks)

    def poll(self, mono_s, values, *, wide=True):
        words = self.words(values)

        def block(span):
            return b"".join(words.get(at, 0).to_bytes(2, "big") for at in range(span.start, span.end))

        blocks = tuple(
            (around, block(around))
            for span in self.spans
            if (around := Span(max(0, span.start - wide), span.end + wide))
        )
        decoded, _ = self.decoder.decode([block(span) for span in self.spans])
        return Poll(mono_s=mono_s, values=decoded, blocks=blocks)

    def polls(self, source, begin_s=TEN_S, every_s=15.0, count=12):
        return [self.poll(begin_s + i * every_s, source.at(begin_s + i * every_s)) for i in range(count)]


def times(factor, *stems):
    """The values whose names begin so, a factor off."""
    return lambda values: {
        name: value * factor if value is not None and name.startswith(stems) else value
        for name, value in values.items()
    }


def powers(values, shares):
    """The values with other complex powers per phase, and all that follows from them."""
    out = dict(values)
    for i, power in enumerate(shares, start=1):
        out[f"power_active_l{i}"], out[f"power_reactive_l{i}"] = power.real, power.imag
        out[f"power_apparent_l{i}"] = abs(power)
        out[f"power_factor_l{i}"] = power.real / abs(power) if power else 1.0
    total = sum(shares)
    out["power_active_total"], out["power_reactive_total"] = total.real, total.imag
    out["power_apparent_total"] = abs(total)
    out["power_factor_total"] = total.real / abs(total) if total else 1.0
    return out


def complex_powers(values):
    return [complex(values[f"power_active_l{i}"], values[f"power_reactive_l{i}"]) for i in (1, 2, 3)]


def clamps_exchanged(a, b):
    """The currents of two phases measured against each other's voltages."""

    def wrong(values):
        shares = complex_powers(values)
        turn = cmath.exp(2j * math.pi / 3)
        out = list(shares)
        out[a], out[b] = shares[b] * turn ** (b - a), shares[a] * turn ** (a - b)
        values = {**values, f"current_l{a + 1}": values[f"current_l{b + 1}"], f"current_l{b + 1}": values[f"current_l{a + 1}"]}  # fmt: skip
        return powers(values, out)

    return wrong


def clamp_turned(phase):
    def wrong(values):
        shares = complex_powers(values)
        shares[phase] = -shares[phase]
        return powers(values, shares)

    return wrong


def registers_exchanged(values):
    return {
        **values,
        "power_active_l1": values["power_active_l2"],
        "power_active_l2": values["power_active_l1"],
    }


def no_neutral(values):
    return {**values, "voltage_l1": 0.0, "voltage_l2": 0.0, "voltage_l3": 0.0}


def idle(values):
    return times(0.0, "current", "power_active", "power_reactive", "power_apparent")(values)


def turned(profile, **order):
    """The family with its words or bytes the other way round."""
    other = {"msw": "lsw", "lsw": "msw", "big": "little", "little": "big"}
    return replace(
        profile,
        registers=tuple(
            replace(r, **{key: other[getattr(r, key)] for key, on in order.items() if on})
            for r in profile.registers
        ),
    )


def shifted(profile, by):
    return replace(profile, registers=tuple(replace(r, address=r.address + by) for r in profile.registers))
