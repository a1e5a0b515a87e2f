from __future__ import annotations

import numpy as np

from plumbline_edge.vision.model import Outputs
from plumbline_edge.vision.witness import Witness


class Seer:
    """A model that sees a person at the left."""

    card = "card"
    size_hw = (32, 48)

    def run(self, x, track):
        aux = np.zeros((9, 8, 12), np.float32)
        aux[0, :, 4:] = aux[8, :, :4] = 1
        return Outputs(stage=np.ones((7, 8, 12), np.float32), aux=aux, quality=np.zeros(6, np.float32))


def canvas(seed, *, day0=True):
    x = np.random.default_rng(seed).random((1, 6, 32, 48)).astype(np.float32)
    if not day0:
        x[0, 3:] = 0
    return x


def test_what_the_model_was_shown_and_saw_is_kept_once():
    witness = Witness(Seer)
    model = witness()
    outputs = model.run(canvas(1), "new")
    (look,) = witness.looks()

    assert (model.card, model.size_hw) == ("card", (32, 48))
    assert np.array_equal(look.stage, outputs.stage)
    assert look.day0 is not None
    assert witness.looks() == ()


def test_a_facade_judged_twice_counts_with_the_second_and_two_facades_with_both():
    witness = Witness(Seer)
    model = witness()
    first, again = canvas(1, day0=False), canvas(1)
    again[0, :3] = first[0, :3]
    for x in (first, canvas(2, day0=False), again, canvas(2, day0=False)):
        model.run(x, "new")
    one, two = witness.looks()

    assert one.day0 is not None
    assert two.day0 is None


def test_nothing_of_the_photo_itself_is_kept():
    witness = Witness(Seer)
    witness().run(canvas(3, day0=False), "new")
    (look,) = witness.looks()

    assert set(look.__slots__) == {"day0", "stage", "aux"}
    assert look.day0 is None


def test_what_the_model_is_shown_later_does_not_change_what_was_kept():
    witness = Witness(Seer)
    x = canvas(4)
    witness().run(x, "new")
    x[:] = 0

    assert witness.looks()[0].day0.any()
