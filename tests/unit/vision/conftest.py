from __future__ import annotations

import onnx_by_hand
import pytest


@pytest.fixture
def constant_model():
    return onnx_by_hand.constant_model
