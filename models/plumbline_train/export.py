"""Trained weights to the ONNX file the gateway runs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import torch

from plumbline_train.dataset import SIZE_HW
from plumbline_train.net import StageNet

OPSET: Final = 17


def export(weights: Path, target: Path) -> None:
    """Write `target` with inputs `x`, `track` and outputs `stage`, `aux`, `quality`: fp32, fixed shapes, one file."""
    net = StageNet()
    net.load_state_dict(torch.load(weights, weights_only=True)["mean"])
    net.eval()
    x, track = torch.zeros(1, 6, *SIZE_HW), torch.tensor([[1.0, 0.0]])
    target.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the tracing exporter keeps opset 17 and plain operators
        torch.onnx.export(
            net, (x, track), str(target), input_names=["x", "track"], output_names=["stage", "aux", "quality"],
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
