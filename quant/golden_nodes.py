"""What each node of a quantized graph makes of codes that travel in floating point."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import golden_ops as ops
from . import kernels
from .buffers import Buffers
from .conv_sums import ConvSums
from .graph import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Host,
    MaxPool,
    Node,
    Pad,
    QuantGraph,
    Slice,
    TensorType,
)
from .host_models import evaluate

__all__ = ["NodeRunner", "evaluate_host"]

Array = NDArray[Any]


class NodeRunner:
    """Runs nodes, once or again and again.

    Parameters
    ----------
    graph : QuantGraph
        The network.
    again : bool
        Every node will run several times: weights are kept as convolutions take them, and memory
        is used again. For a single time, the system's memory is as fast.
    """

    def __init__(self, graph: QuantGraph, again: bool = False) -> None:
        self.graph, self.again = graph, again
        self.empty: kernels.Empty = Buffers().empty if again else np.empty
        self.kept: dict[Node, ConvSums] = {}

    def __call__(self, node: Node, inputs: list[Array]) -> Array:
        """Return what a node makes of codes in float32, ``(channels, batch, height, width)``."""
        if isinstance(node, Conv):
            return self._convolve(node, inputs[0])
        if isinstance(node, Add):
            return self._add(node, inputs[0], inputs[1])
        if isinstance(node, Host):
            return _run_host(self.graph, node, inputs)
        return _RUNNERS[type(node)](node, inputs)

    def _sums(self, node: Conv) -> ConvSums:
        if node in self.kept:
            return self.kept[node]
        largest = _magnitude(self.graph.tensors[node.inputs[0]])
        factors = np.ones(1) if node.thresholds else ops.shift_factors(node.requantize)
        sums = ConvSums(node, largest, factors, self.empty)
        if self.again:
            self.kept[node] = sums
        return sums

    def _convolve(self, node: Conv, x: Array) -> Array:
        acc = self._sums(node)(x)
        if node.thresholds:
            return ops.threshold_exact(acc, node.thresholds)
        second = node.mid_bias.astype(acc.dtype).reshape(-1, 1, 1, 1)
        return ops.requantize_scaled(acc, node.requantize, second)

    def _add(self, node: Add, a: Array, b: Array) -> Array:
        out = kernels.like(a, a.shape, self.empty)
        return ops.requantize_exact(ops.accumulate_add(node, a, b, out), node.requantize)


def _average(node: AveragePool, inputs: list[Array]) -> Array:
    return ops.requantize_exact(ops.accumulate_average(node, inputs[0]), node.requantize)


_RUNNERS: Mapping[type[Node], Callable[..., Array]] = {
    AveragePool: _average,
    Concat: lambda node, inputs: np.concatenate(inputs),
    MaxPool: lambda node, inputs: ops.max_pool(node, inputs[0]),
    Pad: lambda node, inputs: ops.pad(node, inputs[0]),
    Slice: lambda node, inputs: ops.slice_(node, inputs[0]),
}


def _magnitude(tensor: TensorType) -> int:
    """Return the largest magnitude of a code."""
    return max(-tensor.low, tensor.high)


def _run_host(graph: QuantGraph, node: Host, inputs: list[Array]) -> Array:
    result = evaluate_host(graph, node.model, node.inputs, inputs)
    if not node.requantized:
        return result
    tensor = graph.tensors[node.output]
    codes = np.rint(np.ldexp(result.astype(np.float64), -tensor.exponent))
    clipped = np.clip(codes, tensor.low, tensor.high).astype(np.float32)
    return np.ascontiguousarray(clipped.swapaxes(0, 1))


def evaluate_host(
    graph: QuantGraph, model: bytes, names: tuple[str, ...], inputs: list[Array]
) -> NDArray[np.float32]:
    """Return the float result of a host node for inputs that are codes or float tensors."""
    floats = []
    for name, value in zip(names, inputs, strict=True):
        tensor = graph.tensors.get(name)
        if tensor is None:
            floats.append(value)
        else:
            floats.append(np.ldexp(value.swapaxes(0, 1), tensor.exponent).astype(np.float32))
    return evaluate(model, floats)
