"""One photo by hand: what the gateway would make of it, and what to do about it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx_by_hand
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES
from plumbline_edge.camera.cli import app
from plumbline_edge.vision.model import shipped_folder


@pytest.fixture
def taken(tmp_path, paint):
    """Runs the command on a site whose camera is a folder with one photo; exit code and output."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (tmp_path / "elsewhere").mkdir()

    def run(image, *options, model=None, name="east"):
        if image is not None:
            (photos / "20260501-1000.jpg").write_bytes(paint.jpeg(image))
        site = tmp_path / "site.toml"
        site.write_text(
            'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n'
            f'[model]\nfolder = "{model or shipped_folder()}"\n'
            '[[cameras]]\nname = "east"\nfolder = "photos"\ntrack = "new"\nfloors = 2\nbays = 3\n'
            f"quad = {[list(corner) for corner in paint.quad]}\n",
            encoding="utf-8",
        )
        result = CliRunner().invoke(
            app, ["--site", str(site), "--camera", name, *options], catch_exceptions=False
        )
        return result.exit_code, result.output

    return run


@pytest.fixture
def certain(tmp_path):
    """A model that finds a person before the middle of the facade, and no works."""
    aux = np.zeros((9, 64, 80), np.float32)
    aux[AUX_CLASSES.index("building")] = 1
    aux[AUX_CLASSES.index("person"), 25:40, 30:50] = 1
    return onnx_by_hand.stage_model_folder(
        tmp_path / "model", stage=np.full((7, 64, 80), 0.01, np.float32), aux=aux
    )


def test_a_usable_photo_is_said_to_be_one_and_only_its_masked_preview_is_written(
    taken, paint, certain, tmp_path
):
    image = paint.facade()
    image[170:190, 300:340] = paint.magenta
    code, said = taken(image, "--save", str(tmp_path / "elsewhere" / "masked.jpg"), model=certain)
    masked = cv2.imread(str(tmp_path / "elsewhere" / "masked.jpg"))

    assert code == 0
    assert "1 of 640 x 360" in said
    assert "the facade can be judged" in said
    assert masked.shape == (360, 640, 3)
    assert np.unique(masked[172:188, 305:335].reshape(-1, 3), axis=0).std(axis=0).max() < 8
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "elsewhere", "model", "site.toml"}


def test_a_dark_photo_is_explained_and_nothing_is_saved(taken, paint, tmp_path):
    image = (paint.facade() * 0.05).astype(np.uint8)
    code, said = taken(image, "--save", str(tmp_path / "masked.jpg"))

    assert code == 1
    assert "cannot be judged (DARK)" in said
    assert "→ Photograph by day" in said
    assert "without a mask no picture leaves" in said
    assert not (tmp_path / "masked.jpg").exists()


def test_without_a_model_nothing_is_saved(taken, paint, tmp_path):
    code, said = taken(paint.facade(), "--save", str(tmp_path / "masked.jpg"), model=tmp_path / "elsewhere")

    assert (code, "(MODEL)" in said) == (1, True)
    assert not (tmp_path / "masked.jpg").exists()


def test_a_camera_that_gives_nothing_says_why_and_what_to_do(taken):
    code, said = taken(None, "--json")
    facts = json.loads(said)

    assert code == 1
    assert (facts["gate"], facts["frames"], facts["source"]) == (["NO_PHOTO"], [], "folder")
    assert "no photo in it" in facts["why"]
    assert facts["hint"]


def test_an_unknown_camera_is_named_with_those_there_are(taken, paint):
    with pytest.raises(ConfigError) as told:
        taken(paint.facade(), name="west")

    assert "east" in told.value.hint
