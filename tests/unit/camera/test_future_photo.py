from __future__ import annotations

from datetime import timedelta

import pytest

from plumbline_edge.camera.capture import CameraWatch


class Album:
    """A source that says itself when its picture was taken."""

    kind = "folder"

    def __init__(self, raw, taken_at):
        self.raw, self.taken_at = raw, taken_at

    async def snapshot(self):
        return self.raw

    async def burst(self, frames, every_s):
        return [self.raw]


@pytest.mark.parametrize(("ahead", "gate"), [(timedelta(hours=12), ()), (timedelta(days=400), ("CLOCK",))])
async def test_a_photo_from_the_future_is_refused_and_spoils_nothing(
    tmp_path, paint, model, clock, ahead, gate
):
    source = Album(paint.jpeg(paint.facade(90, seed=1)), clock.wall() + ahead)
    watch = CameraWatch(paint.settings(), source, lambda: model, tmp_path)
    first = await watch.capture(clock.wall())
    source.raw, source.taken_at = paint.jpeg(paint.facade(91, seed=2)), clock.wall() + timedelta(days=1)
    second = await watch.capture(clock.wall() + timedelta(days=1))

    assert (first.progress.gate, first.progress.percent is None) == (gate, bool(gate))
    assert second.progress.gate == ()
