"""A poll that the gateway's end caught in the middle is no loss; every other that is missing is."""

from __future__ import annotations

import pytest

from plumbline.messages import Frame
from plumbline.metrics import BY_NAME
from plumbline_sim.demo.stored import compare_polls, until_stopped
from plumbline_sim.meter.oplog import Operation

VOLTAGE, ENERGY = BY_NAME["voltage_l1"], BY_NAME["energy_import_total"]
DEVICES = ("main", "crane")


def answers():
    """Five polls of two meters: the read with the probe, then another one."""
    for n in range(5):
        for device in DEVICES:
            for metric in (VOLTAGE, ENERGY):
                yield Operation(
                    device=device, mono_s=n, at_us=n, table="input", start=0, count=2, outcome="values",
                    poll=metric is VOLTAGE, values=((metric.name, 1_000 + n),),
                )  # fmt: skip


def frames(*missing):
    return [
        Frame(device=device, metrics=(VOLTAGE.code, ENERGY.code), values=(1_000 + n, 1_000 + n))
        for n in range(5)
        for device in DEVICES
        if (device, n) not in missing
    ]


def counted(*missing):
    stored = frames(*missing)
    said = until_stopped(list(answers()), stored)
    tally = compare_polls(said, stored)
    return tally.produced, tally.lost, len(said)


def test_a_whole_story_is_whole():
    assert counted() == (10, 0, 20)


def test_the_last_poll_of_each_meter_may_be_missing_with_all_of_its_reads():
    assert counted(("crane", 4)) == (9, 0, 18)
    assert counted(("crane", 4), ("main", 4)) == (8, 0, 16)


@pytest.mark.parametrize("missing", [("crane", 0), ("crane", 3), ("main", 2)])
def test_any_other_that_is_missing_is_lost(missing):
    assert counted(missing) == (10, 1, 20)
    assert counted(missing, (missing[0], 4)) == (9, 1, 18)


def test_of_two_at_the_end_one_is_lost():
    assert counted(("main", 3), ("main", 4)) == (9, 1, 18)
