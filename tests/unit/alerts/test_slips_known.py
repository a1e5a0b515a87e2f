import random

import pytest
import slips

from plumbline_central.deviation import Band


@pytest.mark.parametrize(
    ("sigma", "precision", "recall"), [(1.0, 0.97, 0.98), (1.5, 0.97, 0.95), (2.0, 0.94, 0.92)]
)
def test_alerts_over_known_slips_are_right_and_soon(sigma, precision, recall):
    """200 projects a slip give 0.975 and 0.958 at 2 points (tests/bench/deviation.py); 30 may be a little below."""
    total = slips.together(slips.study(30, sigma, Band()))

    assert total.precision >= precision
    assert total.recall >= recall
    assert total.from_flagged == 0


def test_a_project_on_its_plan_is_left_alone_by_a_photo_model_that_errs_by_two_points():
    found = slips.study(100, 2.0, Band(), (0.0,))

    assert found[0.0].raised == 0


def test_gated_photos_alone_raise_nothing_however_far_off_they_are():
    photos = [
        photo
        for seed in range(20)
        for photo in slips.project(random.Random(seed), 15.0, 2.0)
        if not photo.seen.valid
    ]
    photos.sort(key=lambda photo: photo.day)

    assert not [change for _, _, change in slips.judge(photos, Band()) if change]
