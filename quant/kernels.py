"""Convolution and pooling in float BLAS, shared by float and golden execution.

Feature maps are ``(channels, batch, height, width)`` here: a convolution is then one matrix
product whose result already has that layout.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["conv", "max_pool", "output_size", "pad", "window_sum"]

Pair = tuple[int, int]
Quad = tuple[int, int, int, int]
Values = NDArray[Any]

#: Makes an array with any contents, from its shape and type.
Empty = Callable[..., Values]

#: Largest number of elements of one block of columns.
BLOCK = 1 << 19

#: Number of elements that several operations in turn find in the cache.
CACHED = 1 << 17


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Return how many windows fit along one axis; ``padding`` is the sum of both sides."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def like(x: Values, shape: tuple[int, ...], empty: Empty = np.empty) -> Values:
    """Return an array with any contents whose axes lie in memory in the order of those of ``x``."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    lying = empty(tuple(shape[axis] for axis in order), x.dtype)
    return lying.transpose(np.argsort(order))


def pad(x: Values, padding: Quad, value: float = 0.0, empty: Empty = np.empty) -> Values:
    """Return ``x`` with a border of ``value``: ``(top, left, bottom, right)``."""
    top, left, bottom, right = padding
    if padding == (0, 0, 0, 0):
        return x
    channels, batch, height, width = x.shape
    shape = (channels, batch, height + top + bottom, width + left + right)
    result = like(x, shape, empty)
    result[...] = value
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
    x: Values,
    weight: Values,
    *,
    stride: Pair,
    dilation: Pair,
    padding: Quad,
    groups: int = 1,
    empty: Empty = np.empty,
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
    empty : callable
        Where memory comes from.
    """
    kernel = (weight.shape[2], weight.shape[3])
    height = output_size(x.shape[2], kernel[0], stride[0], dilation[0], padding[0] + padding[2])
    width = output_size(x.shape[3], kernel[1], stride[1], dilation[1], padding[1] + padding[3])
    shape = (weight.shape[0], x.shape[1], height, width)
    if weight.shape[1] == 1 and groups == x.shape[0]:
        result, step = like(x, shape, empty), max(1, CACHED * groups // max(1, prod(shape)))
        for first in range(0, groups, step):
            window = Window(pad(x[first : first + step], padding), kernel, stride, dilation)
            target = result.reshape(groups, -1, *shape[1:])[first : first + step]
            _depthwise(window, weight.reshape(groups, -1, *kernel)[first : first + step], target)
        return result
    result = empty(shape, x.dtype)
    step = max(1, BLOCK // max(1, x.shape[0] * kernel[0] * kernel[1] * height * width))
    for first in range(0, x.shape[1], step):
        block = slice(first, first + step)
        window = Window(pad(x[:, block], padding, empty=empty), kernel, stride, dilation)
        _grouped(window, weight, groups, result[:, block], empty)
    return result


def _depthwise(window: Window, weight: Values, result: Values) -> None:
    """Add up taps, for ``(channels, outputs of each, batch, height, width)`` results."""
    product = np.empty_like(result)
    for index, (row, column) in enumerate(window.taps()):
        target = product if index else result
        factors = weight[:, :, row, column].reshape(*weight.shape[:2], 1, 1, 1)
        np.multiply(window.tap((row, column))[:, None], factors, out=target)
        if index:
            result += product


def _grouped(window: Window, weight: Values, groups: int, result: Values, empty: Empty) -> None:
    depth = window.x.shape[0] // groups
    outputs = weight.shape[0] // groups
    product = _by_rows if _rows_are_cheaper(window, depth, outputs) else _by_columns
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        channels = slice(group * depth, (group + 1) * depth)
        product(window, channels, weight[rows], result[rows], empty)


def _rows_are_cheaper(window: Window, depth: int, outputs: int) -> bool:
    height, width = window.kernel
    return window.stride[0] == 1 and (height - 1) * width * depth > 1.3 * height * outputs


def _by_rows(window: Window, channels: slice, weight: Values, result: Values, empty: Empty) -> None:
    """Multiply columns of one kernel row by the weights of all rows, then add shifted rows."""
    x = window.x[channels]
    outputs, depth, height, width = weight.shape
    columns = empty((depth, width, *x.shape[1:3], window.width), x.dtype)
    for place in range(width):
        left = place * window.dilation[1]
        right = left + (window.width - 1) * window.stride[1] + 1
        columns[:, place] = x[..., left : right : window.stride[1]]
    matrix = weight.transpose(2, 0, 1, 3).reshape(height * outputs, -1)
    rows = empty((height, outputs, *columns.shape[2:]), x.dtype)
    _product(matrix, columns.reshape(depth * width, -1), rows.reshape(height * outputs, -1))
    last = rows[0, :, :, : window.height]
    for row in range(1, height):
        top = row * window.dilation[0]
        np.add(last, rows[row, :, :, top : top + window.height], out=result)
        last = result


def _by_columns(
    window: Window, channels: slice, weight: Values, result: Values, empty: Empty
) -> None:
    """Multiply columns of whole windows by the weights."""
    columns = _columns(window, channels, empty)
    _product(weight.reshape(len(weight), -1), columns, result)


def _product(matrix: Values, columns: Values, result: Values) -> None:
    if result.flags.c_contiguous:
        np.matmul(matrix, columns, out=result.reshape(len(matrix), -1))
    else:
        result[...] = (matrix @ columns).reshape(result.shape)


def _columns(window: Window, channels: slice, empty: Empty) -> Values:
    x = window.x[channels]
    taps = window.taps()
    if len(taps) == 1 and window.stride == (1, 1):
        return x.reshape(x.shape[0], -1)
    columns = empty((x.shape[0], len(taps), x.shape[1], window.height, window.width), x.dtype)
    for index, position in enumerate(taps):
        columns[:, index] = window.tap(position)[channels]
    return columns.reshape(x.shape[0] * len(taps), -1)


def max_pool(x: Values, *, kernel: Pair, stride: Pair, dilation: Pair, padding: Quad) -> Values:
    """Return the maximum of each window; padding counts as minus infinity."""
    window = Window(pad(x, padding, -np.inf), kernel, stride, dilation)
    result = window.tap((0, 0)).copy(order="K")
    for position in window.taps()[1:]:
        np.maximum(result, window.tap(position), out=result)
    return result


def window_sum(x: Values, *, kernel: Pair, stride: Pair, dilation: Pair, padding: Quad) -> Values:
    """Return the sum of each window."""
    window = Window(pad(x, padding), kernel, stride, dilation)
    result = window.tap((0, 0)).copy(order="K")
    for position in window.taps()[1:]:
        result += window.tap(position)
    return result
