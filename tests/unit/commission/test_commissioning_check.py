"""The usual mistakes in a profile of one's own, each read from a simulated meter and named."""

from datetime import UTC, datetime

import pytest
from meter_mistakes import Reader
from voltex import VX3, moved, without

from plumbline.clock import ManualClock
from plumbline_edge.commission.check import Refusal, addresses_text, commissioning_check
from plumbline_edge.commission.look import look
from plumbline_edge.commission.reading import read_once
from plumbline_edge.meters.doubts.suspicion import Poll
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import load_profile
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_sim.meter.server import MeterServer, SimulatedMeter

KETTLES = {
    "voltage_l1": 231.2, "voltage_l2": 230.4, "voltage_l3": 229.7,
    "current_l1": 7.35, "current_l2": 7.21, "current_l3": 7.48,
    "power_active_l1": 1631.0, "power_active_l2": 1594.0, "power_active_l3": 1650.0,
    "power_active_total": 4875.0,
}  # fmt: skip
KW_AS_W = VX3.replace("scale = 1000, ", "")


class Kettles:
    """5 kW on three phases, a little uneven, for ever."""

    def at(self, when_s):
        return {**KETTLES, "energy_import_total": 1_234.5 + (when_s % 86_400) / 3600 * 4.875}


@pytest.fixture
def seen_with(tmp_path):
    """What the check says of a VX3 read with a profile's text; `true` is what the meter holds."""

    async def seen_with(text, true=VX3):
        clock = ManualClock(datetime(2026, 3, 2, 4, tzinfo=UTC))
        for name, one in (("true", true), ("mine", text)):
            (tmp_path / f"{name}.toml").write_text(one)
        vx3 = SimulatedMeter(
            name="vx", unit=1, profile=load_profile(tmp_path / "true.toml"), source=Kettles()
        )
        async with MeterServer([vx3], clock=clock) as server, tcp_bus("127.0.0.1", server.port) as bus:
            meter = Meter(
                name="vx", profile=load_profile(tmp_path / "mine.toml"), unit=1, bus=bus, every_s=10, clock=clock
            )  # fmt: skip
            await read_once(meter, bus)
            looked = await look(meter, bus, every_s=0.01)
            return looked.doubts

    return seen_with


def one_value_off(text):
    return moved(without(text, "current"), 2, "voltage")


@pytest.mark.parametrize(
    ("text", "kind", "said", "hint"),
    [
        (VX3.replace('"lsw"', '"msw"'), "word order", "two halves", "`words`"),
        (KW_AS_W, "scale", "a factor of 1:1000", "scale = 1000"),
        (without(KW_AS_W, "power_active_l"), "scale", "the total power is", "scale = 1000"),
        (one_value_off(VX3), "address", "voltage_l3 reads 7.35 V", "one value"),
        (moved(VX3, 2, "voltage", "current"), "address", "voltage_l3 reads 7.35 V", "one value"),
        (moved(VX3, 1, "voltage", "current"), "off by one", "registers 257-268 (0x0101-0x010C), but those one lower", "counts from 1"),
        (moved(VX3, 1, "voltage", "current", "power", "energy"), "off by one", "but those one lower", "counts from 1"),
        (moved(VX3, -1, "voltage", "current", "power", "energy"), "off by one", "but those one higher", "Add 1"),
        (moved(VX3, 1, "energy"), "off by one", "registers 513-514 (0x0201-0x0202), but those one lower", "counts from 1"),
        (moved(VX3, 64, "energy"), "refused", "registers 576-577 (0x0240-0x0241)", "address - 1"),
    ],
    ids=["word-order", "kw-as-w", "kw-as-w-in-the-total", "voltages-one-value-off", "voltages-and-currents-one-value-off",
         "voltages-and-currents-off-by-one", "all-off-by-one", "all-one-too-low", "energy-off-by-one", "energy-elsewhere"],
)  # fmt: skip
async def test_each_usual_mistake_is_named(seen_with, text, kind, said, hint):
    doubts = await seen_with(text)

    assert kind in {one.kind for one in doubts}
    named = next(one for one in doubts if one.kind == kind)
    assert said in named.sentence
    assert hint in named.hint


async def test_the_right_profile_is_not_doubted(seen_with):
    assert await seen_with(VX3) == ()


def polls_of(tmp_path, text, every_s, count):
    """Polls of a VX3 that answers any read, half a value among them."""
    for name, one in (("true", VX3), ("mine", text)):
        (tmp_path / f"{name}.toml").write_text(one)
    reader = Reader(load_profile(tmp_path / "true.toml"), load_profile(tmp_path / "mine.toml"))
    return reader.seen, reader.polls(Kettles(), begin_s=0.0, every_s=every_s, count=count)


@pytest.mark.parametrize("stems", [("voltage", "current"), ("voltage", "current", "power", "energy")])
@pytest.mark.parametrize(("by", "hint"), [(1, "Take 1"), (-1, "Add 1")])
def test_off_by_one_is_named_too_where_the_meter_refuses_nothing(tmp_path, stems, by, hint):
    (doubt,) = commissioning_check(*polls_of(tmp_path, moved(VX3, by, *stems), 0.6, 5))

    assert (doubt.kind, hint in doubt.hint) == ("off by one", True)


TEN_TIMES = VX3.replace("scale = 0.1", "scale = 0.01")


@pytest.mark.parametrize("every_s", [1.0, 5.0, 10.0])
def test_an_energy_ten_times_too_small_is_named_once_the_counter_was_seen_to_move_three_times(
    tmp_path, every_s
):
    count = round(230 / every_s)  # at 4.9 kW a step of 0.1 kWh takes 74 s
    profile, polls = polls_of(tmp_path, TEN_TIMES, every_s, count)
    (doubt,) = commissioning_check(profile, polls)

    assert "10 times too small" in doubt.sentence
    assert "by 10" in doubt.hint
    assert commissioning_check(profile, polls[: count // 3]) == ()
    assert commissioning_check(*polls_of(tmp_path, VX3, every_s, count)) == ()


def test_a_phase_whose_fuse_blew_is_told_from_a_wrong_address_only_at_the_terminals(tmp_path):
    profile, polls = polls_of(tmp_path, VX3, 0.6, 5)
    at = [register.metric.name for register in profile.registers].index("voltage_l2")
    dead = [Poll(mono_s=p.mono_s, values=(*p.values[:at], 0, *p.values[at + 1 :])) for p in polls]
    (doubt,) = commissioning_check(profile, dead)

    assert "voltage_l2 reads 0 V" in doubt.sentence
    assert "fuse" in doubt.hint


def test_refused_addresses_are_shown_as_a_manual_shows_them():
    spans = [Span(0x0105, 0x0107), Span(0x0101, 0x0103), Span(0x0103, 0x0105), Span(300, 301)]

    assert addresses_text(spans) == "257-262 (0x0101-0x0106), 300 (0x012C)"


def test_an_exception_that_speaks_of_no_address_is_no_doubt_of_addresses(tmp_path):
    profile, _ = polls_of(tmp_path, VX3, 1.0, 1)

    assert commissioning_check(profile, [], [Refusal(span=Span(1, 2), code=4)]) == ()
