"""What is known, as line protocol."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.messages import Health, Progress, ZoneProgress
from plumbline.metrics import BY_CODE, METRICS, Flaw
from plumbline_central.stores.influx import lines
from plumbline_central.stores.influx.lines import (
    Point,
    health_point,
    indicator_point,
    meter_line,
    progress_points,
    series_and_time,
)
from plumbline_central.stores.port import FramePoint

T0_US = 1_790_000_000_000_000


def point(values=(23_012, -5), metrics=(1, 14), **more):
    names = {"site": "a12", "gateway": "gw-1", "device": "m1", "at_us": T0_US}
    return FramePoint(**names, metrics=metrics, values=values, **more)


def test_a_poll_is_one_line_with_all_its_values():
    assert meter_line(point()) == (
        f"meter,device=m1,gateway=gw-1,site=a12 voltage_l1=23012e-2,power_active_total=-5e-1,readings=2i {T0_US}"
    )


def test_a_missing_value_is_no_field_and_its_flaw_is_one():
    flaws = ((0, Flaw.TIMEOUT), (1, Flaw.OUT_OF_RANGE))

    assert meter_line(point((None, 7), flaws=flaws)) == (
        "meter,device=m1,gateway=gw-1,site=a12"
        f" readings=2i,voltage_l1_flaw=102i,power_active_total=7e-1,power_active_total_flaw=1i {T0_US}"
    )


def test_a_poll_of_nothing_is_still_a_point():
    assert meter_line(point((None, None))) == f"meter,device=m1,gateway=gw-1,site=a12 readings=2i {T0_US}"


def test_an_untrusted_boot_and_a_thinned_stretch_are_series_of_their_own():
    line = meter_line(point(boot="b1", thinned=True))

    assert line.startswith("meter,boot=b1,device=m1,gateway=gw-1,site=a12,thinned=1 ")


@pytest.mark.parametrize("values", [(1, 2, 3), (1, None, 3)])
def test_a_metric_of_a_newer_version_is_counted_and_left_out(values):
    line = meter_line(point(values, (1, 60_000, 14)))

    assert "voltage_l1=1e-2" in line
    assert "power_active_total=3e-1" in line
    assert line.count("=") == 3 + 2 + 1
    assert "readings=3i" in line


@given(st.sampled_from(METRICS), st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_number_of_steps_reads_as_the_value_it_stands_for(metric, steps):
    line = meter_line(point((steps,), (metric.code,)))
    (written,) = re.findall(rf" {metric.name}=([^,]+),", line)

    assert float(written) == BY_CODE[metric.code].from_wire(steps)


NASTY = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z", "Cc")), min_size=1)


@given(NASTY, NASTY, NASTY, st.integers(-(2**53), 2**53))
def test_no_name_breaks_its_line_or_moves_its_time(measurement, tag, text, at_us):
    made = Point(measurement=measurement, tags={"site": tag}, fields={"text": text, "n": 1})
    line = made.at(at_us)

    assert not re.search(r"[\r\n\t\0]", line)
    assert series_and_time(line) == (lines.series_text(measurement, {"site": tag}), at_us)


def test_what_a_photo_says_is_a_point_for_all_and_one_for_each_zone():
    zone = ZoneProgress(id="f1b1", percent=40, low=None, high=None, visible=0.5, stage=3, regress=True)
    whole, part = progress_points(
        "a12",
        Progress(camera="east", photo="p1", percent=None, low=None, high=None, gate=("dark",), zones=(zone,)),
    )

    assert whole.at(5) == 'progress,camera=east,site=a12 gate="dark",usable=0i,photo="p1" 5'
    assert part.at(5) == (
        "progress,camera=east,site=a12,zone=f1b1 percent=40.0,visible=0.5,stage=3i,regress=1i 5"
    )


def test_what_a_gateway_counts_and_measures_has_one_type():
    body = Health(version='1.0 "x"', counters={"polls": 7}, gauges={"disk free": 0.5})

    assert health_point("a12", "gw-1", body).at(5) == (
        'health,gateway=gw-1,site=a12 version="1.0 \\"x\\"",polls=7.0,disk\\ free=0.5 5'
    )


def test_an_indicator_without_a_plan_has_no_planned_field():
    assert indicator_point("a12", "progress", "photos", 41, None).at(5) == (
        "indicator,indicator=progress,site=a12,source=photos value=41.0 5"
    )


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_is_none_costs_neither_its_point_nor_a_dead_letter(number):
    health = Health(version="1", gauges={"cpu_c": number, "disk_free_b": 5.0})
    (progress, _) = lines.progress_points(
        "a",
        Progress(
            camera="c", photo="p", percent=4.0, low=number, high=5.0, shift_px=number,
            zones=(ZoneProgress(id="z", percent=1.0, low=1.0, high=1.0, visible=1.0),),
        ),
    )  # fmt: skip

    assert lines.health_point("a", "g", health).fields == {"version": "1", "disk_free_b": 5.0}
    assert {"low", "shift_px"}.isdisjoint(progress.fields)
