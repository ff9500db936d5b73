"""The quantized operators on integers that travel in floating point, exactly.

Products and sums of codes are integers, and every partial sum stays below 2**24 in float32 or
2**53 in float64, where floating point is exact in any order of summation. Feature maps are
``(channels, batch, height, width)``.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.requantize import Requantize, Rounding
from ..isa.thresholds import Thresholds
from . import kernels
from .conv_sums import FLOAT32_EXACT, ConvSums
from .graph import Add, AveragePool, Conv, MaxPool, Pad, Slice

__all__ = [
    "accumulate_add",
    "accumulate_average",
    "accumulate_conv",
    "first_stage",
    "max_pool",
    "pad",
    "requantize_exact",
    "requantize_scaled",
    "shift_factors",
    "slice_",
    "threshold_exact",
]

Array = NDArray[Any]


def accumulate_conv(node: Conv, x: Array, largest: int) -> Array:
    """Return the exact accumulators of a convolution, bias included.

    Parameters
    ----------
    node : Conv
        The layer.
    x : float32 array
        Codes.
    largest : int
        Largest magnitude of a code.
    """
    return ConvSums(node, largest, np.ones(1))(x)


def accumulate_add(node: Add, a: Array, b: Array, out: Array | None = None) -> Array:
    """Return the sum of two tensors, each shifted left; float32 holds it exactly."""
    first, second = node.shifts
    if first < second:
        a, first, b, second = b, second, a, first
    total: Array = np.multiply(a, np.float32(1 << first), out=out) if first else a
    other = b * np.float32(1 << second) if second else b
    result: Array = np.add(total, other, out=out)
    return result


def accumulate_average(node: AveragePool, x: Array) -> Array:
    """Return the reciprocal times the sum of each window."""
    exact = node.kernel[0] * node.kernel[1] * node.reciprocal * 255 <= FLOAT32_EXACT
    values = x if exact else x.astype(np.float64)
    if node.kernel == x.shape[2:] and not any(node.padding):
        total: Array = values.sum(axis=(2, 3), keepdims=True)
    else:
        total = kernels.window_sum(
            values, kernel=node.kernel, stride=node.stride, dilation=(1, 1), padding=node.padding
        )
    total *= values.dtype.type(node.reciprocal)
    return total


def requantize_exact(acc: Array, params: Requantize, addend: Array | int = 0) -> Array:
    """Carry out both stages as :func:`~shiftloom.isa.requantize.requantize` does.

    Parameters
    ----------
    acc : float array
        Exact accumulators, channels first, magnitude below 2**31; overwritten.
    params : Requantize
        The two stages.
    addend : float array or int
        Integers added between the stages.
    """
    if any(params.shift):
        acc *= shift_factors(params).astype(acc.dtype).reshape(-1, 1, 1, 1)
    return requantize_scaled(acc, params, addend)


def shift_factors(params: Requantize) -> NDArray[np.float64]:
    """Return what the first shift multiplies by: powers of two, one or one per channel."""
    factors: NDArray[np.float64] = np.ldexp(1.0, -np.array(params.shift))
    return factors


def requantize_scaled(values: Array, params: Requantize, addend: Array | int = 0) -> Array:
    """Carry out what follows the first shift, on exact accumulators that are shifted already.

    Without an addend both clamps become one: rounding and scaling keep the order of values.

    Parameters
    ----------
    values : float array
        Accumulators times :func:`shift_factors`; overwritten.
    params, addend
        As in :func:`requantize_exact`.
    """
    if np.any(addend) or params.out_shift > 0:
        first = _first_clamp(values, params)
        first += addend
        if params.out_shift:
            first *= first.dtype.type(2.0**-params.out_shift)
        if params.out_shift > 0:
            first = _round(first, params.rounding)
        np.clip(first, params.out_low, params.out_high, out=first)
        return first.astype(np.float32, copy=False)
    if any(params.shift):
        values = _round(values, params.rounding)
    if params.out_shift:
        values *= values.dtype.type(2.0**-params.out_shift)
    low, high = (
        min(max(bound << -params.out_shift, params.out_low), params.out_high)
        for bound in (params.low, params.high)
    )
    np.clip(values, low, high, out=values)
    return values.astype(np.float32, copy=False)


def threshold_exact(acc: Array, bank: Thresholds) -> Array:
    """Return the codes that a bank of comparators makes of exact accumulators, channels first.

    Parameters
    ----------
    acc : float array
        Integers, of magnitude at most 2**24 in float32 and below 2**31 in float64.
    bank : Thresholds
        One row, or one per channel.
    """
    # Beyond the accumulators' range a threshold decides the same wherever it lies; float32 holds
    # both of these.
    reach = FLOAT32_EXACT if acc.dtype == np.float32 else 1 << 31
    values = np.clip(bank.values.astype(np.int64), -reach, reach + 2).astype(acc.dtype)
    codes = np.full(acc.shape, bank.low, np.int16)
    for column in values.T:
        codes += acc >= column.reshape(-1, 1, 1, 1)
    return codes.astype(np.float32)


def first_stage(acc: Array, params: Requantize) -> Array:
    """Return accumulators after the first shift and clamp."""
    factors = shift_factors(params).astype(acc.dtype).reshape(-1, 1, 1, 1)
    return _first_clamp(acc * factors, params)


def _first_clamp(values: Array, params: Requantize) -> Array:
    if any(params.shift):
        values = _round(values, params.rounding)
    return np.clip(values, params.low, params.high, out=values)


def _round(values: Array, rounding: Rounding) -> Array:
    """Return rounded values, in place where their type holds what comes between."""
    if rounding in (Rounding.HALF_UP, Rounding.HALF_AWAY):
        values = values.astype(np.float64, copy=False)  # adding a half needs one more bit
    if rounding is Rounding.HALF_EVEN:
        np.rint(values, out=values)
    elif rounding is Rounding.HALF_AWAY:
        np.trunc(values + np.copysign(0.5, values), out=values)
    else:
        np.floor(values + 0.5 if rounding is Rounding.HALF_UP else values, out=values)
    return values


def max_pool(node: MaxPool, x: Array) -> Array:
    """Return the maximum of each window."""
    return kernels.max_pool(
        x, kernel=node.kernel, stride=node.stride, dilation=node.dilation, padding=node.padding
    )


def pad(node: Pad, x: Array) -> Array:
    """Return a tensor with zeros around it."""
    sides = list(zip(node.before, node.after, strict=True))
    sides.insert(1, (0, 0))
    ends = [before + size for (before, _), size in zip(sides, x.shape, strict=True)]
    result = kernels.like(
        x, tuple(end + after for end, (_, after) in zip(ends, sides, strict=True))
    )
    result[...] = 0
    result[tuple(slice(s[0], end) for s, end in zip(sides, ends, strict=True))] = x
    return result


def slice_(node: Slice, x: Array) -> Array:
    """Return a strided slice."""
    channels, height, width = (
        slice(*bounds) for bounds in zip(node.start, node.stop, node.step, strict=True)
    )
    return x[channels, :, height, width]
