from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from plumbline_edge.camera.memory import Memory, MemoryFile
from plumbline_edge.vision.progress import Held

MEMORY = Memory(
    accepted=2,
    digest="d" * 64,
    sharpness=(1.0, 9.0, 3.0, 5.0, 7.0),
    held={"f1b1": Held(percent=12.5, at=datetime(2026, 5, 1, tzinfo=UTC))},
)


def test_what_is_kept_comes_back(tmp_path, paint):
    day0 = paint.facade()[:40, :60]
    MemoryFile(tmp_path, paint.settings()).save(replace(MEMORY, day0=day0), new_day0=True)
    back = MemoryFile(tmp_path, paint.settings()).load()

    assert np.array_equal(back.day0, day0)
    assert replace(back, day0=None) == MEMORY


@pytest.mark.parametrize(
    "changed", [{"floors": 3}, {"bays": 4}, {"track": "reno"}, {"quad": ((0, 0), (1, 0), (1, 1), (0, 1))}]
)
def test_another_view_of_the_camera_begins_with_an_empty_memory(tmp_path, paint, changed):
    MemoryFile(tmp_path, paint.settings()).save(MEMORY)

    assert MemoryFile(tmp_path, paint.settings(**changed)).load() == Memory()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"view": 3}', b'{"view":"\xff"}', b'{"x":' + b"[" * 9000, bytes(50)]
)
def test_a_damaged_file_is_an_empty_memory(tmp_path, paint, content):
    file = MemoryFile(tmp_path, paint.settings())
    file.save(MEMORY)
    (tmp_path / "cameras" / "east.json").write_bytes(content)

    assert file.load() == Memory()


def test_a_lost_day0_picture_costs_only_itself(tmp_path, paint):
    file = MemoryFile(tmp_path, paint.settings())
    file.save(replace(MEMORY, day0=paint.facade()), new_day0=True)
    (tmp_path / "day0" / "east.png").write_bytes(b"not a picture")

    assert file.load() == MEMORY


def test_the_usual_sharpness_needs_five_photos_and_forgets_old_ones():
    memory = Memory()
    for sharpness in (8.0, 8.0, 8.0, 8.0):
        memory = memory.noticing(sharpness)

    assert memory.sharpness_median is None
    assert memory.noticing(8.0).sharpness_median == 8.0
    for _ in range(20):
        memory = memory.noticing(2.0)
    assert memory.sharpness_median == 2.0
