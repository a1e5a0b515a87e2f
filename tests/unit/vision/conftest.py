from __future__ import annotations

import onnx_bytes
import pytest


@pytest.fixture
def constant_model():
    return onnx_bytes.constant_model
