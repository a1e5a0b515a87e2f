"""From what was seen to a card's figures: nothing rendered, everything known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline_train.evaluate import figures
from plumbline_train.evaluate.chain import photo_by_photo, through_time
from plumbline_train.evaluate.intervals import kept_for_calibration, measured
from plumbline_train.evaluate.sightings import Hits, total_hits


def wobbling(number, size=0.3):
    rng = np.random.default_rng(number)
    return lambda day: float(rng.normal(0, size))


def test_a_model_that_sees_the_truth_makes_no_error_and_orders_every_day(make_course):
    table = figures.headline([(c, through_time(c)) for c in (make_course(1), make_course(3))])

    assert table["photo_site_mae_pp"] == pytest.approx(0, abs=1e-9)
    assert table["photo_stage_exact"] == 1
    assert table["photo_tau"] == table["tau"] == 1
    assert table["plan_mae_pp"] == 0
    assert table["calendar_mae_pp"] > 4
    assert table["shots"] == 120


def test_bias_keeps_its_sign_and_error_does_not(make_course):
    course = make_course(off=lambda _day: -0.5)
    table = figures.headline([(course, through_time(course))])

    assert table["photo_site_bias_pp"] < -3
    assert table["photo_site_mae_pp"] == pytest.approx(-table["photo_site_bias_pp"])


def test_a_refused_photo_is_scored_nowhere(make_course):
    wrong = make_course(
        changed=lambda day: {"gate": ("FOG_RAIN",), "percent": np.full(4, 99.0)} if day % 2 else {}
    )
    table = figures.headline([(wrong, through_time(wrong))])

    assert table["refused"] == 0.5
    assert table["photo_site_mae_pp"] == pytest.approx(0, abs=1e-9)


def test_a_hidden_zone_keeps_its_value_and_is_scored_only_when_seen(make_course):
    def hide_first(day):
        if day < 30:
            return {}
        shot = make_course().shots[day - 1]
        percent, stage = shot.percent.copy(), shot.stage.copy()
        percent[0], stage[0] = np.nan, -1
        return {"percent": percent, "stage": stage, "visible": np.array([0.1, 1, 1, 1])}

    course = make_course(changed=hide_first)
    said = through_time(course)
    table = figures.headline([(course, said)])

    assert said.zones[40, 0] == said.zones[29, 0]
    assert not said.seen[40, 0]
    assert np.isnan(photo_by_photo(course).zones[40, 0])
    assert table["photo_zone_mae_pp"] == pytest.approx(0, abs=1e-9)
    assert table["zones_hidden"] == pytest.approx(31 / 60 / 4)


def test_intervals_measured_on_one_half_hold_on_the_other(make_course):
    courses = [make_course(number=n, off=wobbling(n)) for n in range(24)]
    widths = figures.promised(courses)
    tested = [(c, through_time(c, widths["new"])) for c in courses if not kept_for_calibration(c)]
    table = figures.headline(tested)

    assert 0.85 <= table["coverage"] <= 0.95
    assert 0.82 <= table["zone_coverage"] <= 0.97


def test_a_site_that_measures_the_interval_does_not_show_whether_it_holds(make_course):
    """The calibration half is made worthless: coverage, which is of the other half, must not notice."""
    good, bad = make_course(number=1), make_course(number=2, off=lambda _day: 3.0)
    widths = measured([make_course(number=4, off=wobbling(4))])
    both = figures.headline([(good, through_time(good, widths)), (bad, through_time(bad, widths))])
    alone = figures.headline([(good, through_time(good, widths))])

    assert both["coverage"] == alone["coverage"]
    assert both["site_mae_pp"] > alone["site_mae_pp"]


def test_without_a_course_to_measure_on_nothing_is_promised():
    widths = measured([])

    assert set(widths.site_pp) == {100.0}


def test_each_stage_has_its_own_row_and_an_error_stands_in_its_own(make_course):
    course = make_course(off=lambda day: 1.0 if day > 50 else 0.0)
    cut = figures.by_stage([(course, through_time(course))])

    assert next(iter(cut)) == "untouched"
    assert len(cut) == 8
    assert cut["columns_slab"]["exact"] == 1
    assert cut["insulation_cladding"]["exact"] < 1
    assert cut["insulation_cladding"]["within_1"] == 1


def test_a_family_met_on_one_site_has_no_row(make_course):
    one = make_course(1, families={"camera": "tele", "net": "beige"})
    other = make_course(3, families={"camera": "tele", "net": "black"})
    cut = figures.by_family([(c, through_time(c)) for c in (one, other)])

    assert list(cut) == ["camera.tele"]
    assert cut["camera.tele"]["sites"] == 2


def test_deciles_hold_each_tested_photo_once(make_course):
    courses = [make_course(number=n) for n in (1, 2, 3)]
    cut = figures.by_decile([(c, through_time(c)) for c in courses])

    assert sum(table["shots"] for table in cut.values()) == 120


def test_hits_are_summed_over_accepted_photos_only(make_course):
    course = make_course(days=4, changed=lambda day: {"gate": ("DARK",)} if day == 1 else {})

    assert total_hits([course], "person") == Hits(right=3, said=6, there=12, things=6, things_touched=3)
    assert figures.found_table([course])["person_recall"] == 0.25
    assert math.isnan(figures.found_table([course])["scaffold_net_recall"])


def test_a_blinded_model_that_says_one_thing_for_ever_correlates_with_nothing(make_course):
    course = make_course(off=lambda day: 3.5 - 7 * day / 60)
    table = figures.blind_table([course])

    assert table["correlation"] == 0
    assert table["tau"] == 0


def test_alert_tables_are_of_the_half_that_did_not_measure(make_course):
    courses = [make_course(number=n) for n in range(4)]
    tables = figures.alert_tables("unseen_families", courses, figures.promised(courses))

    assert tables["unseen_families.new.alerts.model"]["trials"] == 2 * 7
    assert tables["unseen_families.new.alerts.apart"]["on_the_line_trials"] == 2 * 2
    assert "unseen_families.reno.alerts.model" not in tables
