"""Import of QONNX's operators: Quant, BipolarQuant, Trunc and MultiThreshold.

Their meaning is that of the QONNX operator pages and the executor of the ``qonnx`` package. On
activations they become staircases, on constants they are evaluated, and the size of an integer
step is kept.
"""

from fractions import Fraction
from math import gcd, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, UnsupportedError
from ..float_graph import Staircase
from ..import_context import Call, Context
from ..staircases import ROUNDINGS, Bank, Rule, Uniform

__all__ = [
    "DOMAINS",
    "OPERATORS",
    "bipolar",
    "bipolar_constant",
    "multi_threshold",
    "quant",
    "quant_constant",
    "trunc",
]

Array = NDArray[Any]

#: Where QONNX's operators live, and where they used to.
DOMAINS = (
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "onnx.brevitas",
)

OPERATORS = ("BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "Trunc")

#: Comparators of one channel.
MOST_THRESHOLDS = 15

SIGN = Bank(thresholds=((Fraction(0),),), low=-1, jump=2)


def quant(context: Context, call: Call) -> None:
    """Import Quant (IntQuant) of an activation."""
    scale, bits = _positive(context, call, 1), _bits(context, call, 3, 16)
    zero = _integer(context, call, 2, "zero point")
    low, high = _range(call, bits)
    rule: Rule = Uniform(step=scale, low=low, high=high, zero=zero, rounding=_rounding(call))
    if bits == 1 and low < 0:
        _need_no_zero(call, zero)
        rule = SIGN  # one signed bit is bipolar there
    _emit(context, call, rule, scale)


def bipolar(context: Context, call: Call) -> None:
    """Import BipolarQuant of an activation: +1 from zero on, else -1, times a scale."""
    _emit(context, call, SIGN, _positive(context, call, 1))


def trunc(context: Context, call: Call) -> None:
    """Import Trunc: division by a power of two, of what is a multiple of its scale already."""
    scale, zero = _positive(context, call, 1), _integer(context, call, 2, "zero point")
    _need_no_zero(call, zero)
    mode = _rounding(call, "FLOOR")
    if call.input(5):  # version 2 names the scale of its output
        result, bits = _positive(context, call, 4), _bits(context, call, 5, 8)
        dropped = round(log2(result / scale))
        low, high = _range(call, bits, signed=1, narrow=0)
    else:
        # Version 1 keeps the scale and does not saturate: its codes have no more than these bits.
        bits = _bits(context, call, 4, 8)
        dropped, result = _bits(context, call, 3, 32) - bits, scale
        low, high = -(1 << (bits - 1)), (1 << bits) - 1
    rule = Uniform(step=scale * Fraction(2) ** dropped, low=low, high=high, rounding=mode)
    _emit(context, call, rule, result)


def multi_threshold(context: Context, call: Call) -> None:
    """Import MultiThreshold: ``out_scale`` times the thresholds reached, plus ``out_bias``."""
    values = context.constant(call.input(1))
    if values is None or values.ndim != 2 or not np.isfinite(values).all():
        raise UnsupportedError(
            "SL-Q107",
            "thresholds that are not a constant, finite matrix",
            node=call.name,
            allowed="a row for each channel, or one for all",
        )
    shape = context.shape(call.input(0))
    layout = call.get("data_layout", "") or "NCHW"
    axis = len(shape) - 1 if layout.endswith("C") else 1
    if len(shape) <= axis or len(values) not in (1, shape[axis]):
        raise ModelError(
            "SL-Q107",
            f"thresholds {values.shape} on input {shape}",
            node=call.name,
            allowed="a row for each channel, or one for all",
        )
    scale = Fraction(float(call.get("out_scale", 1.0)))
    bias = Fraction(float(call.get("out_bias", 0.0)))
    if scale <= 0:
        raise UnsupportedError(
            "SL-Q114", f"out_scale {float(scale):g}", node=call.name, allowed="positive numbers"
        )
    unit = _common_unit(scale, bias)
    rows = tuple(tuple(Fraction(float(t)) for t in row) for row in np.sort(values, axis=1))
    bank = Bank(thresholds=rows, low=int(bias / unit), jump=int(scale / unit))
    if bank.jump * values.shape[1] > MOST_THRESHOLDS:
        raise UnsupportedError(
            "SL-Q114",
            f"{values.shape[1]} thresholds, each {bank.jump} codes high",
            node=call.name,
            allowed=f"at most {MOST_THRESHOLDS} codes above the lowest: outputs of up to 4 bits",
            fix="quantize to at most 4 bits, or use Quant with power-of-two scales",
        )
    _emit(context, call, bank, unit, axis)


def _common_unit(scale: Fraction, bias: Fraction) -> Fraction:
    """Return the largest number that divides both."""
    shared = scale.denominator * bias.denominator
    return Fraction(gcd(int(scale * shared), int(bias * shared)), shared)


def quant_constant(context: Context, call: Call) -> Array:
    """Return the values that Quant gives constants, and note the size of a step."""
    scale = _scales(context, call)
    bits = _bits(context, call, 3, 32)
    zero = _integer(context, call, 2, "zero point")
    if zero:
        raise ModelError(
            "SL-Q105",
            f"zero point {zero}",
            node=call.name,
            allowed="0 for weights and biases",
            fix="quantize weights symmetrically",
        )
    low, high = _range(call, bits)
    if bits == 1 and low < 0:
        return bipolar_constant(context, call)
    values = context.constants[call.input(0)].astype(np.float32)
    codes = _round_floats(np.clip(values / scale, low, high), _rounding(call))
    context.steps[call.output] = scale.astype(np.float64)
    return (codes * scale).astype(np.float32)


def bipolar_constant(context: Context, call: Call) -> Array:
    """Return the values that BipolarQuant gives constants, and note the size of a step."""
    scale = _scales(context, call)
    values = context.constants[call.input(0)]
    context.steps[call.output] = scale.astype(np.float64)
    signs = np.where(values >= 0, np.float32(1), np.float32(-1))
    return (signs * scale).astype(np.float32)


def _round_floats(values: Array, mode: str) -> Array:
    signs, sizes = np.sign(values), np.abs(values)
    if mode in ("UP", "DOWN"):
        return np.asarray(signs * (np.ceil(sizes) if mode == "UP" else np.floor(sizes)))
    if mode == "HALF_UP":
        return np.asarray(signs * np.floor(sizes + values.dtype.type(0.5)))
    if mode == "HALF_DOWN":
        return np.asarray(signs * np.ceil(sizes - values.dtype.type(0.5)))
    return np.asarray({"ROUND": np.rint, "CEIL": np.ceil, "FLOOR": np.floor}[mode](values))


def _scales(context: Context, call: Call) -> Array:
    """Return the scales of constants, which broadcast against them."""
    scale, values = context.constants[call.input(1)], context.constants[call.input(0)]
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ModelError("SL-Q104", "a scale is not a positive number", node=call.name)
    try:
        fits = np.broadcast_shapes(scale.shape, values.shape) == values.shape or scale.size == 1
    except ValueError:
        fits = False
    if not fits:
        raise ModelError("SL-Q107", f"scales {scale.shape} on {values.shape}", node=call.name)
    return np.asarray(scale.reshape(-1)[0] if scale.size == 1 else scale, np.float32)


def _emit(context: Context, call: Call, rule: Rule, scale: Fraction, axis: int = 1) -> None:
    node = Staircase(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        rule=rule,
        scale=scale,
        axis=axis,
    )
    context.emit(node, context.shape(call.input(0)))


def _scalar(context: Context, call: Call, index: int, what: str) -> float:
    values = context.constant(call.input(index))
    if values is None or not values.size or not np.isfinite(values).all():
        raise UnsupportedError(
            "SL-Q104",
            f"its {what} is not a constant, finite number",
            node=call.name,
            fix="export the model with constant quantizers",
        )
    if (values != values.reshape(-1)[0]).any():
        raise UnsupportedError(
            "SL-Q104",
            f"{values.size} values as {what} of an activation",
            node=call.name,
            allowed="one for the tensor",
            fix="quantize activations per tensor; weights may have one scale per channel",
        )
    return float(values.reshape(-1)[0])


def _positive(context: Context, call: Call, index: int) -> Fraction:
    value = _scalar(context, call, index, "scale")
    if value <= 0:
        raise ModelError("SL-Q104", f"scale {value:g}", node=call.name, allowed="positive numbers")
    return Fraction(value)


def _integer(context: Context, call: Call, index: int, what: str) -> int:
    value = _scalar(context, call, index, what)
    if value != int(value):
        raise UnsupportedError(
            "SL-Q105", f"{what} {value:g}", node=call.name, allowed="whole numbers"
        )
    return int(value)


def _bits(context: Context, call: Call, index: int, most: int) -> int:
    bits = _integer(context, call, index, "bit width")
    if not 1 <= bits <= most:
        raise UnsupportedError(
            "SL-Q114",
            f"{bits} bits",
            node=call.name,
            allowed=f"1 to {most}",
            fix="quantize to fewer bits",
        )
    return bits


def _range(
    call: Call, bits: int, signed: int | None = None, narrow: int | None = None
) -> tuple[int, int]:
    """Return the smallest and the largest level."""
    flags = []
    for name, default in (("signed", signed), ("narrow", narrow)):
        flag = call.get(name, default)
        if flag is None:  # readers disagree about what it would mean
            raise ModelError(
                "SL-Q110", f"no attribute {name}", node=call.name, fix=f"export with {name} 0 or 1"
            )
        flags.append(int(flag))
    if flags[0]:
        return -(1 << (bits - 1)) + flags[1], (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - flags[1]


def _rounding(call: Call, default: str = "ROUND") -> str:
    given = str(call.get("rounding_mode", default)).upper()
    mode = {"HALF_EVEN": "ROUND"}.get(given, given)
    if mode not in ROUNDINGS:
        raise UnsupportedError(
            "SL-Q109",
            f"rounding mode {given[:40]}",
            node=call.name,
            allowed=", ".join(ROUNDINGS),
        )
    return mode


def _need_no_zero(call: Call, zero: int) -> None:
    if zero:
        raise UnsupportedError(
            "SL-Q105", f"zero point {zero}", node=call.name, allowed="0 for this operator"
        )
