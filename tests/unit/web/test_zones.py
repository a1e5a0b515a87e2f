import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.messages import Facade, ZoneProgress
from plumbline_central.web.zones import all_shapes, zone_shapes
from plumbline_edge.vision.zones import zone_corners, zone_ids

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def zone(name, percent=50.0, stage=3):
    return ZoneProgress(id=name, percent=percent, low=None, high=None, visible=1.0, stage=stage)


def corners_of(shape):
    return [tuple(float(part) for part in point.split(",")) for point in shape.points.split()]


def test_the_first_zone_is_the_ground_floors_left_bay():
    (shape,) = zone_shapes(SQUARE, (2, 4), [zone("f1b1")], 400, 200)

    assert corners_of(shape) == [(0, 100), (100, 100), (100, 200), (0, 200)]
    assert (shape.x, shape.y) == (50, 150)


@given(
    st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=4, max_size=4),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_zones_lie_where_the_gateway_measured_them(shifts, floors, bays):
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    quad = tuple((x + dx, y + dy) for (x, y), (dx, dy) in zip(corners, shifts, strict=True))
    names = zone_ids(floors, bays)
    shapes = zone_shapes(quad, (floors, bays), [zone(name) for name in names], 1000, 500)
    measured = zone_corners(quad, floors, bays) * (1000, 500)

    assert list(names) == [shape.id for shape in shapes]
    for shape, expected in zip(shapes, measured, strict=True):
        for got, want in zip(corners_of(shape), expected, strict=True):
            assert got == pytest.approx(tuple(want), abs=0.06)


@pytest.mark.parametrize(
    ("quad", "grid"),
    [
        ((), (2, 2)),
        (SQUARE[:3], (2, 2)),
        (SQUARE[::-1], (2, 2)),
        (((0, 0), (1, 1), (1, 0), (0, 1)), (2, 2)),
        (SQUARE, (0, 0)),
        (SQUARE, (-2, -2)),
        (SQUARE, (10_000, 10_000)),
    ],
)
def test_what_is_no_facade_draws_nothing(quad, grid):
    assert zone_shapes(quad, grid, [zone("f1b1")], 400, 200) == []


@pytest.mark.parametrize("name", ["", "roof", "f0b1", "f3b1", "f1b5", "f1b1<script>"])
def test_a_zone_outside_the_grid_is_left_out(name):
    assert zone_shapes(SQUARE, (2, 4), [zone(name)], 400, 200) == []


def test_each_of_several_facades_gets_its_own_zones():
    left, right = (Facade(name=name, quad=SQUARE, grid=(1, 2)) for name in ("left", "right"))
    zones = [zone(name) for name in ("left.f1b1", "left.f1b2", "right.f1b1", "other.f1b1", "f1b1")]
    shapes = all_shapes((), (0, 0), (left, right), zones, 400, 200)

    assert [shape.id for shape in shapes] == ["left.f1b1", "left.f1b2", "right.f1b1"]


def test_the_only_facade_needs_no_name():
    assert [s.id for s in all_shapes(SQUARE, (1, 1), (), [zone("f1b1")], 400, 200)] == ["f1b1"]


@given(st.floats(0, 100))
def test_every_percent_has_one_of_five_levels(percent):
    (shape,) = zone_shapes(SQUARE, (1, 1), [zone("f1b1", percent)], 10, 10)

    assert shape.level in range(5)
