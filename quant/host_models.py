"""Small ONNX models for what the host carries out, and their evaluation."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, singledispatch
from math import isfinite
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from . import float_graph as fg
from . import kernels
from .float_graph import FloatNode
from .views import View

__all__ = ["evaluate", "evaluate_once", "host_model", "with_layouts"]

OPSET = 17
Array = NDArray[Any]
Shape = tuple[int, ...]


class _Parts:
    """Nodes and constants of a model in the making."""

    def __init__(self, prefix: str = "constant") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any) -> str:
        name = f"{self.prefix}{len(self.constants)}"
        array = np.ascontiguousarray(values)
        self.constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))


def host_model(node: FloatNode, shapes: Mapping[str, Shape]) -> bytes:
    """Return an ONNX model that computes one node of a float graph."""
    parts = _Parts()
    _build(node, parts, shapes)
    names = dict.fromkeys(node.inputs)
    inputs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shapes[n]) for n in names]
    output = helper.make_tensor_value_info(node.output, onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(parts.nodes, "host", inputs, [output], parts.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    data: bytes = model.SerializeToString()
    return data


@singledispatch
def _build(node: FloatNode, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    raise TypeError(type(node).__name__)


@_build.register
def _(node: fg.Reshape, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    shape = parts.constant(np.array(shapes[node.output], np.int64))
    parts.node("Reshape", [*node.inputs, shape], node.output, allowzero=1)


@_build.register
def _(node: fg.Transpose, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    parts.node("Transpose", node.inputs, node.output, perm=list(node.permutation))


@_build.register
def _(node: fg.Concat, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    parts.node("Concat", node.inputs, node.output, axis=node.axis)


@_build.register
def _(node: fg.Pad, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    pads = parts.constant(np.array([*node.before, *node.after], np.int64))
    parts.node("Pad", [*node.inputs, pads], node.output)


@_build.register
def _(node: fg.Slice, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    axes = range(len(node.start))
    bounds = [parts.constant(np.array(v, np.int64)) for v in (node.start, node.stop, axes)]
    steps = parts.constant(np.array(node.step, np.int64))
    parts.node("Slice", [*node.inputs, *bounds, steps], node.output)


@_build.register
def _(node: fg.Clip, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    _clip(parts, node.inputs[0], node.output, node.low, node.high)


@_build.register
def _(node: fg.Add, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    parts.node("Add", node.inputs, f"{node.output}/sum")
    _clip(parts, f"{node.output}/sum", node.output, node.low, node.high)


@_build.register
def _(node: fg.Affine, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    rank = len(shapes[node.inputs[0]])
    for array, op, source, target in (
        (node.scale, "Mul", node.inputs[0], f"{node.output}/scaled"),
        (node.shift, "Add", f"{node.output}/scaled", node.output),
    ):
        spread = [1] * rank
        if rank:
            spread[node.axis] = array.size
        parts.node(op, [source, parts.constant(array.reshape(spread))], target)


@_build.register
def _(node: fg.Dense, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    product = f"{node.output}/product"
    parts.node("MatMul", [*node.inputs, parts.constant(node.weight.T)], product)
    parts.node("Add", [product, parts.constant(node.bias)], node.output)


@_build.register
def _(node: fg.AveragePool, parts: _Parts, shapes: Mapping[str, Shape]) -> None:
    """Add the taps one by one: the reference evaluator's own pool is a loop over pixels."""
    (top, left, bottom, right), size = node.padding, shapes[node.inputs[0]][2:]
    pads = parts.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    padded = f"{node.output}/padded"
    parts.node("Pad", [node.inputs[0], pads], padded)
    ends = [(n - 1) * s + 1 for n, s in zip(shapes[node.output][2:], node.stride, strict=True)]
    axes, steps = (parts.constant(np.array(v, np.int64)) for v in ((2, 3), node.stride))
    taps: list[str] = []
    for index in np.ndindex(*node.kernel):
        start = [place * step for place, step in zip(index, node.dilation, strict=True)]
        stop = [first + end for first, end in zip(start, ends, strict=True)]
        bounds = [parts.constant(np.array(v, np.int64)) for v in (start, stop)]
        taps.append(f"{node.output}/tap{len(taps)}")
        parts.node("Slice", [padded, *bounds, axes, steps], taps[-1])
    parts.node("Sum", taps, f"{node.output}/sum")
    ones = np.ones((1, 1, *size), np.float32)
    inside = kernels.window_sum(
        ones, kernel=node.kernel, stride=node.stride, dilation=node.dilation, padding=node.padding
    )
    full = np.full_like(inside, len(taps))
    counts = parts.constant(full if node.include_padding else inside)
    parts.node("Div", [f"{node.output}/sum", counts], node.output)


def _clip(parts: _Parts, source: str, output: str, low: float, high: float) -> None:
    limits = [parts.constant(np.array(v, np.float32)) if isfinite(v) else "" for v in (low, high)]
    parts.node("Clip", [source, *limits], output)


def with_layouts(
    data: bytes, views: Mapping[str, View], bases: Mapping[str, Shape], result: Shape | None
) -> bytes:
    """Return a model that takes feature maps, and makes one if ``result`` is its shape.

    Parameters
    ----------
    data : bytes
        A model on tensors of the user's model.
    views : mapping
        For its inputs that are feature maps: where they lie.
    bases : mapping
        Shapes of those feature maps, batch included.
    result : tuple of int, optional
        Shape of the output as a feature map, batch included.
    """
    model = onnx.ModelProto.FromString(data)
    parts, graph = _Parts("layout"), model.graph
    kept = [value for value in graph.input if value.name not in views]
    maps = dict.fromkeys(view.base for view in views.values())
    for name, view in views.items():
        _gather(parts, f"map/{view.base}", name, view)
    parts.nodes.extend(graph.node)
    if result is not None:
        shape = parts.constant(np.array(result, np.int64))
        last = f"map/{graph.output[0].name}"
        parts.node("Reshape", [graph.output[0].name, shape], last)
        graph.output[0].name = last
    inputs = [
        helper.make_tensor_value_info(f"map/{b}", onnx.TensorProto.FLOAT, bases[b]) for b in maps
    ]
    constants = [*graph.initializer, *parts.constants]
    renewed = helper.make_graph(parts.nodes, "host", [*inputs, *kept], graph.output, constants)
    model.graph.CopyFrom(renewed)
    serialized: bytes = model.SerializeToString()
    return serialized


def _gather(parts: _Parts, source: str, output: str, view: View) -> None:
    shape = parts.constant(np.array([1, *view.shape], np.int64))
    if view.index is None:
        parts.node("Reshape", [source, shape], output)
        return
    flat = parts.constant(np.array([1, -1], np.int64))
    index = parts.constant(view.index.ravel())
    parts.node("Reshape", [source, flat], f"{output}/flat")
    parts.node("Gather", [f"{output}/flat", index], f"{output}/gathered", axis=1)
    parts.node("Reshape", [f"{output}/gathered", shape], output)


@lru_cache(maxsize=64)
def _evaluator(data: bytes) -> ReferenceEvaluator:
    return ReferenceEvaluator(onnx.ModelProto.FromString(data))


def evaluate_once(data: bytes, inputs: Sequence[Array]) -> NDArray[np.float32]:
    """Run a host model on one set of inputs, whatever their first axis is."""
    evaluator = _evaluator(data)
    feed = dict(zip(evaluator.input_names, inputs, strict=True))
    (result,) = evaluator.run(None, feed)
    return np.asarray(result, dtype=np.float32)


def evaluate(data: bytes, inputs: Sequence[Array]) -> NDArray[np.float32]:
    """Run a host model sample by sample: inputs and result have the batch as first axis."""
    samples = [evaluate_once(data, [x[i : i + 1] for x in inputs]) for i in range(len(inputs[0]))]
    alone = samples[0].ndim and samples[0].shape[0] == 1
    return np.concatenate(samples) if alone else np.stack(samples)
