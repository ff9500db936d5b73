"""Import of normalization and of elementwise operators; see ``import_layers`` for the contract."""

from dataclasses import replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from .errors import ModelError, UnsupportedError
from .float_graph import Add, Affine, Clip, Reshape
from .import_context import Call, Context
from .import_layers import weights

__all__ = ["add", "batch_norm", "clip", "identity", "relu", "scale", "softmax", "sum_all"]

Floats = NDArray[np.float32]


def batch_norm(context: Context, call: Call) -> str | None:
    """Import BatchNormalization in its inference form."""
    shape = context.shape(call.input(0))
    values = [weights(context, call, index) for index in range(1, 5)]
    if call.get("training_mode", 0) or len(shape) < 2:
        return "batch normalization in training mode"
    scale, bias, mean, variance = values
    if scale is None or bias is None or mean is None or variance is None:
        return "its parameters are not constant"
    if any(v is not None and v.shape != (shape[1],) for v in values):
        found = [None if v is None else v.shape for v in values]
        raise ModelError("SL-Q107", f"parameters {found} on input {shape}", node=call.name)
    factor = scale / np.sqrt(variance + np.float32(call.get("epsilon", 1e-5)))
    if not np.isfinite(factor).all():
        raise ModelError("SL-Q106", "a variance is negative", node=call.name)
    node = Affine(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        scale=factor.astype(np.float32),
        shift=(bias - mean * factor).astype(np.float32),
        axis=1,
    )
    context.emit(node, shape)
    return None


def relu(context: Context, call: Call) -> None:
    """Import Relu."""
    node = Clip(name=call.name, inputs=(call.input(0),), output=call.output, low=0.0)
    context.emit(node, context.shape(call.input(0)))


def clip(context: Context, call: Call) -> str | None:
    """Import Clip with constant bounds."""
    bounds = [call.get("min", -inf), call.get("max", inf)]
    for index in (1, 2):
        if call.input(index):
            value = weights(context, call, index)
            if value is None:
                return "its bounds are not constant"
            bounds[index - 1] = float(value.reshape(-1)[0])
    node = Clip(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        low=float(min(bounds)),  # the upper bound wins when they cross
        high=float(bounds[1]),
    )
    context.emit(node, context.shape(call.input(0)))
    return None


def add(context: Context, call: Call) -> str | None:
    """Import Add, and Sub of a constant."""
    constants = [name in context.constants for name in call.inputs]
    if any(constants):
        return _constant_term(context, call, constants.index(True))
    if call.op == "Sub":
        return "only a constant can be subtracted on the machine"
    shapes = [context.shape(name) for name in call.inputs]
    _emit_add(context, call, call.inputs, call.output, np.broadcast_shapes(*shapes))
    return None


def _emit_add(
    context: Context, call: Call, inputs: tuple[str, ...], output: str, shape: tuple[int, ...]
) -> None:
    name = call.name if output == call.output else output
    context.emit(Add(name=name, inputs=inputs, output=output), shape)


def sum_all(context: Context, call: Call) -> str | None:
    """Import Sum as a chain of additions."""
    if any(name in context.constants for name in call.inputs):
        return "one of its terms is constant"
    if len(call.inputs) == 1:
        context.alias(call.output, call.input(0))
    total, shape = call.input(0), context.shape(call.input(0))
    for index, name in enumerate(call.inputs[1:], start=2):
        shape = np.broadcast_shapes(shape, context.shape(name))
        last = index == len(call.inputs)
        partial = call.output if last else f"{call.output}/{index}"
        _emit_add(context, call, (total, name), partial, shape)
        total = partial
    return None


def _constant_term(context: Context, call: Call, index: int) -> str | None:
    term = weights(context, call, index)
    if term is None or call.input(1 - index) in context.constants:
        return "both terms are constant"
    sign = np.float32(-1 if call.op == "Sub" else 1)
    if index == 0 and call.op == "Sub":
        return _affine(context, call, 1 - index, factor=np.float32(-1), term=term)
    return _affine(context, call, 1 - index, term=sign * term)


def scale(context: Context, call: Call) -> str | None:
    """Import Mul and Div by a constant."""
    constants = [name in context.constants for name in call.inputs]
    if not any(constants) or (call.op == "Div" and not constants[1]):
        return "only a constant factor runs on the machine"
    index = constants.index(True)
    factor = weights(context, call, index)
    if factor is None:
        return "both factors are constant"
    if call.op == "Div":
        if (factor == 0).any():
            raise ModelError("SL-Q106", "division by zero", node=call.name)
        factor = np.float32(1) / factor
    return _affine(context, call, 1 - index, factor=factor)


def _affine(
    context: Context,
    call: Call,
    index: int,
    *,
    factor: Floats | np.float32 | None = None,
    term: Floats | np.float32 | None = None,
) -> str | None:
    shape = context.shape(call.input(index))
    factors = np.asarray(1 if factor is None else factor, dtype=np.float32)
    terms = np.asarray(0 if term is None else term, dtype=np.float32)
    constant = factors if factors.ndim > terms.ndim or factors.size > 1 else terms
    axes = [axis - constant.ndim for axis, size in enumerate(constant.shape) if size > 1]
    try:
        fits = np.broadcast_shapes(shape, constant.shape) == shape
    except ValueError:
        raise ModelError(
            "SL-Q107", f"{constant.shape} does not broadcast to {shape}", node=call.name
        ) from None
    if len(axes) > 1 or not fits:
        return "its constant varies along more than one axis"
    node = Affine(
        name=call.name,
        inputs=(call.input(index),),
        output=call.output,
        scale=factors.reshape(-1),
        shift=terms.reshape(-1),
        axis=len(shape) + axes[0] if axes else min(1, len(shape) - 1),
    )
    context.emit(node, shape)
    return None


def softmax(context: Context, call: Call) -> str | None:
    """Import Softmax and its kin for the host, with one meaning for all operator sets.

    Before operator set 13 they flattened their input from ``axis`` on, which was 1 by default.
    """
    reason = f"the machine has no {call.op}"
    if context.opset >= 13:
        return reason
    shape = context.shape(call.input(0))
    axis = int(call.get("axis", 1)) % max(1, len(shape))
    flat = (prod(shape[:axis]), prod(shape[axis:]))
    node = helper.make_node(call.op, [""], [call.output], name=call.name, axis=1)
    if shape == flat:
        context.host(replace(call, attributes={"axis": 1}, proto=node), reason)
        return None
    source, result = f"{call.output}/flat", f"{call.output}/rows"
    context.emit(Reshape(name=source, inputs=(call.input(0),), output=source), flat)
    inner = replace(call, inputs=(source,), outputs=(result,), attributes={"axis": 1}, proto=node)
    context.host(inner, reason)
    context.emit(Reshape(name=f"{call.name}/shape", inputs=(result,), output=call.output), shape)
    return None


def identity(context: Context, call: Call) -> str | None:
    """Import Identity, and Dropout as it is after training."""
    training = call.input(2) and bool(np.any(context.constants.get(call.input(2), False)))
    if training:
        raise UnsupportedError("SL-Q109", "Dropout in training mode", node=call.name)
    context.alias(call.output, call.input(0))
    return None
