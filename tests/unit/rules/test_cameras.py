from hypothesis import given
from hypothesis import strategies as st

from .conftest import camera, look, seen

DIRT = ("LENS_DIRT",)
FOG = ("FOG_RAIN",)


def test_three_photos_in_a_row_of_no_use_over_six_hours_are_a_blind_camera():
    one = seen(
        camera(
            look(-2, 40.0), look(-1, None, gate=DIRT), look(-0.5, None, gate=DIRT), look(0, 41.0, gate=DIRT)
        )
    )

    assert one["camera_blind"].facts == {"photos": 3.0, "reason": "LENS_DIRT"}
    assert one["camera_blind"].since == look(-2, 40.0).at


def test_a_photo_refused_for_two_reasons_tells_the_one_that_makes_the_camera_blind():
    dark = [look(n - 3, None, gate=("MOVED", "DARK")) for n in range(4)]

    assert seen(camera(look(-6, 40.0), *dark))["camera_blind"].facts == {"photos": 4.0, "reason": "DARK"}


def test_two_are_too_few_and_an_hour_is_too_short():
    hour = [look(-1 / 24 * n / 6, None, gate=DIRT) for n in (6, 4, 2, 0)]

    assert seen(camera(look(-1, 40.0), look(-0.5, None, gate=DIRT), look(0, None, gate=DIRT))) == {}
    assert seen(camera(look(-1.2 / 24, 40.0), *hour)) == {}


def test_fog_alone_must_last_for_two_days():
    foggy = [look(-1 + n / 5, None, gate=FOG) for n in range(6)]

    assert seen(camera(*foggy, valid=(look(-1.5, 40.0),))) == {}
    assert "camera_blind" in seen(camera(*foggy, valid=(look(-2.5, 40.0),)))


def test_fog_is_weather_also_where_the_photo_has_no_sure_time():
    foggy = [look(-1 + n / 5, None, gate=("CLOCK", "FOG_RAIN")) for n in range(6)]

    assert seen(camera(*foggy, valid=(look(-1.5, 40.0),))) == {}


def test_one_photo_that_can_be_judged_ends_it():
    assert seen(camera(*(look(n - 5, None, gate=DIRT) for n in range(5)), look(0, 40.0))) == {}


def test_a_camera_that_looks_elsewhere_is_not_blind_and_is_told_with_how_far():
    moved = [look(n - 3, None, gate=("MOVED",), shift=60.0 + n) for n in range(4)]

    assert {rule: one.facts for rule, one in seen(camera(look(-4, 40.0), *moved)).items()} == {
        "camera_moved": {"shift_px": 63.0, "photo": "p0"}
    }


def test_one_photo_elsewhere_is_a_gust_and_a_dark_one_says_nothing_of_where_it_looks():
    assert seen(camera(look(-1, 40.0, shift=2.0), look(0, None, gate=("MOVED",), shift=90.0))) == {}
    assert "camera_moved" in seen(
        camera(look(-2, 40.0, shift=50.0), look(-1, None, gate=("DARK",)), look(0, 41.0, shift=50.0))
    )


@given(st.lists(st.sampled_from([(), ("DARK",), DIRT, ("CLOCK",)]), min_size=1, max_size=12))
def test_a_camera_is_never_blind_after_a_photo_that_could_be_judged(gates):
    looks = [look(n - len(gates), None if gate else 40.0, gate=gate) for n, gate in enumerate(gates)]

    assert "camera_blind" not in seen(camera(*looks, look(0, 40.0)))
