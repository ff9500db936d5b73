"""Layers whose output format is still open: what they make, and how to finish them.

Several drafts may have to share one threshold, so each is calculated first and finished later.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.requantize import MAX_LEFT_SHIFT, MID_HIGH, MID_LOW, Requantize, Rounding
from . import float_graph as fg
from . import golden_ops as ops
from .graph import Add, AveragePool, Conv, Node, TensorType
from .thresholds import exponent, max_threshold, quantize_values

__all__ = ["Draft", "draft_add", "draft_average", "draft_conv", "draft_two_stage"]

Array = NDArray[Any]
Shape3 = tuple[int, int, int]
Build = Callable[[int, int, int], Node]

MAX_RIGHT_SHIFT = 31
MAX_OUT_SHIFT = 15


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A layer without output format.

    Parameters
    ----------
    output : str
        The tensor it makes.
    inputs : tuple of float32 array
        Codes of its inputs for the calibration data.
    data : float array
        What it makes of the calibration data, channels first, clamped.
    signed : bool
        Whether a value can be negative.
    least, most : int
        Exponents that its shifts can reach.
    build : callable
        Returns the layer for an exponent and the clamp of its codes.
    low, high : float
        The clamp of values.
    """

    output: str
    inputs: tuple[Array, ...]
    data: Array
    signed: bool
    least: int
    most: int
    build: Build
    low: float = -inf
    high: float = inf

    def finish(self, tensor: TensorType, form: fg.Format | None) -> Node:
        """Return the layer for an output format."""
        low = tensor.low if form is None else form.low
        high = tensor.high if form is None else form.high
        step = 2.0**tensor.exponent
        if isfinite(self.low):
            low = min(high, max(low, round(self.low / step)))
        if isfinite(self.high):
            high = max(low, min(high, round(self.high / step)))
        return self.build(tensor.exponent, low, high)


def one_stage(
    shifts: tuple[int, ...], low: int, high: int, rounding: Rounding = Rounding.HALF_EVEN
) -> Requantize:
    """Return a requantization by right shifts, or by one left shift.

    Before a left shift the value saturates to 16 bits, which changes nothing: the shifted value
    is clamped to at most 9 bits anyway.
    """
    if min(shifts) < 0:
        (shift,) = set(shifts)
        return Requantize(rounding=rounding, out_shift=shift, out_low=low, out_high=high)
    return Requantize(
        shift=shifts, rounding=rounding, low=low, high=high, out_low=low, out_high=high
    )


def draft_conv(node: fg.Conv, layer: Conv, x: Array, source: TensorType) -> Draft:
    """Return the draft of a convolution that rounds once.

    Parameters
    ----------
    node : float_graph.Conv
        The float layer.
    layer : Conv
        The same with weights as codes; its bias is set here.
    x : float32 array
        Codes of its input.
    source : TensorType
        Their format.
    """
    steps = np.array(layer.weight_exponent) + source.exponent
    bias = np.rint(np.ldexp(node.bias.astype(np.float64), -steps)).astype(np.int32)
    layer = replace(layer, bias=bias)
    acc = ops.accumulate_conv(layer, x, max(-source.low, source.high))
    values = np.ldexp(acc, steps.reshape(-1, 1, 1, 1))

    def build(step: int, low: int, high: int) -> Node:
        shifts = tuple(int(step - s) for s in steps)
        return replace(layer, requantize=one_stage(shifts, low, high))

    return Draft(
        output=node.output,
        inputs=(x,),
        data=np.clip(values, node.low, node.high),
        signed=node.low < 0,
        least=int(steps.max()) - (MAX_LEFT_SHIFT if steps.size == 1 else 0),
        most=int(steps.min()) + MAX_RIGHT_SHIFT,
        build=build,
        low=node.low,
        high=node.high,
    )


def draft_two_stage(node: fg.Conv, layer: Conv, x: Array, source: TensorType) -> Draft:
    """Return the draft of a convolution as TQT publishes it.

    Accumulator and bias share a 16-bit format, and are rounded to it before they are added. Its
    threshold is the largest magnitude: KL-J has fewer bins than 16 bits have levels.
    """
    steps = np.array(layer.weight_exponent) + source.exponent
    acc = ops.accumulate_conv(layer, x, max(-source.low, source.high))
    largest = max_threshold(np.ldexp(acc, steps.reshape(-1, 1, 1, 1)))
    middle = exponent(max(largest, max_threshold(node.bias)), 16, True)
    middle = min(max(middle, int(steps.max())), int(steps.min()) + MAX_RIGHT_SHIFT)
    shifts = tuple(int(middle - s) for s in steps)
    bias = quantize_values(node.bias, 16, True, middle).astype(np.int16)
    layer = replace(layer, mid_bias=bias)
    first = ops.first_stage(acc, Requantize(shift=shifts, low=MID_LOW, high=MID_HIGH))
    values = np.ldexp(first + bias.reshape(-1, 1, 1, 1), middle)

    def build(step: int, low: int, high: int) -> Node:
        params = Requantize(shift=shifts, out_shift=step - middle, out_low=low, out_high=high)
        return replace(layer, requantize=params)

    return Draft(
        output=node.output,
        inputs=(x,),
        data=np.clip(values, node.low, node.high),
        signed=node.low < 0,
        least=middle - MAX_LEFT_SHIFT,
        most=middle + MAX_OUT_SHIFT,
        build=build,
        low=node.low,
        high=node.high,
    )


def draft_add(
    node: fg.Add, inputs: tuple[Array, Array], sources: tuple[TensorType, TensorType]
) -> Draft:
    """Return the draft of an addition; the finer input's exponent is the accumulator's."""
    finest = min(source.exponent for source in sources)
    shifts = (sources[0].exponent - finest, sources[1].exponent - finest)
    layer = Add(
        name=node.name,
        inputs=node.inputs,
        output=node.output,
        requantize=Requantize(),
        shifts=shifts,
    )
    values = np.ldexp(ops.accumulate_add(layer, *inputs), finest)

    def build(step: int, low: int, high: int) -> Node:
        return replace(layer, requantize=one_stage((step - finest,), low, high))

    return Draft(
        output=node.output,
        inputs=inputs,
        data=np.clip(values, node.low, node.high),
        signed=node.low < 0 and any(source.signed for source in sources),
        least=finest - MAX_LEFT_SHIFT,
        most=finest + MAX_RIGHT_SHIFT,
        build=build,
        low=node.low,
        high=node.high,
    )


def reciprocal_code(size: int) -> tuple[int, int]:
    """Return the unsigned 8-bit code of ``1 / size`` and its exponent; 1 for powers of two."""
    if size & (size - 1) == 0:
        return 1, 1 - size.bit_length()
    step = exponent(1 / size, 8, False)
    return int(quantize_values(np.array([1 / size]), 8, False, step)[0]), step


def draft_average(node: fg.AveragePool, x: Array, source: TensorType, rounding: Rounding) -> Draft:
    """Return the draft of an average pool: one weight, the reciprocal of the window's size."""
    code, step = reciprocal_code(node.kernel[0] * node.kernel[1])
    layer = AveragePool(
        name=node.name,
        inputs=node.inputs,
        output=node.output,
        kernel=node.kernel,
        stride=node.stride,
        reciprocal=code,
        requantize=Requantize(),
        padding=node.padding,
    )
    finest = step + source.exponent
    values = np.ldexp(ops.accumulate_average(layer, x), finest)

    def build(target: int, low: int, high: int) -> Node:
        return replace(layer, requantize=one_stage((target - finest,), low, high, rounding))

    return Draft(
        output=node.output,
        inputs=(x,),
        data=values,
        signed=source.signed,
        least=finest - MAX_LEFT_SHIFT,
        most=finest + MAX_RIGHT_SHIFT,
        build=build,
    )
