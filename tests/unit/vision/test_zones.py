from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES
from plumbline_edge.vision.zones import MIN_VISIBLE, pool, square_to_quad, zone_corners, zone_ids, zone_map

SIZE = (48, 80)
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
NEW = DEFAULT_VALUES["new"]

shares = st.floats(0, 1)


@st.composite
def quads(draw):
    """Convex facades as a camera might see them: each corner within its own quarter of the picture."""
    near, far = st.floats(0.02, 0.4), st.floats(0.6, 0.98)
    quad = (
        (draw(near), draw(near)), (draw(far), draw(near)), (draw(far), draw(far)), (draw(near), draw(far)),
    )  # fmt: skip
    edges = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(quad, quad[1:] + quad[:1], strict=True)]
    turns = [a[0] * b[1] - a[1] * b[0] for a, b in zip(edges, edges[1:] + edges[:1], strict=True)]
    return quad if min(turns) > 0.01 else ((0.2, 0.2), (0.8, 0.25), (0.75, 0.8), (0.25, 0.9))


@st.composite
def stage_maps(draw):
    """Seven maps that fall with the stage, as the model's product of probabilities does."""
    single = draw(
        hnp.arrays(np.float32, (7, *SIZE), elements=st.floats(0, 1, width=32), fill=shares.map(np.float32))
    )
    return np.cumprod(single, axis=0)


def aux_of(name, size=SIZE):
    aux = np.zeros((9, *size), np.float32)
    aux[AUX_CLASSES.index(name)] = 1
    return aux


@given(quads())
def test_the_homography_takes_the_unit_square_to_the_four_corners(quad):
    corners = np.array([(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]) @ square_to_quad(quad).T

    assert np.allclose(corners[:, :2] / corners[:, 2:], quad, atol=1e-9)


@given(quads(), st.integers(1, 6), st.integers(1, 6))
def test_each_pixel_of_a_zone_lies_within_that_zones_corners(quad, floors, bays):
    zone = zone_map(quad, floors, bays, SIZE)
    ys, xs = np.nonzero(zone >= 0)
    corners = zone_corners(quad, floors, bays)[zone[ys, xs]]
    point = np.stack([(xs + 0.5) / SIZE[1], (ys + 0.5) / SIZE[0]], axis=1)[:, None]
    edge, to_point = np.roll(corners, -1, axis=1) - corners, point - corners

    assert (edge[..., 0] * to_point[..., 1] - edge[..., 1] * to_point[..., 0] > -1e-9).all()


def test_ground_floor_left_bay_is_the_first_zone():
    zone = zone_map(WHOLE, 3, 2, (30, 20))

    assert zone_ids(3, 2)[0] == "f1b1"
    assert zone[-1, 0] == 0
    assert zone[-1, -1] == 1
    assert zone[0, 0] == 4
    assert zone_ids(3, 2)[4] == "f3b1"


@pytest.mark.parametrize(
    "quad",
    [
        ((0, 0), (0, 1), (1, 1), (1, 0)),  # counter-clockwise
        ((0, 0), (1, 1), (1, 0), (0, 1)),  # crossed
        ((0, 0), (1, 0), (0.2, 0.2), (0, 1)),  # dented
        ((0.5, 0.5),) * 4,
    ],
)
def test_corners_that_make_no_facade_are_a_config_error(quad):
    with pytest.raises(ConfigError, match="clockwise"):
        square_to_quad(quad)


@given(quads(), stage_maps(), st.integers(1, 5), st.integers(1, 5), st.sampled_from(["new", "reno"]))
def test_percents_stay_between_0_and_100(quad, stage, floors, bays, track):
    readings = pool(stage, aux_of("building"), quad, floors, bays, DEFAULT_VALUES[track])

    assert len(readings) == floors * bays
    assert all(r.percent is None or 0 <= r.percent <= 100 for r in readings)
    assert all(0 <= r.visible <= 1 for r in readings)
    assert all((r.percent is None) == (r.visible < MIN_VISIBLE) == (r.stage is None) for r in readings)


@given(quads(), st.integers(0, 7), st.sampled_from(["new", "reno"]))
def test_a_facade_wholly_in_one_stage_is_worth_that_stages_value(quad, reached, track):
    stage = np.zeros((7, *SIZE), np.float32)
    stage[:reached] = 1
    readings = pool(stage, aux_of("building"), quad, 2, 2, DEFAULT_VALUES[track])

    assert {r.stage for r in readings} == {reached}
    assert [r.percent for r in readings] == pytest.approx([100 * DEFAULT_VALUES[track][reached]] * 4)


@given(st.permutations(range(6)), stage_maps())
def test_moving_zones_about_moves_their_readings_and_nothing_else(order, stage):
    columns = [stage[:, :, i * 13 : (i + 1) * 13] for i in range(6)]
    view = np.concatenate(columns, axis=2)
    moved = np.concatenate([columns[i] for i in order], axis=2)
    aux = aux_of("building", (48, 78))
    before = pool(view, aux, WHOLE, 1, 6, NEW)
    after = pool(moved, aux, WHOLE, 1, 6, NEW)

    assert [r.percent for r in after] == pytest.approx([before[i].percent for i in order])


@given(quads(), stage_maps())
def test_a_pixel_that_got_further_never_lowers_a_percent(quad, stage):
    further = np.minimum(stage + 0.1, 1)
    before = pool(stage, aux_of("building"), quad, 2, 3, NEW)
    after = pool(further, aux_of("building"), quad, 2, 3, NEW)

    assert all(
        b.percent <= a.percent + 1e-6 for b, a in zip(before, after, strict=True) if b.percent is not None
    )


@pytest.mark.parametrize("hiding", ["scaffold_net", "machine_vehicle", "person"])
def test_a_hidden_zone_has_no_percent_and_no_stage(hiding):
    aux = aux_of("building")
    aux[:, :, 40:] = aux_of(hiding)[:, :, 40:]
    left, right = pool(np.ones((7, *SIZE), np.float32), aux, WHOLE, 1, 2, NEW)

    assert (left.percent, left.visible) == (100, 1)
    assert (right.percent, right.visible, right.stage) == (None, 0, None)


def test_hidden_pixels_do_not_colour_what_is_seen():
    stage = np.ones((7, *SIZE), np.float32)
    stage[:, :, 40:] = 0
    aux = aux_of("building")
    aux[:, :, 40:] = aux_of("scaffold_net")[:, :, 40:]
    (reading,) = pool(stage, aux, WHOLE, 1, 1, NEW)

    assert reading.percent == 100
    assert reading.visible == pytest.approx(0.5)


def test_the_part_of_a_zone_past_the_pictures_edge_is_not_visible():
    past = ((0.5, 0.0), (1.5, 0.0), (1.5, 1.0), (0.5, 1.0))
    left, right = pool(np.ones((7, *SIZE), np.float32), aux_of("building"), past, 1, 2, NEW)

    assert left.visible == pytest.approx(1)
    assert (right.visible, right.percent) == (0, None)
