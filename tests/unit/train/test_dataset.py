"""A shard follows from its recipe and number alone, and holds canvases as the gateway cuts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_edge.vision.view import FACADE_BOX
from plumbline_train.dataset import (
    MAX_ZONES,
    SAMPLE,
    SHOTS,
    SIZE_HW,
    UNKNOWN,
    Recipe,
    Shards,
    batches,
    dataset_hash,
    render_shards,
    shard,
    shuffled_pairs,
)

SMALL = Recipe(seed=4, sizes=((320, 180),), fault_share=0.0)


@pytest.fixture(scope="module")
def samples():
    return shard(SMALL, 2, 2 * SHOTS)


def test_the_same_shard_again_is_the_same_to_the_last_pixel(samples):
    again = shard(SMALL, 2, 2 * SHOTS)

    assert samples.tobytes() == again.tobytes()


def test_another_number_shows_other_sites(samples):
    assert not np.array_equal(samples["now"][0], shard(SMALL, 3, SHOTS)["now"][0])


def test_samples_of_a_camera_share_its_day_0_and_two_of_them_its_day(samples):
    for group in np.split(samples, 2):
        assert len(np.unique(group["camera"])) == 1
        assert (group["day0"] == group["day0"][0]).all()
        assert group["day"][0] == group["day"][1]
        assert (group["percent"][0] == group["percent"][1]).all()
        assert not np.array_equal(group["now"][0], group["now"][1])
    assert samples["camera"][0] != samples["camera"][-1]


def test_the_facade_fills_its_box_of_the_canvas_give_or_take_the_clicks(samples):
    height, width = samples["stage"].shape[1:]
    for stage in samples["stage"]:
        rows, columns = np.nonzero(stage != UNKNOWN)
        found = columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height

        assert found == pytest.approx(FACADE_BOX, abs=0.06)


def test_percents_and_weights_stand_in_the_order_of_zones_and_fit_the_stages_shown(samples):
    for sample in samples:
        zones = int(sample["floors"]) * int(sample["bays"])

        assert zones <= MAX_ZONES
        assert sample["weight"][:zones].sum() == pytest.approx(1, abs=1e-5)
        assert not sample["weight"][zones:].any()
        assert 0 <= sample["percent"].min() <= sample["percent"].max() <= 1


def test_more_clicks_beside_the_corner_move_the_facade(samples):
    exact = shard(Recipe(seed=4, sizes=((320, 180),), fault_share=0.0, corner_off=0.0), 2, 2)

    assert not np.array_equal(exact["stage"][0], samples["stage"][0])


def test_a_hash_names_recipe_and_photos():
    names = {
        dataset_hash(recipe, photos)
        for recipe in (Recipe(), Recipe(seed=2), Recipe(split="holdout"))
        for photos in ("", "abc")
    }

    assert len(names) == 6
    assert dataset_hash(Recipe()) == dataset_hash(Recipe())


def test_shards_that_are_there_are_not_rendered_again(tmp_path):
    kept = tmp_path / dataset_hash(SMALL)
    kept.mkdir()
    for number in range(2):
        np.save(kept / f"{number:05d}.npy", np.zeros(3, SAMPLE))
    told = []
    paths = render_shards(tmp_path, SMALL, 2, workers=1, report=told.append)

    assert told == [2]
    assert len(Shards.opened(paths)) == 6


def test_no_samples_is_a_mistake_that_is_said():
    with pytest.raises(ConfigError, match="no samples"):
        Shards([])


def test_samples_are_picked_across_files_in_the_order_asked():
    parts = [np.zeros(3, SAMPLE), np.zeros(2, SAMPLE)]
    parts[0]["day"], parts[1]["day"] = [0, 1, 2], [3, 4]

    assert Shards(parts).pick([4, 0, 3, 2])["day"].tolist() == [4, 0, 3, 2]
    assert Shards(parts).pick([1])["now"].shape == (1, *SIZE_HW, 3)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 9))
def test_pairs_are_of_one_camera_and_no_sample_is_shown_twice(cameras, seed):
    camera = np.array(cameras, np.int64)
    pairs = shuffled_pairs(camera, np.random.default_rng(seed))

    assert (camera[pairs[:, 0]] == camera[pairs[:, 1]]).all()
    assert len(np.unique(pairs)) == pairs.size
    assert pairs.size == sum(cameras.count(c) // 2 * 2 for c in set(cameras))


def test_a_run_that_goes_on_is_shown_what_it_would_have_been_shown():
    part = np.zeros(40, SAMPLE)
    part["camera"] = np.arange(40) // SHOTS
    shards = Shards([part])
    whole, later = batches(shards, 3, 8), batches(shards, 3, 8, first=7)
    shown = [next(whole) for _ in range(12)]

    assert [next(later) for _ in range(5)] == shown[7:]
    assert sorted(number for _, numbers in shown[:5] for number in numbers) == list(range(40))
    assert shown[0] != shown[5]


def test_a_pass_shows_every_new_building_and_a_share_of_the_renovations_others_each_time():
    part = np.zeros(80, SAMPLE)
    part["camera"] = np.arange(80) // 4
    part["track"] = part["camera"] % 2
    run = batches(Shards([part]), 3, 4, reno_kept=0.5)
    passes = [np.ravel([next(run)[1] for _ in range(15)]) for _ in range(2)]
    shown = [{track: set(seen[part["track"][seen] == track]) for track in (0, 1)} for seen in passes]

    assert all(len(one[0]) == 40 and len(one[1]) == 20 for one in shown)
    assert shown[0][0] == shown[1][0]
    assert shown[0][1] != shown[1][1]
