"""Weights as codes."""

from math import ceil, inf, log2

import numpy as np
from numpy.typing import NDArray

from ..isa.requantize import Requantize
from . import float_graph as fg
from .errors import ModelError
from .graph import Conv, TensorType
from .thresholds import exponent, max_threshold, quantize_values

__all__ = ["coded_conv", "rescaling", "shuffling", "with_codes"]

#: Largest magnitude of a bias code: a bit of the accumulator is left to the products.
BIAS_LIMIT = 1 << 30


def coded_conv(node: fg.Conv, source: int, bits: int, per_channel: bool) -> Conv:
    """Return a convolution with weights as codes, without bias and requantization.

    Parameters
    ----------
    node : float_graph.Conv
        The float layer; the threshold of its weights is their largest magnitude.
    source : int
        Exponent of its input.
    bits : int
        Width of a weight.
    per_channel : bool
        Whether each output channel has a threshold of its own.
    """
    if node.weight_format is not None:
        bits = node.weight_format.bits
    exponents = _exponents(node, source, bits, per_channel)
    channels = node.weight.shape[0]
    codes = np.empty(node.weight.shape, np.int8)
    for channel, step in enumerate(np.broadcast_to(exponents, (channels,)).tolist()):
        codes[channel] = quantize_values(node.weight[channel], bits, True, step)
    return with_codes(node, codes, exponents)


def with_codes(node: fg.Conv, codes: NDArray[np.int8], exponents: tuple[int, ...] = (0,)) -> Conv:
    """Return a layer with integer weights: no bias, and no requantization yet."""
    channels = len(codes)
    return Conv(
        name=node.name,
        inputs=node.inputs,
        output=node.output,
        weight=codes,
        weight_exponent=exponents,
        bias=np.zeros(channels, np.int32),
        mid_bias=np.zeros(channels, np.int16),
        requantize=Requantize(),
        stride=node.stride,
        dilation=node.dilation,
        padding=node.padding,
        groups=node.groups,
    )


def _exponents(node: fg.Conv, source: int, bits: int, per_channel: bool) -> tuple[int, ...]:
    """Return exponents of the weights, raised where a bias would not fit the accumulator."""
    channels = node.weight.shape[0]
    if node.weight_format is not None:
        found = node.weight_format.exponents
    elif per_channel:
        found = tuple(exponent(max_threshold(w), bits, True) for w in node.weight)
    else:
        found = (exponent(max_threshold(node.weight), bits, True),)
    if len(found) not in (1, channels):
        raise ModelError("SL-Q104", f"{len(found)} scales for {channels} channels", node=node.name)
    largest = np.abs(node.bias) if len(found) > 1 else [np.abs(node.bias).max()]
    least = [ceil(log2(float(b) / BIAS_LIMIT)) - source if b > 0 else -inf for b in largest]
    raised = tuple(int(max(pair)) for pair in zip(found, least, strict=True))
    if node.weight_format is not None and raised != found:
        raise ModelError(
            "SL-Q114", "a bias does not fit 32 bits", node=node.name, fix="use larger weight scales"
        )
    return raised


def rescaling(name: str, source: str, tensor: TensorType, requantize: Requantize) -> Conv:
    """Return a layer that only requantizes: a depthwise convolution with weights of one."""
    channels = tensor.shape[0]
    return _unit(name, source, np.ones((channels, 1, 1, 1), np.int8), channels, requantize)


def shuffling(node: fg.Shuffle, tensor: TensorType) -> Conv:
    """Return a layer that only reorders channels: a convolution with a permutation matrix."""
    count = len(node.channels)
    weight = np.zeros((count, count, 1, 1), np.int8)
    weight[np.arange(count), list(node.channels)] = 1
    keep = Requantize(low=tensor.low, high=tensor.high, out_low=tensor.low, out_high=tensor.high)
    return _unit(node.output, node.inputs[0], weight, 1, keep)


def _unit(
    name: str, source: str, weight: NDArray[np.int8], groups: int, requantize: Requantize
) -> Conv:
    channels = weight.shape[0]
    return Conv(
        name=name,
        inputs=(source,),
        output=name,
        weight=weight,
        weight_exponent=(0,),
        bias=np.zeros(channels, np.int32),
        mid_bias=np.zeros(channels, np.int16),
        requantize=requantize,
        groups=groups,
    )
