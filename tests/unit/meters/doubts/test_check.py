import pytest

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.check import Physics, latest
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import plan_reads
from plumbline_edge.meters.profiles.file import find_profile


@pytest.fixture
def look():
    """The doubts about an ABB B23's values, by metric, given those that matter."""
    profile = find_profile("abb_b23")
    spans = plan_reads(profile.registers, max_words=125, max_gap=31)
    physics = Physics(Decoder(profile, spans))
    names = [metric.name for metric in profile.metrics]
    metrics = profile.metrics

    def doubts(now, before=None):
        def values(given):
            return tuple(
                metric.to_wire(given[name]) if given.get(name) is not None else None
                for name, metric in zip(names, metrics, strict=True)
            )

        found = physics.doubts(values(now), None if before is None else values(before))
        return {names[i]: flaw for i, flaw in found}

    return doubts


def phases(l1, l2, l3, total):
    return {
        "power_active_l1": l1, "power_active_l2": l2, "power_active_l3": l3, "power_active_total": total,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("powers", "doubted"),
    [
        (phases(1000, 1000, 1000, 3000), False),
        (phases(1000, 1000, 1000, 3059), False),
        (phases(1000, 1000, 1000, 3070), True),
        (phases(5, 5, 5, 30), False),
        (phases(5, 5, 5, 40), True),
        (phases(-1000, 500, 500, 0), False),
        (phases(None, 1000, 1000, 9000), False),
    ],
)
def test_phases_must_add_up_to_their_total_within_two_percent_or_20_w(look, powers, doubted):
    assert look(powers) == ({"power_active_total": Flaw.INCONSISTENT} if doubted else {})


def test_a_counter_that_runs_backwards_is_doubted(look):
    assert look({"energy_import_total": 99.9}, {"energy_import_total": 100}) == {
        "energy_import_total": Flaw.WENT_BACK
    }


def test_a_counter_that_stands_still_or_has_no_past_is_not_doubted(look):
    assert look({"energy_import_total": 100}, {"energy_import_total": 100}) == {}
    assert look({"energy_import_total": 100}, {}) == {}
    assert look({"energy_import_total": 100}) == {}


def test_a_full_32_bit_counter_that_starts_again_has_rolled_over():
    profile = find_profile("carlo_gavazzi_em340")
    physics = Physics(Decoder(profile, plan_reads(profile.registers, max_words=50, max_gap=31)))
    place = [metric.name for metric in profile.metrics].index("energy_import_total")
    full = round(profile.registers[place].modulus * 10_000)

    def frame(steps):
        return tuple(steps if i == place else None for i in range(len(profile.registers)))

    assert list(physics.doubts(frame(5_000), frame(full - 2_000))) == [(place, Flaw.ROLLOVER)]
    assert list(physics.doubts(frame(full // 2), frame(full - 2_000))) == [(place, Flaw.WENT_BACK)]


def test_the_last_known_value_is_remembered_through_a_poll_that_lacks_it():
    assert latest((1, None, 3), (7, 8, 9)) == (1, 8, 3)
    assert latest((1, None), None) == (1, None)


def phase(volts=230, amps=10, watts=2000, factor=0.87):
    return {
        "voltage_l1": volts, "current_l1": amps, "power_active_l1": watts, "power_factor_l1": factor,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "doubted"),
    [
        (phase(), False),
        (phase(watts=-2000), False),
        (phase(factor=-0.87), False),
        (phase(watts=2), True),
        (phase(watts=20_000), True),
        (phase(amps=100), True),
        (phase(volts=23), True),
        (phase(watts=1400), False),
        (phase(amps=0.1, watts=12, factor=1), False),
        (phase(factor=None), False),
        (phase(watts=2600, factor=None), False),
        (phase(watts=0, amps=0, factor=1), False),
    ],
)
def test_the_power_of_a_phase_is_bounded_by_volts_amperes_and_factor(look, values, doubted):
    assert look(values) == ({"power_active_l1": Flaw.INCONSISTENT} if doubted else {})


@pytest.fixture
def look_sdm():
    """The doubts about an SDM630's values, by metric, given those that matter."""
    profile = find_profile("eastron_sdm630")
    physics = Physics(Decoder(profile, plan_reads(profile.registers, max_words=80, max_gap=31)))

    def doubts(**given):
        values = tuple(m.to_wire(given[m.name]) if m.name in given else None for m in profile.metrics)
        return {profile.metrics[i].name: flaw for i, flaw in physics.doubts(values)}

    return doubts


@pytest.mark.parametrize(
    ("total", "active", "doubted"),
    [
        (3000, 2900, False),
        (2500, 2400, False),
        (2500, 2900, True),
        (3200, 2900, True),
        (30_000, 2900, True),
        (300, 250, False),
    ],
    ids=[
        "arithmetic",
        "vector",
        "under the active",
        "over the effective",
        "ten times",
        "phases that cancel out",
    ],
)
def test_an_apparent_total_may_be_any_sum_that_meters_use_but_no_other(look_sdm, total, active, doubted):
    found = look_sdm(
        power_apparent_l1=1000, power_apparent_l2=1000, power_apparent_l3=1000, power_apparent_total=total,
        power_active_total=active,
    )  # fmt: skip

    assert found == ({"power_apparent_total": Flaw.INCONSISTENT} if doubted else {})


def test_one_loaded_phase_may_count_its_neutral_in_the_apparent_total(look_sdm):
    found = look_sdm(
        power_apparent_l1=1000, power_apparent_l2=0, power_apparent_l3=0, power_apparent_total=2449,
        power_active_total=900,
    )  # fmt: skip

    assert found == {}


def volts(phases, lines):
    names = ("voltage_l1", "voltage_l2", "voltage_l3", "voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1")
    return dict(zip(names, (*phases, *lines), strict=True))


@pytest.mark.parametrize(
    ("phases", "lines"),
    [
        ((230, 231, 229), (399, 398, 399)),
        ((230, 230, 230), (0, 0, 0)),
        ((120, 120, 0), (240, 120, 120)),
        ((120, 208, 120), (240, 240, 240)),
        ((0, 0, 0), (0, 0, 0)),
    ],
    ids=["star", "one phase on all inputs", "split phase", "high leg", "dead"],
)
def test_voltages_of_every_kind_of_net_are_good(look_sdm, phases, lines):
    assert look_sdm(**volts(phases, lines)) == {}


def test_line_voltages_that_no_net_can_have_are_doubted(look_sdm):
    assert set(look_sdm(**volts((230, 230, 230), (690, 690, 690)))) == {
        "voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1",
    }  # fmt: skip


def test_a_zero_that_stands_for_no_neutral_is_doubted_itself(look_sdm):
    assert set(look_sdm(**volts((0, 0, 0), (400, 400, 400)))) == {"voltage_l1", "voltage_l2", "voltage_l3"}


def test_without_a_past_counters_are_left_to_others(look):
    assert look({"energy_import_total": 99.9}) == {}
