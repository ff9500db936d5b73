"""Layers that round twice: a quantizer of 16 bits, a bias behind it, and a quantizer of codes.

The first quantizer is the first stage of a convolution's requantization, and its codes are sums
for what follows, until the second quantizer closes the layer (TQT, arXiv 1903.08066).
"""

from dataclasses import replace

import numpy as np

from ...isa.requantize import MAX_LEFT_SHIFT, MID_HIGH, MID_LOW, Requantize
from .. import float_graph as fg
from ..drafts import MAX_OUT_SHIFT
from ..errors import UnsupportedError
from ..float_graph import FloatGraph
from ..graph import Conv
from ..staircases import Rule, Uniform
from .closing import InexactError, close, limits_of, mode_of, shift_of
from .open_layer import Chain, OpenLayer

__all__ = ["close_second", "is_first_stage", "open_second"]


def is_first_stage(graph: FloatGraph, layer: OpenLayer, node: fg.Staircase) -> bool:
    """Return whether only biases and clamps stand between a quantizer of 16 bits and the next."""
    low, high = node.rule.codes
    wide = high - low > 255 and MID_LOW <= low <= high <= MID_HIGH
    if not wide or layer.rounded or layer.pool is not None or layer.add is not None:
        return False
    name = node.output
    while name not in graph.outputs:
        takers = [taker for taker in graph.nodes if name in taker.inputs]
        if len(takers) != 1 or not isinstance(takers[0], fg.Affine | fg.Clip):
            return len(takers) == 1 and isinstance(takers[0], fg.Staircase)
        name = takers[0].output
    return False


def open_second(layer: OpenLayer, node: fg.Staircase) -> OpenLayer:
    """Return a layer behind its first quantizer, whose codes wait for the second.

    Raises
    ------
    UnsupportedError
        The first quantizer is no right shift of the sums.
    """
    conv = close(layer, node.rule, node.name)
    form, channels = conv.requantize, len(conv.weight)
    if form.out_shift:
        raise UnsupportedError(
            "SL-Q104",
            f"a quantizer of 16 bits that is finer than the sums of {conv.name}",
            node=node.name,
            allowed="a step of at least one sum",
            fix="leave it out",
        )
    first = Requantize(shift=form.shift, rounding=form.rounding, low=form.low, high=form.high)
    reach = (np.full(channels, form.low, np.int64), np.full(channels, form.high, np.int64))
    chain = Chain.linear([node.scale] * channels)
    conv = replace(conv, requantize=first)
    return OpenLayer(conv=conv, reach=reach, chain=chain, rounded=True)


def close_second(layer: OpenLayer, rule: Rule, quantizer: str) -> Conv:
    """Return a layer that has both roundings; its output has no name yet.

    Raises
    ------
    UnsupportedError
        The second stage cannot make the quantizer's codes exactly.
    """
    try:
        return _second(layer, rule)
    except InexactError as error:
        raise UnsupportedError(
            "SL-Q104",
            f"a second rounding behind {layer.conv.name} cannot be made exactly: {error}",
            node=quantizer,
            allowed="the rounding of the first, a power-of-two relation of both, a 16-bit bias",
            fix="leave out one of the two quantizers",
        ) from None


def _second(layer: OpenLayer, rule: Rule) -> Conv:
    first, chain = layer.conv.requantize, layer.chain
    if not isinstance(rule, Uniform):
        raise InexactError("thresholds compare sums that are not rounded")
    if mode_of(rule) is not first.rounding:
        raise InexactError(f"its rounding is {rule.rounding}")
    if len(set(chain.gain)) > 1 or chain.gain[0] < 0:
        raise InexactError("its factors differ between channels, or are negative")
    shift = shift_of(chain.gain[0] / rule.step)
    if not -MAX_LEFT_SHIFT <= shift <= MAX_OUT_SHIFT:
        raise InexactError(f"it takes a shift by {shift}")
    biases = [offset / chain.gain[0] for offset in chain.offset]
    if any(bias.denominator > 1 or not MID_LOW <= bias <= MID_HIGH for bias in biases):
        raise InexactError("its bias is no 16-bit code of the first")
    low, high = limits_of(layer, rule)
    return replace(
        layer.conv,
        mid_bias=np.array([int(bias) for bias in biases], np.int16),
        requantize=replace(first, out_shift=shift, out_low=low, out_high=high),
    )
