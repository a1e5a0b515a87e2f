"""A card rots: whatever bit flips in what a camera remembers, no percent is made of it, and the loss is said."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from plumbline_edge.camera.judge import judge
from plumbline_edge.camera.memory import Memory, MemoryFile

KEPT = ("cameras/east.json", "cameras/east.json.before", "cameras/east.reference", "day0/east.png")


@pytest.fixture
def states(tmp_path, paint, model):
    """What was kept after each of three photos, the first of them day 0, the newest last."""
    found, file = [Memory()], MemoryFile(tmp_path, paint.settings())
    for day, level in enumerate((62, 90, 110)):
        raw, at = paint.jpeg(paint.facade(level, seed=day)), paint.begin + timedelta(days=day, hours=10)
        judged = judge(raw, at, paint.settings(), lambda: model, found[-1])
        found.append(judged.memory)
        file.save(judged.memory, new_day0=judged.new_day0, new_reference=judged.new_reference)
    return found


def is_state(memory, state):
    return replace(memory, day0={}, reference=None) == replace(state, day0={}, reference=None)


@pytest.mark.parametrize("name", KEPT)
def test_no_flipped_bit_is_believed_and_each_loss_is_said(tmp_path, paint, states, caplog, name):
    whole, rng = (tmp_path / name).read_bytes(), np.random.default_rng(5)
    for place in rng.integers(0, len(whole), 150):
        rotten = bytearray(whole)
        rotten[place] ^= 1 << int(rng.integers(8))
        (tmp_path / name).write_bytes(rotten)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            memory = MemoryFile(tmp_path, paint.settings()).load()
        newest = is_state(memory, states[-1])
        lost = not newest or memory.reference is None or not memory.day0

        assert newest or is_state(memory, states[-2])
        assert lost == ("camera east: " in caplog.text)
        for facade, picture in memory.day0.items():
            assert np.array_equal(picture, states[-1].day0[facade])
        if memory.reference is not None:
            assert memory.reference.to_bytes() == states[-1].reference.to_bytes()


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("fault", ["empty", "a pipe", "endless", "a folder", "cut"])
def test_what_is_no_file_any_more_costs_only_itself(tmp_path, paint, states, caplog, name, fault):
    path = tmp_path / name
    whole = path.read_bytes()
    path.unlink()
    if fault == "a pipe":
        os.mkfifo(path)
    elif fault == "endless":
        path.symlink_to("/dev/zero")
    elif fault == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"" if fault == "empty" else whole[: len(whole) // 2])
    memory = MemoryFile(tmp_path, paint.settings()).load()

    assert is_state(memory, states[-1]) or is_state(memory, states[-2])
    assert bool(caplog.text) == (not name.endswith(".before"))


def test_with_both_states_damaged_it_begins_anew_and_says_what_that_costs(tmp_path, paint, states, caplog):
    for name in KEPT[:2]:
        (tmp_path / name).write_bytes(b"{}")
    memory = MemoryFile(tmp_path, paint.settings()).load()

    assert memory == Memory()
    assert "where the zones stood, day 0 and what is usual are lost" in caplog.text


def test_a_kept_state_that_was_edited_by_hand_is_not_believed(tmp_path, paint, states):
    path = tmp_path / KEPT[0]
    level = f"{states[-1].courses['f1b1'].level}".encode()
    content = path.read_bytes()
    assert level in content
    path.write_bytes(content.replace(level, b"99.5"))

    assert MemoryFile(tmp_path, paint.settings()).load().courses == states[-2].courses


def test_a_gateway_without_a_past_says_nothing(tmp_path, paint, caplog):
    assert MemoryFile(tmp_path, paint.settings()).load() == Memory()
    assert caplog.text == ""
