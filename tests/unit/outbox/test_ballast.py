"""Room is kept while there is some, never more than a quarter of it, and given back when it is needed."""

from __future__ import annotations

import pytest

from plumbline_edge.outbox.ballast import Ballast

MIB = 1 << 20


@pytest.mark.parametrize(
    ("free", "kept"), [(100 * MIB, 4 * MIB), (8 * MIB, 2 * MIB), (512 * 1024, 128 * 1024), (400 * 1024, 0)]
)
def test_a_small_card_gives_a_small_ballast(tmp_path, free, kept):
    ballast = Ballast(tmp_path / "outbox.ballast", 4 * MIB, lambda _: free)
    loaded = ballast.load()
    size = (tmp_path / "outbox.ballast").stat().st_size if loaded else 0

    assert (loaded, size) == (kept > 0, kept)


def test_it_takes_real_room_and_gives_it_back_once(tmp_path):
    ballast = Ballast(tmp_path / "outbox.ballast", MIB)
    ballast.load()
    taken = (tmp_path / "outbox.ballast").stat().st_blocks * 512

    assert taken >= MIB
    assert ballast.drop() is True
    assert ballast.drop() is False
    assert not ballast.there


def test_a_folder_that_is_not_there_is_not_full(tmp_path):
    assert not Ballast(tmp_path / "nowhere" / "x", MIB).card_is_full
    assert Ballast(tmp_path / "x", MIB, lambda _: 1000).card_is_full
