"""Layers with arithmetic: convolutions, additions, pools."""

from typing import Any

import numpy as np

from ..isa.instructions import VectorOperation
from ..isa.thresholds import threshold_bits
from ..quant.graph import Add, AveragePool, Conv, MaxPool
from .context import Context
from .errors import CompileError
from .fuse import MAX_OUT_SHIFT, MAX_RESIDUAL_SHIFT, fused_add, sum_requantize
from .ops import ArrayOp, Residual, Source, Window

__all__ = ["add", "average_pool", "conv", "max_pool"]


def conv(context: Context, node: Conv) -> None:
    """Add a convolution: depthwise ones on the vector unit, all others on the array."""
    kernel = (node.weight.shape[2], node.weight.shape[3])
    source, channels = context.view(node.inputs[0]), node.weight.shape[0]
    shape = context.graph.tensors[node.output].shape
    depthwise = node.groups == channels == context.graph.tensors[node.inputs[0]].shape[0] > 1
    depthwise = depthwise and max(kernel) < 64
    label = "depthwise" if depthwise else "conv"
    common = context.common(node, f"{label} {kernel[0]}x{kernel[1]}" + _strided(node.stride))
    common |= _requantization(context, node)
    common |= {
        "macs": node.weight[0].size * int(np.prod(shape)),
        "window": _window(kernel, node.stride, node.dilation, node.padding),
    }
    if depthwise:
        context.vector(node, common, node.weight[:, 0].astype(np.int64))
        return
    weight = _dense(node)
    if source.map.unroll:  # kernel rows are channels
        weight = weight.transpose(0, 2, 1, 3).reshape(len(weight), -1, 1, kernel[1])
        common["window"] = Window(
            kernel=(1, kernel[1]), stride=(1, node.stride[1]), origin=(0, -node.padding[1])
        )
    context.ops.append(
        ArrayOp(**common, sources=(Source(tensor=node.inputs[0], view=source, weight=weight),))
    )


def _requantization(context: Context, node: Conv) -> dict[str, Any]:
    """Return what makes codes of a convolution's sums: shifts, or thresholds alone."""
    bias = {"bias": node.bias.astype(np.int64)}
    if node.thresholds is None:
        return bias | {"mid_bias": node.mid_bias.astype(np.int64), "requantize": node.requantize}
    config, count = context.config, node.thresholds.values.shape[1]
    if threshold_bits(count) > config.threshold_bits:
        raise CompileError(
            f"{node.name}: {count} thresholds make codes of {threshold_bits(count)} bits, but "
            f"{config.name} has {config.threshold_bits}; raise threshold_bits"
        )
    return bias | {"thresholds": node.thresholds}


def add(context: Context, node: Add) -> None:
    """Add an addition: into a convolution's drain where that is exact, else on the vector unit."""
    fused = fused_add(node, context.ops, context.uses, context.view, context.common(node, "add"))
    if fused:
        old, new = fused
        context.ops.remove(old)
        context.ops.append(new)
        return
    common = context.common(node, "add")
    params = node.requantize
    common["requantize"] = sum_requantize(node)
    first, second = node.shifts
    if max(first, second) > MAX_RESIDUAL_SHIFT or params.shift[0] > MAX_OUT_SHIFT:
        raise CompileError(f"{node.name}: exponents of its inputs are too far apart")
    common["residual"] = Residual(
        tensor=node.inputs[1], view=context.view(node.inputs[1]), shift=second
    )
    context.vector(node, common, np.full((1, 1, 1), 1 << first, np.int64))


def max_pool(context: Context, node: MaxPool) -> None:
    """Add a maximum pool."""
    common = context.common(node, f"max pool {node.kernel[0]}x{node.kernel[1]}")
    common["window"] = _window(node.kernel, node.stride, node.dilation, node.padding)
    context.vector(node, common, np.ones((1, *node.kernel), np.int64), VectorOperation.MAX)


def average_pool(context: Context, node: AveragePool) -> None:
    """Add an average pool."""
    common = context.common(node, f"average pool {node.kernel[0]}x{node.kernel[1]}")
    common["window"] = _window(node.kernel, node.stride, (1, 1), node.padding)
    common["requantize"] = node.requantize
    context.vector(node, common, np.full((1, *node.kernel), node.reciprocal, np.int64))


def _strided(stride: tuple[int, int]) -> str:
    if stride == (1, 1):
        return ""
    return f"/{stride[0]}" if stride[0] == stride[1] else f"/{stride[0]}x{stride[1]}"


def _window(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> Window:
    origin = (-padding[0], -padding[1])
    return Window(kernel=kernel, stride=stride, dilation=dilation, origin=origin)


def _dense(node: Conv) -> Any:
    """Return weights with all input channels; those of other groups are zero."""
    outputs, channels, height, width = node.weight.shape
    if node.groups == 1:
        return node.weight
    weight = np.zeros((outputs, channels * node.groups, height, width), np.int8)
    for group in range(node.groups):
        rows = slice(group * outputs // node.groups, (group + 1) * outputs // node.groups)
        weight[rows, group * channels : (group + 1) * channels] = node.weight[rows]
    return weight
