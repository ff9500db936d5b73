"""Convolution and pooling in float BLAS, shared by float and golden execution.

Feature maps are ``(channels, batch, height, width)`` here: a convolution is then one matrix
product whose result already has that layout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["conv", "max_pool", "output_size", "pad", "window_sum"]

Pair = tuple[int, int]
Quad = tuple[int, int, int, int]
Values = NDArray[Any]

#: Largest number of elements of one block of columns.
BLOCK = 1 << 19


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Return how many windows fit along one axis; ``padding`` is the sum of both sides."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def pad(x: Values, padding: Quad, value: float = 0.0) -> Values:
    """Return ``x`` with a border of ``value``: ``(top, left, bottom, right)``."""
    top, left, bottom, right = padding
    if padding == (0, 0, 0, 0):
        return x
    channels, batch, height, width = x.shape
    shape = (channels, batch, height + top + bottom, width + left + right)
    result = np.full(shape, value, dtype=x.dtype)
    result[:, :, top : top + height, left : left + width] = x
    return result


class Window:
    """The taps of a sliding window over padded feature maps, each a strided view.

    Parameters
    ----------
    x : float array
        Padded feature maps.
    kernel, stride, dilation : tuple of int
        ``(vertical, horizontal)``.
    """

    def __init__(self, x: Values, kernel: Pair, stride: Pair, dilation: Pair) -> None:
        self.x, self.kernel, self.stride, self.dilation = x, kernel, stride, dilation
        self.height = output_size(x.shape[2], kernel[0], stride[0], dilation[0], 0)
        self.width = output_size(x.shape[3], kernel[1], stride[1], dilation[1], 0)

    def taps(self) -> list[Pair]:
        """Return the positions inside the kernel, row by row."""
        return [(row, column) for row in range(self.kernel[0]) for column in range(self.kernel[1])]

    def tap(self, position: Pair) -> Values:
        """Return what the tap at a position sees, for every output place."""
        top, left = position[0] * self.dilation[0], position[1] * self.dilation[1]
        bottom = top + (self.height - 1) * self.stride[0] + 1
        right = left + (self.width - 1) * self.stride[1] + 1
        return self.x[:, :, top : bottom : self.stride[0], left : right : self.stride[1]]


def conv(
    x: Values, weight: Values, *, stride: Pair, dilation: Pair, padding: Quad, groups: int = 1
) -> Values:
    """Return the convolution of feature maps, without bias.

    Parameters
    ----------
    x : float array
        ``(channels, batch, height, width)``.
    weight : float array
        ``(out_channels, channels / groups, kernel_height, kernel_width)``, of the same type.
    stride, dilation, padding, groups
        As in :class:`~shiftloom.quant.graph.Conv`.
    """
    kernel = (weight.shape[2], weight.shape[3])
    height = output_size(x.shape[2], kernel[0], stride[0], dilation[0], padding[0] + padding[2])
    width = output_size(x.shape[3], kernel[1], stride[1], dilation[1], padding[1] + padding[3])
    result = np.empty((weight.shape[0], x.shape[1], height, width), dtype=x.dtype)
    if weight.shape[1] == 1 and groups == x.shape[0]:
        step = max(1, BLOCK // max(1, weight.shape[0] * height * width))
    else:
        step = max(1, BLOCK // max(1, x.shape[0] * kernel[0] * kernel[1] * height * width))
    for first in range(0, x.shape[1], step):
        block = slice(first, first + step)
        window = Window(pad(x[:, block], padding), kernel, stride, dilation)
        if weight.shape[1] == 1 and groups == x.shape[0]:
            _depthwise(window, weight, result[:, block])
        else:
            _grouped(window, weight, groups, result[:, block])
    return result


def _depthwise(window: Window, weight: Values, result: Values) -> None:
    channels = window.x.shape[0]
    factors = weight.reshape(channels, -1, 1, 1, 1, len(window.taps()))
    target = result.reshape(channels, -1, *result.shape[1:])
    product = np.empty_like(target)
    target[...] = 0
    for index, position in enumerate(window.taps()):
        np.multiply(window.tap(position)[:, None], factors[..., index], out=product)
        target += product
    result[...] = target.reshape(result.shape)


def _grouped(window: Window, weight: Values, groups: int, result: Values) -> None:
    depth = window.x.shape[0] // groups
    outputs = weight.shape[0] // groups
    product = _by_rows if _rows_are_cheaper(window, depth, outputs) else _by_columns
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        channels = slice(group * depth, (group + 1) * depth)
        product(window, channels, weight[rows], result[rows])


def _rows_are_cheaper(window: Window, depth: int, outputs: int) -> bool:
    height, width = window.kernel
    return window.stride[0] == 1 and (height - 1) * width * depth > 1.3 * height * outputs


def _by_rows(window: Window, channels: slice, weight: Values, result: Values) -> None:
    """Multiply columns of one kernel row by the weights of all rows, then add shifted rows."""
    x = window.x[channels]
    outputs, depth, height, width = weight.shape
    columns = np.empty((depth, width, *x.shape[1:3], window.width), dtype=x.dtype)
    for place in range(width):
        left = place * window.dilation[1]
        right = left + (window.width - 1) * window.stride[1] + 1
        columns[:, place] = x[..., left : right : window.stride[1]]
    matrix = weight.transpose(2, 0, 1, 3).reshape(height * outputs, -1)
    rows = (matrix @ columns.reshape(depth * width, -1)).reshape(
        height, outputs, *columns.shape[2:]
    )
    last = rows[0, :, :, : window.height]
    for row in range(1, height):
        top = row * window.dilation[0]
        np.add(last, rows[row, :, :, top : top + window.height], out=result)
        last = result


def _by_columns(window: Window, channels: slice, weight: Values, result: Values) -> None:
    """Multiply columns of whole windows by the weights."""
    product = weight.reshape(len(weight), -1) @ _columns(window, channels)
    result[...] = product.reshape(result.shape)


def _columns(window: Window, channels: slice) -> Values:
    x = window.x[channels]
    taps = window.taps()
    if len(taps) == 1 and window.stride == (1, 1):
        return x.reshape(x.shape[0], -1)
    shape = (x.shape[0], len(taps), x.shape[1], window.height, window.width)
    columns = np.empty(shape, dtype=x.dtype)
    for index, position in enumerate(taps):
        columns[:, index] = window.tap(position)[channels]
    return columns.reshape(x.shape[0] * len(taps), -1)


def max_pool(x: Values, *, kernel: Pair, stride: Pair, dilation: Pair, padding: Quad) -> Values:
    """Return the maximum of each window; padding counts as minus infinity."""
    window = Window(pad(x, padding, -np.inf), kernel, stride, dilation)
    result = window.tap((0, 0)).copy()
    for position in window.taps()[1:]:
        np.maximum(result, window.tap(position), out=result)
    return result


def window_sum(x: Values, *, kernel: Pair, stride: Pair, dilation: Pair, padding: Quad) -> Values:
    """Return the sum of each window."""
    window = Window(pad(x, padding), kernel, stride, dilation)
    result = window.tap((0, 0)).copy()
    for position in window.taps()[1:]:
        result += window.tap(position)
    return result
