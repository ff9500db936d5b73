"""Execution of a float graph in float32, with NumPy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import float_graph as fg
from . import kernels
from .errors import ModelError
from .float_graph import FloatGraph, FloatNode
from .host_models import evaluate, evaluate_once
from .layout import decode_layout, encode_layout

__all__ = ["run_float", "run_tensors"]

Array = NDArray[Any]
Floats = NDArray[np.float32]


def run_float(graph: FloatGraph, inputs: Mapping[str, Array]) -> dict[str, Floats]:
    """Return the outputs of a float graph.

    Parameters
    ----------
    graph : FloatGraph
        As imported, or of feature maps: then any batch may be given.
    inputs : mapping
        For each input an array in the model's own layout.

    Raises
    ------
    ModelError
        An input is missing.
    """
    values = run_tensors(graph, inputs)
    return {name: _output(graph, name, values[name]) for name in graph.outputs}


def run_tensors(graph: FloatGraph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return every tensor of a float graph; see :func:`run_float`."""
    values: dict[str, Array] = {}
    for name in graph.inputs:
        if name not in inputs:
            raise ModelError("SL-Q111", "no values for this input", node=name)
        given = np.asarray(inputs[name], dtype=np.float32)
        edge = graph.edges.get(name)
        values[name] = given if edge is None else encode_layout(given, edge, graph.shapes[name])
    for node in graph.nodes:
        values[node.output] = run_node(graph, node, [values[name] for name in node.inputs])
    return values


def _output(graph: FloatGraph, name: str, value: Array) -> Floats:
    edge = graph.edges.get(name)
    if edge is None or value.shape[1:] == edge.shape[1:]:
        return value
    return decode_layout(value, edge)


def run_node(graph: FloatGraph, node: FloatNode, inputs: list[Array]) -> Array:
    """Return the output of one node."""
    if isinstance(node, fg.Reshape):
        return inputs[0].reshape(graph.shapes[node.output])
    if isinstance(node, fg.Slice):
        return _slice(graph, node, inputs[0])
    if isinstance(node, fg.Host):
        return _host(graph, node, inputs)
    return _RUNNERS[type(node)](node, *inputs)


def _host(graph: FloatGraph, node: fg.Host, inputs: list[Array]) -> Array:
    return evaluate(node.model, inputs) if graph.edges else evaluate_once(node.model, inputs)


def _conv(node: fg.Conv, x: Array) -> Array:
    result = kernels.conv(
        np.ascontiguousarray(x.swapaxes(0, 1)),
        node.weight,
        stride=node.stride,
        dilation=node.dilation,
        padding=node.padding,
        groups=node.groups,
    )
    result += node.bias[:, None, None, None]
    return _clamp(result.swapaxes(0, 1), node.low, node.high)


def _clamp(x: Array, low: float, high: float) -> Array:
    if low > -np.inf:
        x = np.maximum(x, np.float32(low))
    return np.minimum(x, np.float32(high)) if high < np.inf else x


def _average_pool(node: fg.AveragePool, x: Array) -> Array:
    total = _window_sum(node, x)
    if node.include_padding:
        mean: Array = total / np.float32(node.kernel[0] * node.kernel[1])
        return mean
    inside = _window_sum(node, np.ones((1, 1, *x.shape[2:]), np.float32))
    return np.divide(total, inside)


def _window_sum(node: fg.AveragePool, x: Array) -> Array:
    return kernels.window_sum(
        x, kernel=node.kernel, stride=node.stride, dilation=node.dilation, padding=node.padding
    )


def _max_pool(node: fg.MaxPool, x: Array) -> Array:
    return kernels.max_pool(
        x, kernel=node.kernel, stride=node.stride, dilation=node.dilation, padding=node.padding
    )


def _affine(node: fg.Affine, x: Array) -> Array:
    spread = [1] * x.ndim
    factors, terms = list(spread), list(spread)
    if x.ndim:
        factors[node.axis], terms[node.axis] = node.scale.size, node.shift.size
    return x * node.scale.reshape(factors) + node.shift.reshape(terms)


def _pad(node: fg.Pad, x: Array) -> Array:
    counts = list(zip(node.before, node.after, strict=True))
    grown = np.pad(x, [(max(0, before), max(0, after)) for before, after in counts])
    inside = [
        slice(max(0, -before), size - max(0, -after))
        for (before, after), size in zip(counts, grown.shape, strict=True)
    ]
    return grown[tuple(inside)]


def _slice(graph: FloatGraph, node: fg.Slice, x: Array) -> Array:
    places = [slice(*bounds) for bounds in zip(node.start, node.stop, node.step, strict=True)]
    if graph.edges:
        places[0] = slice(None)  # the batch
    return x[tuple(places)]


def _quantize(node: fg.Quantize, x: Array) -> Array:
    step = np.float32(2.0 ** node.format.exponents[0])
    codes = np.clip(np.rint(x / step), node.format.low, node.format.high)
    return codes.astype(np.float32) * step


_RUNNERS: Mapping[type[FloatNode], Callable[..., Array]] = {
    fg.Conv: _conv,
    fg.Dense: lambda node, x: x @ node.weight.T + node.bias,
    fg.Affine: _affine,
    fg.Clip: lambda node, x: _clamp(x, node.low, node.high),
    fg.Add: lambda node, a, b: _clamp(a + b, node.low, node.high),
    fg.MaxPool: _max_pool,
    fg.AveragePool: _average_pool,
    fg.Concat: lambda node, *inputs: np.concatenate(inputs, axis=node.axis),
    fg.Pad: _pad,
    fg.Shuffle: lambda node, x: x[:, list(node.channels)],
    fg.Transpose: lambda node, x: x.transpose(node.permutation),
    fg.Quantize: _quantize,
}
