"""Convolution by one matrix product for each row of its result, without columns of windows.

Maps keep their axes ``(channels, batch, height, width)``, but lie in memory as ``(height, channels,
width, batch)``. The input is copied once for each tap of a kernel row, shifted by that tap's place,
into a slab ``(height, taps, channels, width, batch)``. There, all that a row of the result sees is
a run of lines at one distance: a matrix that BLAS reads where it lies. Its neighbours overlap it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from .kernels import Empty, Pair, Quad, output_size

__all__ = ["conv", "fits", "line_order", "matrix_of", "row_order"]

Values = NDArray[Any]

#: Fewest samples; for less, one product for the whole map is faster.
LEAST_BATCH = 4

#: Most multiplications of a product: OpenBLAS does up to 100**3 without packing its operands first.
PRODUCT = 100**3

#: Elements of a slab; a layer whose slab would be larger is carried out in bands of rows.
BAND = 1 << 19

#: Columns of a product that is cut to ``PRODUCT``: whole vector registers.
LANES = 16


def row_order(maps: Values) -> Values:
    """Return maps in this module's order in memory, copied unless they are in it."""
    return line_order(np.ascontiguousarray(maps.transpose(2, 0, 3, 1)))


def line_order(rows: Values) -> Values:
    """Return maps that lie in this module's order with their axes in the usual order."""
    return rows.transpose(1, 3, 0, 2)


def matrix_of(weight: Values) -> Values:
    """Return weights ``(outputs, channels, height, width)`` as :func:`conv` takes them."""
    return np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(len(weight), -1)


def fits(x: Values, weight: Values, dilation: Pair) -> bool:
    """Return whether :func:`conv` can carry out a convolution, and is the faster way."""
    near = weight.shape[2] == 1 or dilation[0] == 1
    return near and weight.shape[1] > 1 and x.shape[1] >= LEAST_BATCH


def conv(
    x: Values,
    matrix: Values,
    *,
    kernel: Pair,
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
        ``(channels, batch, height, width)``, fastest in the order that the result has.
    matrix : float array
        Weights from :func:`matrix_of`.
    kernel : tuple of int
        ``(vertical, horizontal)``.
    stride, dilation, padding, groups
        As in :class:`~shiftloom.quant.graph.Conv`; no vertical dilation of several rows.
    empty : callable
        Where memory comes from.
    """
    channels, batch, tall, wide = x.shape
    height = output_size(tall, kernel[0], stride[0], dilation[0], padding[0] + padding[2])
    width = output_size(wide, kernel[1], stride[1], dilation[1], padding[1] + padding[3])
    result = empty((height, len(matrix), width, batch), x.dtype)
    depth, outputs = channels // groups, len(matrix) // groups
    lines = Lines(
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        width=width,
        empty=empty,
    )
    band = max(4, BAND // (stride[0] * kernel[1] * depth * width * batch))
    for group in range(groups):
        part = x[group * depth : (group + 1) * depth].transpose(2, 0, 3, 1)
        rows = slice(group * outputs, (group + 1) * outputs)
        for first in range(0, height, band):
            target = result[first : first + band, rows]
            _multiply(matrix[rows], lines.slab(part, first, len(target)), lines, target)
    return line_order(result)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """What windows see, in lines.

    Parameters
    ----------
    kernel, stride, dilation, padding, empty
        As in :func:`conv`.
    width : int
        Of the result.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Quad
    width: int
    empty: Empty

    def slab(self, x: Values, first: int, count: int) -> Values:
        """Return what rows of the result see: rows of the input, once for each tap of a row."""
        begin = first * self.stride[0] - self.padding[0]
        end = begin + (count - 1) * self.stride[0] + self.kernel[0]
        plain = self.kernel == (1, 1) and self.stride[1] == 1 and not any(self.padding)
        if plain and x.flags.c_contiguous:
            return x[begin:end, None]
        shape = (end - begin, self.kernel[1], x.shape[1], self.width, x.shape[3])
        slab = self.empty(shape, x.dtype)
        top, bottom = (min(max(edge - begin, 0), end - begin) for edge in (0, len(x)))
        slab[:top] = 0
        slab[bottom:] = 0
        inside = x[begin + top : begin + bottom]
        for tap in range(self.kernel[1]):
            self._shift(inside, tap, slab[top:bottom, tap])
        return slab

    def _shift(self, x: Values, tap: int, target: Values) -> None:
        """Copy what one tap of a kernel row sees at each place; zeros outside the map."""
        step, start = self.stride[1], tap * self.dilation[1] - self.padding[1]
        first = min(self.width, max(0, -(start // step)))
        last = max(first, min(self.width, (x.shape[2] - 1 - start) // step + 1))
        target[:, :, :first] = 0
        target[:, :, last:] = 0
        if last > first:
            left = first * step + start
            right = left + (last - first - 1) * step + 1
            target[:, :, first:last] = x[:, :, left:right:step]


def _multiply(matrix: Values, slab: Values, lines: Lines, result: Values) -> None:
    """Multiply by the lines that each row of the result sees, in pieces of equal width."""
    height, outputs, width, batch = result.shape
    depth, columns, item = matrix.shape[1], width * batch, slab.itemsize
    piece = _piece(columns, outputs * depth)
    row = slab.shape[1] * slab.shape[2] * columns * item
    seen = as_strided(
        slab,
        (height, columns // piece, depth, piece),
        (lines.stride[0] * row, piece * item, columns * item, item),
        writeable=False,
    )
    target = result.reshape(height, outputs, -1, piece).swapaxes(1, 2)
    np.matmul(matrix, seen, out=target)


def _piece(columns: int, per_column: int) -> int:
    """Return into how wide products to cut: without packing if pieces of equal width can be."""
    for pieces in range(-(-columns * per_column // PRODUCT), columns // LANES + 1):
        if pieces and columns % (pieces * LANES) == 0:
            return columns // pieces
    return columns
