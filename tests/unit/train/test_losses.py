"""Each loss is least where the net is right, and says nothing of what cannot be seen."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not here; see requirements-train.lock")

from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES  # noqa: E402
from plumbline_edge.vision.view import CANVAS_QUAD  # noqa: E402
from plumbline_edge.vision.zones import pool as gateway_pool  # noqa: E402
from plumbline_train.dataset import MAX_ZONES, UNKNOWN  # noqa: E402
from plumbline_train.losses import Weights, losses, pair_losses, pool, truth  # noqa: E402

SIZE = (64, 80)
NET, BUILDING, PERSON = (AUX_CLASSES.index(name) for name in ("scaffold_net", "building", "person"))


def a_batch(stages=(3, 5), *, percents=None, days=(10.0, 50.0), aux=BUILDING, camera=(1, 1)):
    """Renovations whose whole facade is at one stage each, two floors by two bays."""
    size = len(stages)
    batch = {
        "stage": torch.full((size, 128, 160), UNKNOWN, dtype=torch.uint8),
        "aux": torch.full((size, 128, 160), aux, dtype=torch.uint8),
        "percent": torch.zeros(size, MAX_ZONES), "weight": torch.zeros(size, MAX_ZONES),
        "quality": torch.zeros(size, 6), "floors": torch.full((size,), 2), "bays": torch.full((size,), 2),
        "camera": torch.tensor(camera), "day": torch.tensor(days), "track": torch.eye(2)[[1] * size],
    }  # fmt: skip
    for index, stage in enumerate(stages):
        batch["stage"][index, 20:116, 16:144] = stage
        batch["percent"][index, :4] = DEFAULT_VALUES["reno"][stage] if percents is None else percents[index]
        batch["weight"][index, :4] = 0.25
    return batch


def saying(stages):
    """Logits of a net that is sure of these stages."""
    logits = torch.full((len(stages), 7, 64, 80), 12.0)
    for index, stage in enumerate(stages):
        logits[index, stage:] = -12.0
    return logits


def told(stages, batch, aux=BUILDING):
    classes = torch.zeros(len(stages), 9, 64, 80)
    classes[:, aux] = 12.0
    return losses(saying(stages), classes, torch.full((len(stages), 6), -12.0), batch, Weights())


def test_a_net_that_is_right_loses_next_to_nothing():
    found = told((3, 5), a_batch())

    assert float(sum(found.values())) < 0.05


@pytest.mark.parametrize("name", ["stage", "zone", "project"])
def test_two_stages_off_costs_more_than_one(name):
    batch = a_batch()
    right, one, two = (told(stages, batch)[name] for stages in ((3, 5), (2, 5), (1, 5)))

    assert right < one < two


def test_what_a_net_hides_is_asked_of_nobody():
    found = told((0, 0), a_batch(aux=NET), aux=NET)

    assert found["stage"] == found["zone"] == found["project"] == 0


def test_a_missed_person_costs_more_than_a_missed_wall():
    person, wall = a_batch(), a_batch()
    for batch, kind in ((person, PERSON), (wall, BUILDING)):
        batch["aux"][:] = AUX_CLASSES.index("ground")
        batch["aux"][:, 60:64, 60:64] = kind
    ground = AUX_CLASSES.index("ground")

    assert told((3, 5), person, aux=ground)["aux"] > 1.5 * told((3, 5), wall, aux=ground)["aux"]


def test_a_fault_nobody_labelled_is_not_asked_for():
    batch = a_batch()
    batch["quality"][:] = -1

    assert told((3, 5), batch)["quality"] == 0


def test_zones_are_pooled_as_the_gateway_pools_them():
    batch = a_batch((3, 5))
    batch["stage"][0, 60:, 16:80] = 1
    batch["aux"][0, 20:60, 80:144] = NET
    reached = torch.rand(2, 7, 64, 80, generator=torch.Generator().manual_seed(3)).cumprod(1)
    zones = pool(reached, truth(batch, SIZE), batch)
    aux = truth(batch, SIZE).aux
    gateway = gateway_pool(reached[0].numpy(), aux[0].numpy(), CANVAS_QUAD, 2, 2, DEFAULT_VALUES["reno"])

    assert zones.seen[0, :4].tolist() == [float(zone.percent is not None) for zone in gateway] == [1, 1, 1, 0]
    for index in (0, 1, 2):
        assert 100 * float(zones.said[0, index]) == pytest.approx(gateway[index].percent, abs=0.6)


def test_a_later_day_judged_less_far_is_told_so():
    batch = a_batch((3, 5))
    ordered, swapped = (
        pair_losses(pool(saying(stages).sigmoid().cumprod(1), truth(batch, SIZE), batch), batch)[0]
        for stages in ((3, 5), (5, 3))
    )

    assert ordered == 0
    assert swapped > 0.3


def test_one_day_in_two_lights_must_look_alike():
    batch = a_batch((4, 4), days=(20.0, 20.0))
    alike, apart = (
        pair_losses(pool(saying(stages).sigmoid().cumprod(1), truth(batch, SIZE), batch), batch)
        for stages in ((4, 4), (4, 6))
    )

    assert alike[1] < 1e-3
    assert apart[1] > 0.2
    assert apart[0] == 0


@pytest.mark.parametrize("change", ["camera", "fault"])
def test_other_cameras_and_spoiled_pictures_are_not_compared(change):
    batch = a_batch((3, 5))
    if change == "camera":
        batch["camera"] = torch.tensor([1, 2])
    else:
        batch["quality"][1, 0] = 1.0
    zones = pool(saying((5, 3)).sigmoid().cumprod(1), truth(batch, SIZE), batch)

    assert [float(part) for part in pair_losses(zones, batch)] == [0.0, 0.0]


def test_losses_have_finite_gradients_at_certainty():
    logits = (saying((0, 7)) * 4).requires_grad_()
    aux, quality = torch.zeros(2, 9, 64, 80, requires_grad=True), torch.zeros(2, 6, requires_grad=True)
    sum(losses(logits, aux, quality, a_batch((7, 0)), Weights()).values()).backward()

    assert all(bool(part.grad.isfinite().all()) for part in (logits, aux, quality))


def test_a_coarse_look_is_told_the_same_truth():
    batch = a_batch((2, 6))
    fine, coarse = truth(batch, SIZE), truth(batch, (32, 40))

    assert torch.allclose(torch.nn.functional.avg_pool2d(fine.visible[:, None], 2)[:, 0], coarse.visible)
    assert (coarse.reached.sum(1).amax((1, 2)) == torch.tensor([2.0, 6.0])).all()


def test_of_a_photo_that_the_gate_refuses_no_stage_is_asked():
    batch = a_batch()
    batch["quality"][:, 0] = 1.0
    found = told((7, 0), batch)

    assert all(float(found[name]) == 0 for name in ("stage", "zone", "project", "ranking", "consistency"))
    assert float(found["quality"]) > 1
