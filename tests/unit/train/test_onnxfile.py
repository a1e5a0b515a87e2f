"""An ONNX file read byte by byte: operators, weights, multiply-adds; files written by hand and the one we ship."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_train import onnxfile
from plumbline_train.onnxfile import _number, _packed


def whole(field, number):
    return _number(field << 3) + _number(number)


def ints(name, values):
    packed = b"".join(whole(8, v) for v in values)
    return _packed(5, _packed(1, name.encode()) + packed + whole(20, 7))


def node(op, inputs, output, *attributes):
    names = b"".join(_packed(1, name.encode()) for name in inputs)
    return _packed(1, names + _packed(2, output.encode()) + _packed(4, op.encode()) + b"".join(attributes))


def weight(name, shape):
    dims = b"".join(whole(1, n) for n in shape)
    raw = np.zeros(shape, np.float32).tobytes()
    return _packed(5, dims + whole(2, 1) + _packed(8, name.encode()) + _packed(9, raw))


def value(field, name, shape):
    dims = b"".join(_packed(1, whole(1, n)) for n in shape)
    kind = _packed(1, whole(1, 1) + _packed(2, dims))
    return _packed(field, _packed(1, name.encode()) + _packed(2, kind))


def model(*parts):
    return (
        whole(1, 8)
        + _packed(7, b"".join(parts) + _packed(2, b"g"))
        + _packed(8, _packed(1, b"") + whole(2, 17))
    )


def test_a_convolution_costs_its_kernel_at_every_output_pixel():
    content = model(
        node("Conv", ["x", "w"], "y", ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])),
        weight("w", (8, 3, 3, 3)), value(11, "x", (1, 3, 16, 20)), value(12, "y", (1, 8, 8, 10)),
    )  # fmt: skip

    assert onnxfile.multiply_adds(content) == 8 * 8 * 10 * 3 * 3 * 3


def test_a_matrix_product_inside_the_graph_is_counted_by_its_measured_shape():
    content = model(
        node("Relu", ["x"], "inner"), node("MatMul", ["inner", "w"], "product"), node("Relu", ["product"], "y"),
        weight("w", (6, 4)), value(11, "x", (5, 6)), value(12, "y", (5, 4)),
    )  # fmt: skip

    assert onnxfile.multiply_adds(content) == 5 * 6 * 4


def test_what_only_moves_or_scales_numbers_costs_nothing():
    content = model(node("Relu", ["x"], "y"), value(11, "x", (5, 6)), value(12, "y", (5, 6)))

    assert onnxfile.multiply_adds(content) == 0


def test_operators_and_weights_are_told_by_name_and_type():
    graph = onnxfile.read(model(node("MatMul", ["x", "w"], "y"), weight("w", (6, 4))))

    assert graph.opsets == {"": 17}
    assert [(n.op, n.domain, n.inputs, n.outputs) for n in graph.nodes] == [
        ("MatMul", "", ("x", "w"), ("y",))
    ]
    assert graph.weights["w"].shape == (6, 4)
    assert not graph.weights["w"].is_external


@given(st.binary(max_size=60))
def test_bytes_that_are_no_model_are_a_value_error_or_an_empty_graph(content):
    try:
        graph = onnxfile.read(content)
    except ValueError:
        return
    assert all(isinstance(n.op, str) for n in graph.nodes)


def test_a_file_cut_short_is_a_value_error(shipped):
    with pytest.raises(ValueError, match="ends inside a field"):
        onnxfile.read(shipped.read_bytes()[:-10])
