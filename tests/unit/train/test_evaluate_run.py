"""A whole evaluation in small: renders, worker processes, tables."""

from __future__ import annotations

import pytest

from plumbline.stages import TRACKS
from plumbline_train.card import differences
from plumbline_train.evaluate import run
from plumbline_train.evaluate.run import Size

TINY = Size(
    unseen_sites=2,
    unseen_every=30,
    seen_sites=1,
    seen_every=40,
    blind_sites=1,
    blind_every=40,
    gate_cameras=1,
)


@pytest.fixture(scope="module")
def alone(shipped):
    told = []
    found = run.evaluate(shipped, TINY, processes=1, report=lambda done, total: told.append((done, total)))
    return found, told


def test_every_group_track_and_fault_has_its_table_and_each_job_is_reported(alone):
    found, told = alone
    jobs = 2 * (TINY.unseen_sites + TINY.seen_sites + 2 * TINY.blind_sites) + TINY.gate_cameras

    assert told == [(done, jobs) for done in range(1, jobs + 1)]
    assert {f"{group}.{track}" for group in ("unseen_families", "unseen_seeds") for track in TRACKS} <= set(
        found.tables
    )
    assert {"gate.moved", "gate.frozen", "blind.now", "blind.facade"} <= set(found.tables)
    assert not any(name.startswith("real.") for name in found.tables)
    assert set(found.widths) == set(found.plain) == set(TRACKS)


def test_a_frozen_and_a_dark_photo_are_refused_by_name(alone):
    found, _ = alone

    assert found.tables["gate.frozen"]["named"] == 1
    assert found.tables["gate.dark"]["caught"] == 1


def test_a_model_blind_to_today_says_one_thing_for_ever(alone):
    assert alone[0].tables["blind.now"]["correlation"] == 0


def test_no_figure_depends_on_how_many_processes_there_are(alone, shipped):
    found = run.evaluate(shipped, TINY, processes=2)

    assert differences(alone[0].tables, found.tables) == []
    assert found.widths == alone[0].widths
