"""Import of QuantizeLinear and DequantizeLinear, with a Clip of codes between them."""

from math import frexp, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from .errors import ModelError, UnsupportedError
from .float_graph import Format, Quantize
from .import_context import Call, Context

__all__ = [
    "clip_codes",
    "dequantize",
    "dequantize_constant",
    "power_of_two",
    "quantize",
    "quantize_constant",
    "weight_format",
]

Array = NDArray[Any]

_TYPES = {
    "int8": (8, True),
    "uint8": (8, False),
    "int4": (4, True),
    "uint4": (4, False),
    "int2": (2, True),
    "uint2": (2, False),
}


def power_of_two(scale: float, node: str) -> int:
    """Return the exponent of a scale.

    Raises
    ------
    ModelError
        The scale is not a power of two.
    """
    mantissa, exponent = frexp(scale) if np.isfinite(scale) else (0.0, 0)
    if mantissa != 0.5:
        nearest = f"2^{round(log2(scale))}" if 0 < scale < np.inf else "positive numbers"
        raise ModelError(
            "SL-Q104",
            f"scale {scale:.6g} is not a power of two",
            node=node,
            allowed=f"powers of two; nearest is {nearest}",
            fix="quantize the float model with shiftloom quantize",
        )
    return exponent - 1


def quantize(context: Context, call: Call) -> str | None:
    """Import QuantizeLinear of an activation: its output is codes, which only few nodes accept."""
    name = _type_name(context, call)
    if name not in _TYPES:
        raise UnsupportedError(
            "SL-Q114", f"codes of type {name}", node=call.name, allowed="up to 8 bits"
        )
    bits, signed = _TYPES[name]
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    exponent = _exponent(context, call)
    form = Format(bits=bits, signed=signed, exponents=(exponent,), low=low, high=high)
    context.codes[call.output] = (call.input(0), form)
    return None


def _exponent(context: Context, call: Call) -> int:
    scale = context.constant(call.input(1))
    zero = context.constant(call.input(2)) if call.input(2) else np.zeros(1)
    if scale is None or zero is None:
        raise UnsupportedError("SL-Q104", "a scale that depends on the input", node=call.name)
    if scale.size != 1 or call.get("block_size", 0):
        raise UnsupportedError(
            "SL-Q104",
            f"{scale.size} scales for one activation",
            node=call.name,
            allowed="one scale per tensor",
        )
    if np.any(zero):
        raise ModelError(
            "SL-Q105",
            f"zero point {zero.ravel().tolist()}",
            node=call.name,
            allowed="0",
            fix="quantize symmetrically, with power-of-two scales",
        )
    return power_of_two(float(scale.ravel()[0]), call.name)


def _type_name(context: Context, call: Call) -> str:
    zero = context.constant(call.input(2)) if call.input(2) else None
    if zero is not None:
        return str(zero.dtype)
    kind = int(call.get("output_dtype", 0)) or 2
    return str(helper.tensor_dtype_to_np_dtype(kind))


def clip_codes(context: Context, call: Call) -> str | None:
    """Import Clip between QuantizeLinear and DequantizeLinear: fewer bits, or a clamp."""
    source, form = context.codes[call.input(0)]
    bounds = [context.constant(call.input(index)) for index in (1, 2)]
    low = form.low if bounds[0] is None else max(form.low, int(bounds[0].reshape(-1)[0]))
    high = form.high if bounds[1] is None else min(form.high, int(bounds[1].reshape(-1)[0]))
    bits = next(b for b in range(1, 9) if _holds(b, form.signed, low, high))
    context.codes[call.output] = (
        source,
        Format(bits=bits, signed=form.signed, exponents=form.exponents, low=low, high=high),
    )
    return None


def _holds(bits: int, signed: bool, low: int, high: int) -> bool:
    least = -(1 << (bits - 1)) if signed else 0
    return least <= low and high < least + (1 << bits)


def dequantize(context: Context, call: Call) -> str | None:
    """Import DequantizeLinear of codes that QuantizeLinear made."""
    if call.input(0) not in context.codes:
        raise UnsupportedError(
            "SL-Q108",
            "DequantizeLinear of integers that come from outside",
            node=call.name,
            allowed="QuantizeLinear, then DequantizeLinear",
            fix="let the model take float inputs",
        )
    source, form = context.codes[call.input(0)]
    if (_exponent(context, call),) != form.exponents:
        raise UnsupportedError(
            "SL-Q104", "its scale differs from that of QuantizeLinear", node=call.name
        )
    node = Quantize(name=call.name, inputs=(source,), output=call.output, format=form)
    context.emit(node, context.shape(source))
    return None


def quantize_constant(context: Context, call: Call) -> Array:
    """Return the codes that QuantizeLinear makes of constants."""
    values = context.constants[call.input(0)].astype(np.float32)
    scale, zero = _parameters(context, call, values.ndim)
    kind = np.dtype(_type_name(context, call))
    if kind.name not in _TYPES:
        raise UnsupportedError("SL-Q114", f"codes of type {kind}", node=call.name)
    bits, signed = _TYPES[kind.name]
    low = -(1 << (bits - 1)) if signed else 0
    codes = np.rint(values / scale) + zero
    result: Array = np.clip(codes, low, low + (1 << bits) - 1).astype(kind)
    return result


def dequantize_constant(context: Context, call: Call) -> Array:
    """Return the values of constant codes."""
    codes = context.constants[call.input(0)]
    scale, zero = _parameters(context, call, codes.ndim)
    if codes.dtype.kind not in "iu" and codes.dtype.name not in _TYPES:
        raise UnsupportedError("SL-Q108", f"codes of type {codes.dtype}", node=call.name)
    return ((codes.astype(np.float64) - zero) * scale).astype(np.float32)


def _parameters(context: Context, call: Call, rank: int) -> tuple[Array, Array]:
    scale = context.constants[call.input(1)].astype(np.float32)
    zero = np.zeros(1) if not call.input(2) else context.constants[call.input(2)]
    shape = [1] * max(rank, 1)
    if scale.size > 1:
        axis = int(call.get("axis", 1))
        if scale.ndim != 1 or not -rank <= axis < rank:
            raise UnsupportedError("SL-Q104", "scales per block", node=call.name)
        shape[axis] = scale.size
        if scale.size != context.constants[call.input(0)].shape[axis]:
            raise ModelError("SL-Q107", f"{scale.size} scales along axis {axis}", node=call.name)
    zeros = np.broadcast_to(zero.astype(np.float64).ravel(), (scale.size,))
    return scale.reshape(shape), zeros.reshape(shape)


def weight_format(context: Context, call: Call) -> Format | None:
    """Return the number format of dequantized constants, if the machine can hold it."""
    codes = context.constants[call.input(0)]
    scale = context.constants[call.input(1)].ravel()
    zero = context.constants[call.input(2)] if call.input(2) else np.zeros(1)
    bits, signed = _TYPES.get(str(codes.dtype), (0, False))
    if not signed or np.any(zero) or scale.size > max(codes.shape, default=0):
        return None
    mantissas = np.frexp(scale.astype(np.float64))
    if not np.isfinite(scale).all() or np.any(mantissas[0] != 0.5):
        return None
    exponents = tuple(int(e) - 1 for e in mantissas[1])
    low = -(1 << (bits - 1))
    return Format(bits=bits, signed=True, exponents=exponents, low=low, high=low + (1 << bits) - 1)
