"""The surroundings: what stays, what moves, and where nothing may stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES, Track
from plumbline_sim.scene.around import load_facades, site_lamps, surroundings
from plumbline_sim.scene.around.people import figure, people_of
from plumbline_sim.scene.around.plot import CLEAR_M, less, plot_of
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.families import AROUND, FENCES, NEIGHBOURS
from plumbline_sim.scene.mesh import Mesh
from plumbline_sim.scene.project import Project

PERSON, MACHINE, VEGETATION = (
    AUX_CLASSES.index(name) for name in ("person", "machine_vehicle", "vegetation")
)
SITES: list[tuple[int, Track]] = [(1, "new"), (2, "reno"), (3, "new"), (4, "reno")]


def _project(seed: int, track: Track) -> Project:
    return Project.sample(seed, track=track, days=100)


def _around(project: Project, day: float = 45, *, shot: int = 1, season: str = "summer") -> Mesh:
    conditions = Conditions(season=season)  # type: ignore[arg-type]
    return surroundings(
        project, day, conditions, np.random.default_rng(project.seed), np.random.default_rng(shot)
    )


def _rows(mesh: Mesh) -> NDArray[Any]:
    return mesh.vertices()[0]


def _standing(rows: NDArray[Any]) -> NDArray[Any]:
    """The faces of what can only belong to the place: not people, not vehicles."""
    return rows[~np.isin(rows["ids"][:, 1], (PERSON, MACHINE))]


@pytest.mark.parametrize(("seed", "track"), SITES)
def test_the_place_is_the_same_on_two_days(seed: int, track: Track) -> None:
    project = _project(seed, track)
    first, later = _rows(_around(project, 0, shot=5)), _rows(_around(project, 60, shot=6))

    assert _standing(first).tobytes() == _standing(later).tobytes()


def test_people_and_vehicles_differ_from_shot_to_shot() -> None:
    project = _project(1, "new")
    one, two = _rows(_around(project, shot=1)), _rows(_around(project, shot=2))

    assert one[one["ids"][:, 1] == MACHINE].tobytes() != two[two["ids"][:, 1] == MACHINE].tobytes()
    assert one[one["ids"][:, 1] == PERSON].tobytes() != two[two["ids"][:, 1] == PERSON].tobytes()


def test_the_same_seeds_give_the_same_mesh() -> None:
    project = _project(2, "reno")

    assert _rows(_around(project)).tobytes() == _rows(_around(project)).tobytes()


@pytest.mark.parametrize(("seed", "track"), SITES)
def test_nothing_stands_in_the_footprint(seed: int, track: Track) -> None:
    """People may stand on slabs and lifts; a jib or a boom may pass high above."""
    project = _project(seed, track)
    rows = _rows(_around(project))
    middle = rows["position"].reshape(-1, 3, 3).mean(axis=1)
    aux = rows["ids"][::3, 1]
    inside = (middle[:, 0] > 0.2) & (middle[:, 0] < project.width_m - 0.2)
    inside &= (middle[:, 2] > -project.depth_m + 0.2) & (middle[:, 2] < -0.2)

    assert not (inside & (aux != PERSON) & (middle[:, 1] < 1.5)).any()


@pytest.mark.parametrize(("seed", "track"), SITES)
def test_only_people_come_close_to_the_facade(seed: int, track: Track) -> None:
    project = _project(seed, track)
    rows = _rows(_around(project))
    position, aux = rows["position"], rows["ids"][:, 1]
    close = (
        (position[:, 0] > 0)
        & (position[:, 0] < project.width_m)
        & (position[:, 2] > 0)
        & (position[:, 2] < CLEAR_M - 0.1)
    )
    close &= (position[:, 1] > 0.3) & (position[:, 1] < project.height_m)

    assert not (close & ~np.isin(aux, (PERSON, MACHINE))).any()
    assert not (close & (aux == MACHINE) & (position[:, 1] < 2.0)).any()


def test_people_are_between_1_6_and_1_9_m_tall() -> None:
    tall = []
    for seed in range(6):
        project = _project(seed, "new")
        plot = plot_of(project, np.random.default_rng(seed))
        for person in people_of(project, plot, 45, np.random.default_rng(seed)):
            if person.pose != "stoop":
                faces, _ = figure(person)
                tall.append(
                    float(faces[..., 1][..., :].max() - person.at[1])
                    if person.pose != "reach"
                    else person.tall_m
                )

    assert len(tall) > 10
    assert 1.6 <= min(tall) <= max(tall) <= 1.91


def test_every_person_and_vehicle_has_a_number_of_its_own() -> None:
    project = _project(1, "new")
    rows = _rows(_around(project, shot=8))
    number = rows["ids"][:, 2].astype(int) + 256 * rows["ids"][:, 3].astype(int)
    people = rows["ids"][:, 1] == PERSON
    spread = [
        np.ptp(rows["position"][people & (number == n)], axis=0).max() for n in np.unique(number[people])
    ]

    assert number[people].min() > 0
    assert max(spread) < 2.5
    assert not set(number[people].tolist()) & set(number[rows["ids"][:, 1] == MACHINE].tolist()) - {0}


@pytest.mark.parametrize(("seed", "track"), SITES)
def test_faces_have_known_classes_unit_normals_and_stay_in_budget(seed: int, track: Track) -> None:
    rows = _rows(_around(_project(seed, track), season="winter"))

    assert rows["ids"][:, 1].max() < len(AUX_CLASSES)
    assert np.isfinite(rows["position"]).all()
    assert len(rows) // 3 < 35_000


def test_held_out_kinds_are_never_drawn_for_training() -> None:
    for kind in AROUND.values():
        assert not set(kind["train"]) & set(kind["holdout"])
    trained = {wall for block in NEIGHBOURS["train"].values() for wall in block.walls}
    held = {wall for block in NEIGHBOURS["holdout"].values() for wall in block.walls}
    fences = ({c for _, colours in FENCES[split].values() for c in colours} for split in ("train", "holdout"))

    assert not trained & held
    assert not set.intersection(*fences)


def test_a_training_site_is_built_without_looking_at_held_out_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in AROUND.values():
        monkeypatch.delitem(kind, "holdout")
    project = _project(77, "new")

    assert len(_rows(_around(project))) > 1000


def test_trees_stand_bare_in_winter_but_in_the_same_places() -> None:
    project = _project(2, "reno")
    summer, winter = (_rows(_around(project, season=season)) for season in ("summer", "winter"))
    places = [{tuple(p) for p in np.round(rows["position"][(rows["ids"][:, 1] == VEGETATION) & (rows["position"][:, 1] < -0.05)], 0).tolist()}
              for rows in (summer, winter)]  # fmt: skip

    assert (
        summer[summer["ids"][:, 1] == VEGETATION].tobytes()
        != winter[winter["ids"][:, 1] == VEGETATION].tobytes()
    )
    assert places[0] & places[1]


_SPAN = st.tuples(st.integers(-20, 20), st.integers(1, 20))


@given(x=_SPAN, z=_SPAN, hole_x=_SPAN, hole_z=_SPAN)
def test_a_rectangle_less_a_hole_keeps_just_the_rest_of_its_area(
    x: tuple[int, int], z: tuple[int, int], hole_x: tuple[int, int], hole_z: tuple[int, int]
) -> None:
    pieces = less((x[0], z[0], sum(x), sum(z)), ((hole_x[0], hole_z[0], sum(hole_x), sum(hole_z)),))
    across = max(0, min(sum(x), sum(hole_x)) - max(x[0], hole_x[0]))
    along = max(0, min(sum(z), sum(hole_z)) - max(z[0], hole_z[0]))

    assert sum((x1 - x0) * (z1 - z0) for x0, z0, x1, z1 in pieces) == pytest.approx(
        x[1] * z[1] - across * along
    )


def test_no_photos_in_an_empty_folder(tmp_path: Any) -> None:
    assert load_facades(tmp_path) is None


def test_lamps_stand_before_the_facade() -> None:
    lamps = [lamp for seed in range(12) for lamp in site_lamps(_project(seed, "new"))]

    assert lamps
    assert all(z > CLEAR_M and reach > 0 for _, _, z, reach in lamps)
