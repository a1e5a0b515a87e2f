"""The building as a mesh: what must stand, what must not, and that it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.building.assemble import building
from plumbline_sim.scene.building.face import DayFace, face_of
from plumbline_sim.scene.building.pit import RING_M
from plumbline_sim.scene.building.plan import plan_of
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.families import CATALOGUES
from plumbline_sim.scene.mesh import Pattern
from plumbline_sim.scene.parts import Parts, facade_parts
from plumbline_sim.scene.presets import PRESETS
from plumbline_sim.scene.project import Project

NOON = Conditions(hour=12.0, seed=4)
WINDOW, NET = AUX_CLASSES.index("window_glazed"), AUX_CLASSES.index("scaffold_net")
TRACKS = ("new", "reno")


def project_of(seed: int, track: str, split: str = "train") -> Project:
    return Project.sample(seed, track=track, days=60, split=split)


def rows(project: Project, day: float, conditions: Conditions = NOON) -> np.ndarray:
    return building(project, day, conditions).vertices()[0]


def middles(vertices: np.ndarray) -> np.ndarray:
    """The middle of each triangle, [n, 3]."""
    return vertices["position"].reshape(-1, 3, 3).mean(axis=1)


def aux(vertices: np.ndarray) -> np.ndarray:
    return vertices["ids"][::3, 1]


@pytest.mark.parametrize("track", TRACKS)
def test_the_same_project_and_day_give_the_same_vertices(track):
    project = project_of(5, track)
    one = rows(project, 33)
    plan_of.cache_clear()
    two = rows(project_of(5, track), 33)

    assert one.tobytes() == two.tobytes()


def test_another_shot_of_the_same_day_leaves_the_walls_as_they_were():
    project = project_of(6, "reno")
    one, two = (rows(project, 40, Conditions(hour=12.0, seed=seed)) for seed in (1, 2))
    walls = [v[v["ids"][:, 1] == 0] for v in (one, two)]

    assert walls[0].tobytes() == walls[1].tobytes()


@pytest.mark.parametrize("track", TRACKS)
def test_a_building_keeps_within_its_triangles(track):
    for seed in range(12):
        project = project_of(seed, track)
        zones = project.floors * project.bays

        assert len(rows(project, 36)) / 3 <= 6000 + 140 * zones, seed


@pytest.mark.parametrize("split", ["train", "holdout"])
@pytest.mark.parametrize("track", TRACKS)
def test_every_stage_builds_with_sound_numbers(track, split):
    for seed in (1, 2, 3):
        project = project_of(seed, track, split)
        seen = set()
        for day in range(0, 61, 4):
            vertices = rows(project, day)
            seen |= set(np.unique(facade_parts(project, day).stage))
            assert np.isfinite(vertices["position"]).all()
            assert set(np.unique(vertices["ids"][:, 0])) <= {int(p) for p in Pattern}
            assert vertices["ids"][:, 1].max(initial=0) < len(AUX_CLASSES)
        assert seen == set(range(8))


def test_nothing_but_gear_stands_where_nothing_is_built():
    for seed in range(8):
        project = project_of(seed, "new")
        for day in (8, 16, 26):
            stages = project.zone_stages(day)
            vertices = rows(project, day)
            where = middles(vertices)
            for bay in range(project.bays):
                built = int((stages[:, bay] > 2.01).sum())
                over = (
                    built + 1.45
                ) * project.storey_m + 1.2  # a storey of core and forms, their bars, a guard rail
                here = (where[:, 0] > (bay + 0.15) * project.bay_m) & (
                    where[:, 0] < (bay + 0.85) * project.bay_m
                )
                alone = all(
                    (stages[:, b] > 2.01).sum() <= built
                    for b in range(max(bay - 2, 0), min(bay + 3, project.bays))
                )
                if alone:
                    assert where[here & (aux(vertices) != NET), 1].max(initial=0) <= over, (seed, day, bay)


def test_new_buildings_have_glass_only_where_windows_are_in():
    for seed in range(8):
        project = project_of(seed, "new")
        for day in (20, 32, 44):
            vertices = rows(project, day)
            glass = middles(vertices)[
                (aux(vertices) == WINDOW) & (middles(vertices)[:, 2] < 0.05) & (middles(vertices)[:, 2] > -1)
            ]
            inside = (glass[:, 0] > 0.5) & (glass[:, 0] < project.width_m - 0.5)  # not the end walls
            face = DayFace(face=plan_of(project).front, parts=facade_parts(project, day))

            # a window may stand astride the crew's edge
            assert (face.stage_at(glass[inside, 0], glass[inside, 1]) < 5).sum() <= 0.02 * inside.sum()


def test_an_untouched_new_site_is_bare_ground_within_its_footprint():
    project = project_of(3, "new")
    vertices = rows(project, 0)

    assert (vertices["ids"][:, 1] == AUX_CLASSES.index("ground")).all()
    assert vertices["position"].min() >= -project.depth_m - 1e-3
    assert vertices["position"][:, 0].max() <= project.width_m + 1e-3


def test_an_open_pit_brings_the_ground_of_its_ring():
    project = project_of(3, "new")
    day = next(d for d in range(60) if 0.3 < project.zone_stages(d)[0].max() < 1.5)
    vertices = rows(project, day)
    soil = vertices["position"][vertices["ids"][:, 1] == AUX_CLASSES.index("ground")]

    assert soil[:, [0, 2]].min(axis=0) == pytest.approx([-RING_M, -project.depth_m - RING_M], abs=1e-4)
    assert soil[:, [0, 2]].max(axis=0) == pytest.approx([project.width_m + RING_M, RING_M], abs=1e-4)


def test_the_scaffold_of_a_renovation_stands_where_the_truth_says():
    project = project_of(9, "reno")
    for day in (5, 9, 56):
        vertices = rows(project, day)
        where = middles(vertices)
        decks = where[
            (aux(vertices) == NET) & (where[:, 2] > 0.2) & (where[:, 2] < 1.2) & (where[:, 1] > 2.5)
        ]
        stages = project.zone_stages(day)
        if not ((stages > 0) & (stages < 7)).any():
            assert not len(decks)


def test_a_finished_site_has_no_scaffold_left():
    for track in TRACKS:
        for seed in range(6):
            vertices = rows(project_of(seed, track), 60)

            assert not (aux(vertices) == NET).any()


def test_parts_cut_every_wall_without_loss():
    for seed in range(5):
        project = project_of(seed, "new")
        face = plan_of(project).front
        day = DayFace(face=face, parts=facade_parts(project, 37))
        pieces = day.cut(face.walls, face.wall_zone)
        area = np.prod(pieces.rect_m[:, 2:] - pieces.rect_m[:, :2], axis=1).sum()

        assert area == pytest.approx(np.prod(face.walls[:, 2:] - face.walls[:, :2], axis=1).sum(), rel=0.01)


def test_walls_and_openings_tile_the_face():
    for preset in PRESETS["train"].values():
        face = face_of(3, 3.4, 3.0, [preset, None, preset])
        walls, holes = (np.prod(r[:, 2:] - r[:, :2], axis=1).sum() for r in (face.walls, face.openings))

        assert walls + holes == pytest.approx(face.width_m * face.height_m)


def test_a_point_knows_the_stage_of_its_part():
    face = face_of(1, 4.0, 3.0, [None, None])
    parts = Parts(
        np.array([(0, 0, 1, 3), (1, 0, 4, 3), (4, 0, 8, 3.0)]), np.array([5, 4, 2]), np.array([0, 0, 1])
    )
    stages = DayFace(face=face, parts=parts).stage_at(
        np.array([0.5, 2.0, 5.0, 9.0]), np.array([1.0, 1, 1, 1])
    )

    assert stages.tolist() == [5, 4, 2, -1]


def test_training_never_draws_a_held_out_family():
    for seed in range(25):
        for track in TRACKS:
            look = project_of(seed, track).look
            for kind, catalogue in CATALOGUES.items():
                assert getattr(look, kind) in catalogue["train"]
                assert getattr(look, kind) not in catalogue["holdout"]


def test_there_is_enough_to_choose_from():
    for kind, catalogue in CATALOGUES.items():
        if kind != "camera":
            assert len(catalogue["train"]) >= 8, kind
            assert len(catalogue["holdout"]) >= 3, kind
