"""Import of convolutions and dense layers.

Each function adds nodes to the graph and returns None, or returns the reason why the operator
can only run on the host.
"""

from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError, UnsupportedError
from .float_graph import Conv, Dense, Format, Transpose
from .import_context import Call, Context
from .import_windows import window_shape

__all__ = ["conv", "gemm", "matmul", "weights"]

Steps = tuple[Fraction, ...]

Floats = NDArray[np.float32]


def weights(context: Context, call: Call, index: int) -> Floats | None:
    """Return constant float values of an input; None when they depend on the model's input.

    Raises
    ------
    ModelError
        A value is not finite.
    """
    name = call.input(index)
    values = context.constant(name)
    if values is None:
        return None
    if values.dtype.kind != "f":
        raise UnsupportedError("SL-Q108", f"{name} is {values.dtype}", node=call.name)
    distinct = values[(slice(0, 1),) * values.ndim] if not any(values.strides) else values
    if not np.isfinite(distinct).all():
        bad = int(np.size(distinct) - np.isfinite(distinct).sum())
        raise ModelError(
            "SL-Q106",
            f"{name}: {bad} of {values.size} values are NaN or infinite",
            node=call.name,
            allowed="finite numbers",
            fix="train or export the model again",
        )
    return values.astype(np.float32, copy=False)


def _steps(context: Context, call: Call, axis: int) -> Steps:
    """Return what one step of quantized weights is worth: once, or per output channel.

    Raises
    ------
    UnsupportedError
        The scales vary within an output channel.
    """
    steps = context.steps.get(call.input(1))
    if steps is None:
        return ()
    shape = context.shape(call.input(1))
    full = np.moveaxis(np.broadcast_to(steps, shape), axis, 0).reshape(shape[axis], -1)
    if (full != full[:, :1]).any():
        raise UnsupportedError(
            "SL-Q104",
            "scales of weights that vary within an output channel",
            node=call.name,
            allowed="one for the tensor, or one per output channel",
        )
    found = full[:1, 0] if (full == full[0, 0]).all() else full[:, 0]
    return tuple(Fraction(float(step)) for step in found)


def conv(context: Context, call: Call) -> str | None:
    """Import Conv."""
    weight = weights(context, call, 1)
    if weight is None or (call.input(2) and weights(context, call, 2) is None):
        return "its weights are not constant"
    shape = context.shape(call.input(0))
    if len(shape) != 4 or weight.ndim != 4:
        return f"only 2-D convolutions run on the machine, not {len(shape) - 2}-D"
    groups = int(call.get("group", 1))
    if groups < 1 or shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise ModelError(
            "SL-Q107",
            f"weights {weight.shape} with {groups} groups on input {shape}",
            node=call.name,
        )
    bias = weights(context, call, 2) if call.input(2) else None
    bias = np.zeros(weight.shape[0], np.float32) if bias is None else bias
    window = window_shape(call, shape[2:], (weight.shape[2], weight.shape[3]))
    node = Conv(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        weight=weight,
        bias=bias,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        groups=groups,
        weight_format=context.formats.get(call.input(1)),
        weight_step=_steps(context, call, 0),
    )
    context.emit(node, (shape[0], weight.shape[0], *window.output))
    return None


def gemm(context: Context, call: Call) -> str | None:
    """Import Gemm with a constant matrix."""
    weight = weights(context, call, 1)
    if weight is None or (call.input(2) and weights(context, call, 2) is None):
        return "its weights are not constant"
    weight_format = context.formats.get(call.input(1))
    alpha = float(call.get("alpha", 1.0))
    turned = bool(call.get("transB", 0))
    matrix, steps = weight if turned else weight.T, _steps(context, call, int(not turned))
    if alpha != 1.0:
        matrix, weight_format = matrix * np.float32(alpha), None
        steps = tuple(step * Fraction(alpha) for step in steps)
    bias = np.zeros(matrix.shape[0], np.float32)
    if call.input(2):
        term = weights(context, call, 2)
        if term is None or prod(term.shape[:-1]) != 1:
            return "its bias is a matrix"
        bias = bias + np.float32(call.get("beta", 1.0)) * term.reshape(-1)
    source = call.input(0)
    if call.get("transA", 0):
        source = _transpose_input(context, call)
    _dense(context, call, (source, weight_format, steps), matrix, bias)
    return None


def matmul(context: Context, call: Call) -> str | None:
    """Import MatMul with a constant matrix on its right."""
    weight = weights(context, call, 1)
    if weight is None or call.input(0) in context.constants:
        return "only a constant matrix on the right runs on the machine"
    if weight.ndim != 2:
        return f"only a constant 2-D matrix runs on the machine, not {weight.ndim}-D"
    bias = np.zeros(weight.shape[1], np.float32)
    weight_format = context.formats.get(call.input(1))
    operands = (call.input(0), weight_format, _steps(context, call, 1))
    _dense(context, call, operands, weight.T, bias)
    return None


def _transpose_input(context: Context, call: Call) -> str:
    name = f"{call.output}/transposed"
    node = Transpose(
        name=f"{call.name}/transposed", inputs=(call.input(0),), output=name, permutation=(1, 0)
    )
    context.emit(node, context.shape(call.input(0))[::-1])
    return name


def _dense(
    context: Context,
    call: Call,
    operands: tuple[str, Format | None, Steps],
    matrix: Floats,
    bias: Floats,
) -> None:
    source, weight_format, steps = operands
    shape = context.shape(source)
    if matrix.ndim != 2 or not shape or shape[-1] != matrix.shape[1]:
        raise ModelError("SL-Q107", f"matrix {matrix.shape[::-1]} on input {shape}", node=call.name)
    if bias.shape != (matrix.shape[0],):
        raise ModelError(
            "SL-Q107", f"bias {bias.shape} for {matrix.shape[0]} outputs", node=call.name
        )
    node = Dense(
        name=call.name,
        inputs=(source,),
        output=call.output,
        weight=matrix,
        bias=bias,
        weight_format=weight_format,
        weight_step=steps,
    )
    context.emit(node, (*shape[:-1], matrix.shape[0]))
