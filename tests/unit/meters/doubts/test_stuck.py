import pytest

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.stuck import Stillness
from plumbline_edge.meters.profiles.file import find_profile

PROFILE = find_profile("abb_b23")
NAMES = [metric.name for metric in PROFILE.metrics]


def play(powers, currents):
    """The polls in which power_active_l1 is called stuck."""
    stillness = Stillness(PROFILE.registers)
    run = stillness.begin()
    found = []
    for i, (watts, amps) in enumerate(zip(powers, currents, strict=True)):
        values = tuple(
            round({"power_active_l1": watts * 10, "current_l1": amps * 1000}.get(name, 7 * i))
            for name in NAMES
        )
        run, flaws = stillness.judge(run, values)
        found += [i for place, flaw in flaws if (NAMES[place], flaw) == ("power_active_l1", Flaw.STUCK)]
    return found


def test_a_power_that_stays_the_same_while_its_current_swings_is_stuck():
    assert play([5000] * 14, [5 + i for i in range(14)]) == [9, 10, 11, 12, 13]


@pytest.mark.parametrize(
    ("powers", "currents"),
    [
        ([5000] * 30, [21.7] * 30),
        ([5000] * 30, [21.7 + 0.01 * i for i in range(30)]),
        ([0] * 30, [5 + i for i in range(30)]),
        ([5000 + i % 9 for i in range(30)], [5 + i for i in range(30)]),
    ],
    ids=["all stands", "voltage wanders", "nothing measured", "power moves"],
)
def test_a_value_that_may_well_repeat_itself_is_not(powers, currents):
    assert play(powers, currents) == []
