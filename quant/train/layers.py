"""The operators of a float graph in PyTorch, on values that are codes times powers of two."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import float_graph as fg
from ..drafts import reciprocal_code
from ..float_graph import FloatNode
from ..quantizers.tqt import Tqt
from .gradients import straight_through
from .tqt import TqtQuantizer, quantize

__all__ = ["ConvLayer", "run_plain"]


class ConvLayer(nn.Module):
    """A convolution with trained weights, bias and weight threshold.

    The bias is rounded to the accumulator's step, as the integer bias is.

    Parameters
    ----------
    node : float_graph.Conv
        The layer; its weights and bias are where training starts. They stay as they are if the
        node prescribes the weights' format.
    bits : int
        Of a weight, unless the node prescribes it.
    per_channel : bool
        One threshold per output channel.
    two_stage : bool
        Round accumulator and bias to 16 bits first, with a threshold that both share; then the
        bias is not rounded to the accumulator's step.
    """

    def __init__(
        self, node: fg.Conv, bits: int, *, per_channel: bool = False, two_stage: bool = False
    ) -> None:
        super().__init__()
        self.node = node
        self.weight = nn.Parameter(torch.tensor(node.weight))
        self.bias = nn.Parameter(torch.tensor(node.bias))
        form = node.weight_format
        bits = bits if form is None else form.bits
        several = per_channel if form is None else len(form.exponents) > 1
        channels = node.weight.shape[0] if several else None
        self.quantizer = TqtQuantizer(bits, signed=True, channels=channels)
        if form is not None:
            self._fix(form)
        self.middle = TqtQuantizer(16, signed=True) if two_stage else None

    def _fix(self, form: fg.Format) -> None:
        octaves = torch.tensor(form.exponents, dtype=torch.float32) + form.bits - 1
        with torch.no_grad():
            self.quantizer.log2_t.copy_(octaves)
        for parameter in (self.weight, self.bias, self.quantizer.log2_t):
            parameter.requires_grad_(False)

    def initialise(self, method: str) -> None:
        """Set weight thresholds, unless they are prescribed."""
        if self.node.weight_format is None:
            self.quantizer.initialise(self.weight.detach().cpu().numpy(), method)

    def forward(self, x: Tensor, step: Tensor | None) -> Tensor:
        """Return the clamped sum; ``step`` is that of the input, none if nothing is quantized."""
        if step is None:
            total = convolve(self.node, x, self.weight, self.bias)
        elif self.middle is None:
            unit = step * self.quantizer.scale()
            rounded = torch.round(self.bias.detach() / unit) * unit
            bias = straight_through(self.bias, rounded)
            total = convolve(self.node, x, self.quantizer(self.weight), bias)
        else:
            total = self._rounded_twice(x, step)
        return clamp(total, self.node.low, self.node.high)

    def _rounded_twice(self, x: Tensor, step: Tensor) -> Tensor:
        """Return ``q16(acc) + q16(bias)``."""
        acc = convolve(self.node, x, self.quantizer(self.weight), None)
        log2_t, form = self.middle_log2_t(step), Tqt(log2_t=(0.0,), bits=16, signed=True)
        bias = quantize(self.bias, log2_t, form)
        return quantize(acc, log2_t, form) + bias.view(-1, 1, 1)

    def middle_log2_t(self, step: Tensor) -> Tensor:
        """Return the threshold of 16 bits, raised where their step would be below the unit's."""
        if self.middle is None:
            raise ValueError("two_stage must be true, not false")
        unit = (step * self.quantizer.scale()).max()  # a power of two: 0.5 * 2**exponent
        return torch.maximum(self.middle.log2_t, torch.frexp(unit).exponent - 1 + 15)

    def calibrate_middle(self, x: Tensor, step: Tensor) -> None:
        """Set the threshold of 16 bits to the largest accumulator or bias."""
        if self.middle is not None:
            acc = convolve(self.node, x, self.quantizer(self.weight), None).flatten()
            self.middle.initialise(torch.cat([acc, self.bias]).detach().numpy(), "max")


def convolve(node: fg.Conv, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a convolution, its padding included."""
    top, left, bottom, right = node.padding
    even = (top, left) == (bottom, right)
    result: Tensor = functional.conv2d(
        x if even else pad(x, node.padding),
        weight.to(x.dtype),
        None if bias is None else bias.to(x.dtype),
        node.stride,
        (top, left) if even else 0,
        node.dilation,
        node.groups,
    )
    return result


def pad(x: Tensor, sides: tuple[int, int, int, int], value: float = 0.0) -> Tensor:
    """Return a tensor with a margin: ``(top, left, bottom, right)``."""
    top, left, bottom, right = sides
    return functional.pad(x, (left, right, top, bottom), value=value) if any(sides) else x


def clamp(x: Tensor, low: float, high: float) -> Tensor:
    """Return clamped values; the limits may be infinite."""
    if low == -high == float("-inf"):
        return x
    return functional.relu(x) if low == 0 and high == float("inf") else x.clamp(low, high)


def average_pool(node: fg.AveragePool, x: Tensor) -> Tensor:
    """Return sums of windows times the 8-bit reciprocal of the window's size."""
    code, exponent = reciprocal_code(node.kernel[0] * node.kernel[1])
    padded = pad(x, node.padding)
    total = functional.avg_pool2d(padded, node.kernel, node.stride, divisor_override=1)
    return total * (code * 2.0**exponent)


def max_pool(node: fg.MaxPool, x: Tensor) -> Tensor:
    """Return the maximum of each window."""
    padded = pad(x, node.padding, float("-inf"))
    result: Tensor = functional.max_pool2d(padded, node.kernel, node.stride, dilation=node.dilation)
    return result


def pad_maps(node: fg.Pad, x: Tensor) -> Tensor:
    """Return a tensor with zeros around it, or cropped."""
    sides = zip(node.before[:0:-1], node.after[:0:-1], strict=True)
    return functional.pad(x, [count for pair in sides for count in pair])


def slice_maps(node: fg.Slice, x: Tensor) -> Tensor:
    """Return a strided slice of all but the batch."""
    bounds = zip(node.start[1:], node.stop[1:], node.step[1:], strict=True)
    return x[(slice(None), *(slice(*b) for b in bounds))]


_RUNNERS: Mapping[type[FloatNode], Callable[..., Tensor]] = {
    fg.Add: lambda node, a, b: clamp(a + b, node.low, node.high),
    fg.AveragePool: average_pool,
    fg.Concat: lambda node, *inputs: torch.cat(inputs, dim=node.axis),
    fg.MaxPool: max_pool,
    fg.Pad: pad_maps,
    fg.Shuffle: lambda node, x: x[:, list(node.channels)],
    fg.Slice: slice_maps,
}


def run_plain(node: FloatNode, inputs: list[Any]) -> Tensor:
    """Return the output of a node without weights, not quantized yet."""
    return _RUNNERS[type(node)](node, *inputs)
