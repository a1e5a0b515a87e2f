"""What is changed in a picture leaves its truth true."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not here; see requirements-train.lock")

from plumbline_train.augment import batch, mirror, relit  # noqa: E402
from plumbline_train.dataset import SAMPLE, SIZE_HW  # noqa: E402


@pytest.fixture
def samples():
    made = np.zeros(4, SAMPLE)
    rng = np.random.default_rng(0)
    for name in ("now", "day0", "stage", "aux"):
        made[name] = rng.integers(0, 250, made[name].shape)
    made["floors"], made["bays"] = 2, 3
    made["percent"][:, :6] = np.arange(6) / 6
    return made


def test_mirrored_twice_is_as_before(samples):
    before, all_of_them = samples.copy(), np.ones(4, bool)
    mirror(samples, all_of_them)
    once = samples.copy()
    mirror(samples, all_of_them)

    assert samples.tobytes() == before.tobytes()
    assert (once["stage"][:, :, 0] == before["stage"][:, :, -1]).all()


def test_a_mirrored_facade_counts_its_bays_from_the_other_side(samples):
    mirror(samples, np.array([True, False, False, False]))

    assert (samples["percent"][0, :6] * 6).round().tolist() == [2, 1, 0, 5, 4, 3]
    assert (samples["percent"][1, :6] * 6).round().tolist() == [0, 1, 2, 3, 4, 5]


def test_other_light_keeps_the_content_of_a_picture():
    rng = np.random.default_rng(1)
    picture = torch.from_numpy(rng.uniform(0.3, 0.6, (3, 64, 80)).astype(np.float32))
    style = torch.full((3, 8, 10), 0.9)
    style[:, :, :5] = 0.2
    changed = relit(picture.clone(), style)
    off = changed - picture
    smooth = (off[:, 1:] - off[:, :-1]).abs().max()

    assert off.abs().max() > 0.02
    assert smooth < 0.05
    assert 0 <= changed.min() <= changed.max() <= 1


def test_a_picture_in_its_own_light_stays_as_it_is():
    style = torch.rand(3, 8, 10, generator=torch.Generator().manual_seed(2)) * 0.5 + 0.2
    picture = torch.nn.functional.interpolate(style[None], scale_factor=8.0, mode="nearest")[0]

    assert torch.allclose(relit(picture.clone(), style), picture, atol=1e-5)


def test_a_batch_holds_what_the_net_takes_and_some_days_0_are_lost(samples):
    made = batch(np.tile(samples, 8), np.random.default_rng(3), None)

    assert made["x"].shape == (32, 6, *SIZE_HW)
    assert 0 <= made["x"].min() <= made["x"].max() <= 1
    assert made["track"].sum(1).tolist() == [1] * 32
    lost = (made["x"][:, 3:].flatten(1).amax(1) == 0).sum()
    assert 0 < lost < 32


def test_the_same_step_makes_the_same_batch(samples):
    styles = np.random.default_rng(5).random((3, 32, 40, 3)).astype(np.float32)
    first, again = (batch(samples.copy(), np.random.default_rng(4), styles)["x"] for _ in range(2))

    assert torch.equal(first, again)
