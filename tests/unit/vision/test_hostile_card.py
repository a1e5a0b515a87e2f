"""A card or model made to lie: refused with a sentence, no percent made of it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from onnx_by_hand import constant_model

from plumbline.errors import ConfigError, Refused
from plumbline_edge.config import load_cameras
from plumbline_edge.vision.model import Model, load

MAPS = {
    "stage": np.ones((1, 7, 8, 12), np.float32),
    "aux": np.full((1, 9, 8, 12), 1 / 9, np.float32),
    "quality": np.zeros((1, 6), np.float32),
}


def model_folder(folder, *, site="4.5", zone="6", more=""):
    content = constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, MAPS)
    (folder / "model.onnx").write_bytes(content)
    (folder / "card.toml").write_text(
        f'name = "tiny"\nversion = "1"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        f"[interval_pp]\nnew = {site}\nreno = 9\n[zone_interval_pp]\nnew = {zone}\nreno = 12\n{more}"
    )
    return folder


@pytest.mark.parametrize("width", ["-4.5", "inf", "nan", "-inf", "1e309"])
def test_an_interval_that_is_none_is_refused(tmp_path, width):
    with pytest.raises(ConfigError, match="intervals of new"):
        load(model_folder(tmp_path, site=width))
    with pytest.raises(ConfigError, match="intervals of new"):
        load(model_folder(tmp_path, zone=width))


@pytest.mark.parametrize("limit", ["nan", "inf", "-0.1", "1.5"])
def test_a_quality_limit_that_no_photo_could_pass_or_fail_is_refused(tmp_path, limit):
    with pytest.raises(ConfigError, match="quality_limits"):
        load(model_folder(tmp_path, more=f"[quality_limits]\ndark = {limit}\n"))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("stage", (1, 7, 1, 1)), ("aux", (1, 9, 8, 13)), ("quality", (1, 0)), ("quality", (6,))],
)
def test_outputs_of_another_shape_than_the_model_declares_are_refused(tmp_path, name, shape):
    class Session:
        """An operator with a shape that only shows when it runs: onnxruntime warns and hands it on."""

        def run(self, names, given):
            return [np.zeros(shape if one == name else MAPS[one].shape, np.float32) for one in names]

    card = load(model_folder(tmp_path)).card
    with pytest.raises(Refused, match="other shapes"):
        Model(card, Session(), (32, 48)).run(np.zeros((1, 6, 32, 48), np.float32), "new")


def test_weights_below_zero_are_no_shares_even_where_they_add_up(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(
        'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n[[cameras]]\nname = "east"\nurl = "http://127.0.0.1/a.jpg"\n'
        'track = "new"\nquad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]\nfloors = 1\nbays = 2\nweights = [[2, -1]]\n'
    )
    with pytest.raises(ConfigError, match="none of them negative"):
        load_cameras(path)
