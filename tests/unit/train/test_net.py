"""The net keeps within what a gateway can run, and its chances fall from stage to stage."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not here; see requirements-train.lock")
onnx = pytest.importorskip("onnx", reason="onnx is not here; see requirements-train.lock")

from plumbline.errors import Refused  # noqa: E402
from plumbline_edge.vision.model import MAX_MODEL_BYTES, load  # noqa: E402
from plumbline_train import export  # noqa: E402
from plumbline_train.net import StageNet, macs  # noqa: E402


@pytest.fixture(scope="module")
def net():
    """A net whose norms have seen something, so that folding them matters."""
    torch.manual_seed(1)
    made = StageNet()
    with torch.no_grad():
        made.logits(torch.rand(2, 6, 256, 320), torch.eye(2))
        made.film.weight.normal_()
    return made.eval()


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.save({"mean": net.state_dict(), "sees_day0": True, "coarse": True}, folder / "weights.pt")
    apart = export.export(folder / "weights.pt", folder / "model.onnx")
    return folder, apart


def test_a_picture_costs_at_most_a_billion_multiply_adds(net):
    assert macs(net) <= 1e9


def test_chances_fall_from_stage_to_stage_whatever_is_shown(net):
    for feed in export.trials(4):
        with torch.no_grad():
            stage, aux, quality = net(torch.from_numpy(feed["x"]), torch.from_numpy(feed["track"]))

        assert (stage[:, 1:] <= stage[:, :-1]).all()
        assert torch.allclose(aux.sum(1), torch.ones_like(aux[:, 0]), atol=1e-5)
        assert ((quality >= 0) & (quality <= 1)).all()


def test_quality_is_of_today_alone(net):
    x = torch.rand(1, 6, 256, 320)
    other = torch.cat([x[:, :3], torch.rand(1, 3, 256, 320)], 1)
    track = torch.tensor([[1.0, 0.0]])
    with torch.no_grad():
        assert torch.equal(net(x, track)[2], net(other, track)[2])
        assert not torch.equal(net(x, track)[0], net(other, track)[0])


def test_the_track_changes_what_is_said(net):
    x = torch.rand(1, 6, 256, 320)
    with torch.no_grad():
        new, reno = (net(x, track[None])[1] for track in torch.eye(2))

    assert not torch.equal(new, reno)


def test_a_net_without_day_0_does_not_see_it():
    blind = StageNet(sees_day0=False).eval()
    x = torch.rand(1, 6, 256, 320)
    other = torch.cat([x[:, :3], torch.zeros(1, 3, 256, 320)], 1)
    with torch.no_grad():
        assert torch.equal(blind(x, torch.eye(2)[:1])[0], blind(other, torch.eye(2)[:1])[0])


def test_the_file_does_what_torch_does_and_fits_the_gateway(exported):
    folder, apart = exported

    assert apart < export.PARITY
    assert (folder / "model.onnx").stat().st_size <= MAX_MODEL_BYTES
    assert not (folder / "model.tmp.onnx").exists()


def test_no_norm_is_left_in_the_file_but_the_one_over_measurements(exported):
    graph = onnx.load(str(exported[0] / "model.onnx")).graph
    norms = [node for node in graph.node if node.op_type == "BatchNormalization"]

    assert len(norms) <= 1
    assert {node.domain for node in graph.node} == {""}


def test_the_gateway_loads_it_once_it_has_a_card(exported):
    folder = exported[0]
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "card.toml").write_text(
        f'name = "t"\nversion = "0"\nsha256 = "{digest}"\n[interval_pp]\nnew = 1\nreno = 1\n'
        "[zone_interval_pp]\nnew = 1\nreno = 1\n",
        encoding="utf-8",
    )
    model = load(folder)
    feed = export.trials(1)[0]

    assert model.size_hw == (256, 320)
    assert model.run(feed["x"], "reno").stage.shape == (7, 64, 80)


def test_a_file_that_differs_from_torch_is_refused(exported):
    asked = export.trials(1)
    wrong = [[np.zeros((1, 7, 64, 80)), np.zeros((1, 9, 64, 80)), np.zeros((1, 6))]]
    with pytest.raises(Refused, match="away from torch"):
        export._checked(exported[0] / "model.onnx", asked, wrong)
