"""What an indicator may be, who changed it, and the library it starts from."""

import sqlite3
from dataclasses import replace

import pytest

from plumbline.errors import FaultyFile, Refused
from plumbline_central.indicators.indicator import Source, Threshold, checked, from_template
from plumbline_central.indicators.store import NoSuch, effective
from plumbline_central.indicators.templates import implied, templates

from .conftest import SITE, START, day


@pytest.mark.parametrize("template", templates().values(), ids=lambda template: template.id)
def test_every_template_makes_sense_in_both_languages(template):
    assert checked(from_template(template, SITE), templates())
    assert all((template.name_zh, template.name_en, template.meaning_zh, template.meaning_en))
    assert template.name_zh != template.name_en


def test_everything_that_makes_no_sense_is_told_at_once():
    wrong = replace(
        implied(SITE),
        id="Not A Name",
        template="progres",
        name_zh="",
        unit="kWh",
        weight=-1.0,
        fresh_for_d=0.0,
        threshold=Threshold(raise_over=3.0, clear_below=4.0),
        budget=-5.0,
        currency="yuan",
        source=Source(kind="meters", metric="energy_import_totl", outside=(22, 6), devices=("m", "m")),
    )

    with pytest.raises(FaultyFile) as caught:
        checked(wrong, templates())

    assert {fault.key for fault in caught.value.faults} == {
        "id", "template", "name_zh", "unit", "weight", "fresh_for_d", "threshold.clear_below", "budget", "currency",
        "source.metric", "source.outside", "source.devices", "kind",
    }  # fmt: skip
    assert "did you mean 'energy_import_total'?" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (Source(kind="photos"), "source.kind"),
        (Source(kind="pushed", devices=("m",)), "source.devices"),
        (Source(kind="pushed", above=5.0), "source.above"),
        (Source(kind="pushed", outside=(6, 22)), "source.outside"),
        (Source(kind="hours", metric="power_active_total"), "source.above"),
        (Source(kind="hours", metric="energy_import_total", above=1.0), "source.metric"),
    ],
)
def test_a_source_says_what_it_needs_and_nothing_else(source, key):
    indicator = replace(from_template(templates()["material_delivered"], SITE), unit="h", source=source)

    with pytest.raises(FaultyFile) as caught:
        checked(indicator, templates())
    assert key in {fault.key for fault in caught.value.faults}


def test_every_site_has_progress_until_somebody_says_otherwise(measured):
    store = measured.book.indicators

    assert [one.id for one in store.of(SITE)] == ["progress"]
    measured.add("funds_paid")
    assert [one.id for one in store.of(SITE)] == ["progress", "funds_paid"]
    store.retire(SITE, "progress", "li", day(1))
    assert [one.id for one in store.of(SITE)] == ["funds_paid"]
    store.put(replace(implied(SITE), weight=5.0), "li", day(2))
    assert [one.id for one in store.of(SITE)] == ["progress", "funds_paid"]
    assert [step.what for step in store.history(SITE, "progress")] == ["retired", "created"]


def test_every_change_is_kept_with_what_was_and_who_did_it(measured):
    first = measured.add("funds_paid")
    measured.add("funds_paid")
    measured.book.indicators.put(replace(first, owner="wang"), "zhao", day(3))
    measured.book.indicators.retire(SITE, "funds_paid", "zhao", day(4))

    steps = measured.book.indicators.history(SITE)
    assert [(s.what, s.who, s.old and s.old.owner, s.new and s.new.owner) for s in steps] == [
        ("created", "li", None, ""),
        ("changed", "zhao", "", "wang"),
        ("retired", "zhao", "wang", None),
    ]
    with pytest.raises(NoSuch, match="no indicator 'funds_paid'"):
        measured.book.indicators.get(SITE, "funds_paid")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), measured.db.write() as db:
        db.execute("DELETE FROM indicator_audit")


def test_what_numbers_mean_stays_once_there_are_some(measured):
    tonnes = measured.add("material_delivered")
    measured.book.indicators.put(replace(tonnes, unit="m³"), "li", START)
    measured.push("material_delivered", 1, 5.0)

    with pytest.raises(Refused, match="kind, unit and summing stay"):
        measured.book.indicators.put(replace(tonnes, unit="t"), "li", START)


def test_a_threshold_of_its_own_goes_before_the_librarys(measured):
    energy = measured.add("energy")
    own = Threshold(raise_over=3.0, clear_below=2.0)

    assert effective(energy).threshold == templates()["energy"].threshold
    assert effective(replace(energy, threshold=own)).threshold == own
    assert effective(implied(SITE)).threshold is None
