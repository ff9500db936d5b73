"""The integers behind weights that a quantizer made."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .. import float_graph as fg
from ..errors import UnsupportedError
from ..graph import Conv
from ..weights import with_codes

__all__ = ["coded_layer"]

#: How far a weight may be from a multiple of its step; float32 allows for much less.
_SLACK = 1e-3


def coded_layer(node: fg.Conv) -> tuple[Conv, tuple[Fraction, ...]]:
    """Return a layer with integer weights, and what one step of each channel is worth.

    Raises
    ------
    UnsupportedError
        The weights are no multiples of a step, or have more than 8 bits.
    """
    steps = _steps(node)
    sizes = np.array([float(step) for step in steps]).reshape(-1, 1, 1, 1)
    codes = node.weight.astype(np.float64) / sizes
    rounded = np.rint(codes)
    if np.abs(codes - rounded).max(initial=0) > _SLACK:
        raise UnsupportedError(
            "SL-Q104",
            "its weights are not quantized",
            node=node.name,
            allowed="weights that Quant or BipolarQuant made, or integers",
            fix="export the model with weight quantizers",
        )
    channels = len(rounded)
    full = steps * channels if len(steps) == 1 else steps
    low, high = int(rounded.min(initial=0)), int(rounded.max(initial=0))
    if high > 127 and _is_average(node, rounded):
        rounded, full = np.ones_like(rounded), tuple(step * high for step in full)
        low, high = 0, 1
    if low < -128 or high > 127:
        raise UnsupportedError(
            "SL-Q114",
            f"weights from {low} to {high} steps",
            node=node.name,
            allowed="-128 to 127",
            fix="quantize weights to at most 8 bits, signed",
        )
    layer = replace(with_codes(node, rounded.astype(np.int8)), output="")
    return layer, full


def _is_average(node: fg.Conv, codes: NDArray[np.float64]) -> bool:
    """Return whether a layer is a mean over windows: one weight, an unsigned byte."""
    depthwise = node.groups == len(codes) and codes.shape[1] == 1
    return depthwise and bool((codes == codes.max()).all() and codes.max() <= 255)


def _steps(node: fg.Conv) -> tuple[Fraction, ...]:
    if node.weight_step:
        return node.weight_step
    if node.weight_format is not None:
        return tuple(Fraction(2) ** e for e in node.weight_format.exponents)
    return (Fraction(1),)
