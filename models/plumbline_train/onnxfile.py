"""What stands in an ONNX file, read without the onnx library: operators, element types, multiply-adds.

Field numbers are those of onnx.proto3 (github.com/onnx/onnx). A machine that runs the model has onnxruntime and no onnx.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

FLOAT: Final = 1
"""TensorProto.FLOAT: what every weight of ours is."""
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_EXTERNAL: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator; `domain` is empty for those of the standard."""

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    whole_numbers: dict[str, int]
    """Its attributes that are one whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One stored tensor."""

    shape: tuple[int, ...]
    element: int
    is_external: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """An ONNX file's contents; `opsets` maps domain to version, the standard's domain is empty."""

    opsets: dict[str, int]
    nodes: tuple[Node, ...]
    weights: dict[str, Weight]


def read(content: bytes) -> Graph:
    """The graph in an ONNX file's bytes. Raises ValueError where they are none."""
    opsets: dict[str, int] = {}
    nodes: list[Node] = []
    weights: dict[str, Weight] = {}
    for number, value in _fields(content):
        if number == 8:
            fields = dict(_fields(value))
            opsets[_text(fields.get(1, b""))] = _count(fields.get(2, 0))
        elif number == 7:
            for part, inner in _fields(value):
                if part == 1:
                    nodes.append(_node(inner))
                elif part == 5:
                    name, weight = _weight(inner)
                    weights[name] = weight
    return Graph(opsets=opsets, nodes=tuple(nodes), weights=weights)


def multiply_adds(content: bytes) -> int:
    """Multiply-adds of one run at the file's own input size: convolutions and matrix products, nothing else.

    Shapes are not inferred but measured: the file is run once on zeros with every such operator's ends as outputs.
    """
    graph = read(content)
    heavy = [node for node in graph.nodes if node.op in {"Conv", "ConvTranspose", "Gemm", "MatMul"}]
    wanted = {name for node in heavy for name in (*node.inputs[:2], *node.outputs) if name}
    shapes = _measured(content, wanted - set(graph.weights))
    shapes |= {name: weight.shape for name, weight in graph.weights.items()}
    return sum(_cost(node, shapes) for node in heavy)


def _cost(node: Node, shapes: dict[str, tuple[int, ...]]) -> int:
    source, weight = shapes[node.inputs[0]], shapes[node.inputs[1]]
    out = shapes[node.outputs[0]]
    if node.op == "Conv":
        return math.prod(out) * math.prod(weight[1:])
    if node.op == "ConvTranspose":
        return math.prod(source) * math.prod(weight[1:])
    inner = source[0] if node.op == "Gemm" and node.whole_numbers.get("transA") else source[-1]
    return math.prod(out) * inner


def _measured(content: bytes, names: set[str]) -> dict[str, tuple[int, ...]]:
    """The shapes that these inner values have in a run on zeros."""
    import onnxruntime as ort  # noqa: PLC0415 - 50 MB, only where a model is weighed

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    plain = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = {i.name: np.zeros(i.shape, np.float32) for i in plain.get_inputs()}
    known = {o.name for o in plain.get_outputs()} | set(given)
    inner = sorted(names - known)
    # protobuf joins what is appended: more outputs for the same graph
    more = b"".join(_packed(7, _packed(12, _packed(1, name.encode()))) for name in inner)
    session = ort.InferenceSession(content + more, options, providers=["CPUExecutionProvider"])
    asked = sorted(names - set(given))
    values = session.run(asked, given) if asked else []
    shapes = {name: tuple(np.shape(value)) for name, value in zip(asked, values, strict=True)}
    return shapes | {name: value.shape for name, value in given.items()}


def _node(content: bytes) -> Node:
    inputs, outputs, op, domain, numbers = [], [], "", "", {}
    for number, value in _fields(content):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            op = _text(value)
        elif number == 7:
            domain = _text(value)
        elif number == 5:
            fields = dict(_fields(value))
            if isinstance(fields.get(3), int):
                numbers[_text(fields.get(1, b""))] = fields[3]
    return Node(op=op, domain=domain, inputs=tuple(inputs), outputs=tuple(outputs), whole_numbers=numbers)


def _weight(content: bytes) -> tuple[str, Weight]:
    shape: list[int] = []
    element, name, is_external = 0, "", False
    for number, value in _fields(content):
        if number == 1:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif number == 2:
            element = _count(value)
        elif number == 8:
            name = _text(value)
        elif number == 14:
            is_external = value == _EXTERNAL
    return name, Weight(shape=tuple(shape), element=element, is_external=is_external)


def _fields(content: Any) -> Iterator[tuple[int, Any]]:
    """Field number and value of each field of a message: whole numbers, or bytes."""
    if not isinstance(content, bytes):
        raise ValueError(f"not an ONNX file: a number where a message belongs: {content}")  # noqa: TRY004 - the file's fault
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(content, at)
        elif kind in {_EIGHT_BYTES, _FOUR_BYTES}:
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"not an ONNX file: wire type {kind} at byte {at}")
        if at + size > len(content):
            raise ValueError(f"not an ONNX file: it ends inside a field, at byte {at}")
        yield key >> 3, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise ValueError(f"not an ONNX file: no number at byte {at}")
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _varints(content: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(content):
        number, at = _varint(content, at)
        numbers.append(number)
    return numbers


def _count(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError(f"not an ONNX file: bytes where a number belongs: {value!r}")  # noqa: TRY004
    return value


def _text(content: Any) -> str:
    if not isinstance(content, bytes):
        raise ValueError(f"not an ONNX file: a number where a name belongs: {content}")  # noqa: TRY004
    return content.decode("utf-8", "replace")


def _packed(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
