import pytest

from plumbline.metrics import Flaw
from plumbline_edge.meters.check import Physics, latest
from plumbline_edge.meters.decode import Decoder
from plumbline_edge.meters.plan import plan_reads
from plumbline_edge.meters.profile_file import find_profile


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
