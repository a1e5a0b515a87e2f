from __future__ import annotations

import hashlib

import numpy as np
import pytest

from plumbline.errors import ConfigError, Refused
from plumbline_edge.vision.model import MAX_MODEL_BYTES, load, read_card

INPUTS = {"x": (1, 6, 32, 48), "track": (1, 2)}


def outputs(**changed):
    stage = np.linspace(1, 0, 7, dtype=np.float32).reshape(1, 7, 1, 1) * np.ones((1, 7, 8, 12), np.float32)
    usual = {
        "stage": stage,
        "aux": np.full((1, 9, 8, 12), 1 / 9, np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    return usual | changed


@pytest.fixture
def folder(tmp_path, constant_model):
    """Writes a model folder whose card fits, unless told otherwise."""

    def write(inputs=INPUTS, content=None, card=None, **changed):
        content = constant_model(inputs, outputs(**changed)) if content is None else content
        (tmp_path / "model.onnx").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        text = f'name = "tiny"\nversion = "1.2.0"\nsha256 = "{digest}"\n[interval_pp]\nnew = 4.5\nreno = 9\n[zone_interval_pp]\nnew = 6\nreno = 12\n'
        (tmp_path / "card.toml").write_text(text if card is None else card)
        return tmp_path

    return write


def test_a_model_that_fits_its_card_runs(folder):
    model = load(folder())
    got = model.run(np.zeros((1, 6, *model.size_hw), np.float32), "reno")

    assert model.size_hw == (32, 48)
    assert (got.stage.shape, got.aux.shape, got.quality.shape) == ((7, 8, 12), (9, 8, 12), (6,))
    assert model.card.id == f"tiny-1.2.0-{model.card.sha256[:8]}"
    assert (model.card.interval_pp, model.card.zone_interval_pp) == (
        {"new": 4.5, "reno": 9},
        {"new": 6, "reno": 12},
    )


@pytest.mark.parametrize("name", ["stage", "aux", "quality"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.5, 7.0])
def test_outputs_that_are_no_probabilities_are_refused(folder, name, wrong):
    values = outputs()[name].copy()
    values.flat[3] = wrong
    model = load(folder(**{name: values}))

    with pytest.raises(Refused, match=f"{name} holds no probabilities"):
        model.run(np.zeros((1, 6, 32, 48), np.float32), "new")


def test_a_picture_of_the_wrong_size_is_refused(folder):
    model = load(folder())

    with pytest.raises(Refused, match="the model failed"):
        model.run(np.zeros((1, 6, 16, 16), np.float32), "new")


@pytest.mark.parametrize(
    ("inputs", "changed"),
    [
        (INPUTS | {"x": (1, 3, 32, 48)}, {}),
        (INPUTS | {"x": (1, 6, 32, 52)}, {}),
        ({"x": (1, 6, 32, 48)}, {}),
        (INPUTS | {"more": (1, 1)}, {}),
        (INPUTS, {"stage": np.zeros((1, 8, 8, 12), np.float32)}),
        (INPUTS, {"aux": np.zeros((1, 9, 4, 6), np.float32)}),
        (INPUTS, {"quality": np.zeros((1, 5), np.float32)}),
    ],
)
def test_a_model_of_other_shapes_is_refused(folder, inputs, changed):
    with pytest.raises(Refused, match="not those of a stage model"):
        load(folder(inputs, **changed))


def test_a_changed_byte_is_refused(folder):
    where = folder()
    content = bytearray((where / "model.onnx").read_bytes())
    content[-40] ^= 1
    (where / "model.onnx").write_bytes(content)

    with pytest.raises(Refused, match="the card says"):
        load(where)


def test_a_file_that_is_no_model_is_refused(folder):
    with pytest.raises(Refused, match="not a model"):
        load(folder(content=b"\x08\x08 nonsense"))


def test_a_model_over_the_size_limit_is_refused_unread(folder):
    with pytest.raises(Refused, match="over 8000000"):
        load(folder(content=bytes(MAX_MODEL_BYTES + 1)))


def test_a_missing_model_or_card_is_a_config_error(folder, tmp_path):
    where = folder()
    (where / "model.onnx").unlink()

    with pytest.raises(ConfigError, match=r"model\.onnx"):
        load(where)
    with pytest.raises(ConfigError, match=r"card\.toml"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "card", ["name = 3 =", 'name = "x"', 'name="x"\nversion="1"\nsha256="0"\ninterval_pp="wide"']
)
def test_a_faulty_card_is_a_config_error(folder, card):
    with pytest.raises(ConfigError, match=r"card\.toml"):
        load(folder(card=card))


def test_the_card_can_be_read_whole(folder):
    assert read_card(folder())["version"] == "1.2.0"
