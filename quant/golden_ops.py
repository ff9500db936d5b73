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
from .graph import Add, AveragePool, Conv, MaxPool, Pad, Slice

__all__ = [
    "accumulate_add",
    "accumulate_average",
    "accumulate_conv",
    "first_stage",
    "max_pool",
    "pad",
    "requantize_exact",
    "slice_",
    "threshold_exact",
]

Array = NDArray[Any]

#: Integers of at most this magnitude are exact in float32.
FLOAT32_EXACT = 1 << 24


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
    bias = node.bias.astype(np.float64).reshape(-1, 1, 1, 1)
    reach = np.abs(node.weight, dtype=np.int16).sum(axis=(2, 3), dtype=np.int64) * largest
    bound = int((reach.sum(axis=1) + np.abs(node.bias.astype(np.int64))).max())
    if bound <= FLOAT32_EXACT:
        result = _conv(node, x, slice(None), np.float32)
        result += bias.astype(np.float32)
        return result
    if node.groups > 1 or int(reach.max()) > FLOAT32_EXACT:
        return _conv(node, x.astype(np.float64), slice(None), np.float64) + bias
    total = np.broadcast_to(bias, (node.weight.shape[0], 1, 1, 1))
    for part in _parts(reach):
        total = total + _conv(node, x[part], part, np.float32)
    return total


def _parts(reach: NDArray[np.int64]) -> list[slice]:
    """Split input channels so that no sum over a part can leave the exact range of float32."""
    parts, start = [], 0
    totals = np.zeros(reach.shape[0], dtype=np.int64)
    for channel in range(reach.shape[1]):
        totals = totals + reach[:, channel]
        if totals.max() > FLOAT32_EXACT:
            parts.append(slice(start, channel))
            start, totals = channel, reach[:, channel]
    return [*parts, slice(start, reach.shape[1])]


def _conv(node: Conv, x: Array, part: slice, kind: type[np.floating[Any]]) -> Array:
    return kernels.conv(
        x,
        node.weight[:, part].astype(kind),
        stride=node.stride,
        dilation=node.dilation,
        padding=node.padding,
        groups=node.groups,
    )


def accumulate_add(node: Add, a: Array, b: Array) -> Array:
    """Return the sum of two tensors, each shifted left; float32 holds it exactly."""
    scaled = a * np.float32(1 << node.shifts[0])
    return scaled + (b * np.float32(1 << node.shifts[1]))


def accumulate_average(node: AveragePool, x: Array) -> Array:
    """Return the reciprocal times the sum of each window."""
    exact = node.kernel[0] * node.kernel[1] * node.reciprocal * 255 <= FLOAT32_EXACT
    values = x if exact else x.astype(np.float64)
    total = kernels.window_sum(
        values, kernel=node.kernel, stride=node.stride, dilation=(1, 1), padding=node.padding
    )
    return total * values.dtype.type(node.reciprocal)


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
    first = first_stage(acc, params, out=acc)
    if np.any(addend):
        first += addend
    elif not params.out_shift and params.out_low <= params.low <= params.high <= params.out_high:
        return first.astype(np.float32, copy=False)
    if params.out_shift:
        first *= first.dtype.type(2.0**-params.out_shift)
        _round(first, params.rounding)
    np.clip(first, params.out_low, params.out_high, out=first)
    return first.astype(np.float32, copy=False)


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


def first_stage(acc: Array, params: Requantize, out: Array | None = None) -> Array:
    """Return accumulators after the first shift and clamp, in place if ``out`` is ``acc``."""
    if params.rounding in (Rounding.HALF_UP, Rounding.HALF_AWAY) and acc.dtype != np.float64:
        acc, out = acc.astype(np.float64), None  # adding a half needs one more bit
    factors = np.ldexp(1.0, -np.array(params.shift)).astype(acc.dtype).reshape(-1, 1, 1, 1)
    first = _round(np.multiply(acc, factors, out=out), params.rounding)
    return np.clip(first, params.low, params.high, out=first)


def _round(values: Array, rounding: Rounding) -> Array:
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
    return np.pad(x, [sides[0], (0, 0), *sides[1:]])


def slice_(node: Slice, x: Array) -> Array:
    """Return a strided slice."""
    channels, height, width = (
        slice(*bounds) for bounds in zip(node.start, node.stop, node.step, strict=True)
    )
    return x[channels, :, height, width]
