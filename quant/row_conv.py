"""Convolution by one matrix product for each row of its result, without columns of windows.

Maps keep their axes ``(channels, batch, height, width)``, but lie in memory as ``(height, channels,
width, batch)``. The input is copied once for each tap of a kernel row, shifted by that tap's place,
into a slab ``(height, taps, channels, width, batch)``. There, all that a row of the result sees is
a run of lines at one distance: a matrix that BLAS reads where it lies. Its neighbours overlap it.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from .buffers import Buffers
from .kernels import Pair, Quad, output_size

__all__ = ["conv", "fits", "line_order", "matrix_of", "row_order"]

Values = NDArray[Any]

#: Fewest samples; for less, one product for the whole map is faster.
LEAST_BATCH = 4

#: Most multiplications of a product: OpenBLAS does up to 100**3 without packing its operands first.
PRODUCT = 100**3

#: Columns of a product that is cut to ``PRODUCT``: whole vector registers.
LANES = 16


def row_order(maps: Values) -> Values:
    """Return maps in this module's order in memory, copied unless they are in it."""
    return line_order(np.ascontiguousarray(maps.transpose(2, 0, 3, 1)))


def line_order(rows: Values) -> Values:
    """Return the view ``(channels, batch, height, width)`` of ``(height, channels, width, batch)``."""
    return rows.transpose(1, 3, 0, 2)


def matrix_of(weight: Values) -> Values:
    """Return weights ``(outputs, channels, height, width)`` as the matrix that :func:`conv` takes."""
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
    buffers: Buffers,
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
    buffers : Buffers
        Where memory comes from.
    """
    channels, batch, tall, wide = x.shape
    height = output_size(tall, kernel[0], stride[0], dilation[0], padding[0] + padding[2])
    width = output_size(wide, kernel[1], stride[1], dilation[1], padding[1] + padding[3])
    result = buffers.empty((height, len(matrix), width, batch), x.dtype)
    depth, outputs = channels // groups, len(matrix) // groups
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        part = x[group * depth : (group + 1) * depth]
        slab = _slab(part, (height, width), kernel, stride, dilation, padding, buffers)
        _multiply(matrix[rows], slab, kernel[0], stride[0], result[:, rows])
    return line_order(result)


def _slab(
    x: Values,
    size: Pair,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    padding: Quad,
    buffers: Buffers,
) -> Values:
    """Return the rows that windows see, once for each tap of a kernel row."""
    source = x.transpose(2, 0, 3, 1)
    if kernel == (1, 1) and stride[1] == 1 and not any(padding) and source.flags.c_contiguous:
        return source[:, None]
    lines = (size[0] - 1) * stride[0] + kernel[0]
    top = min(lines, padding[0])
    bottom = min(lines, top + len(source))
    slab = buffers.empty((lines, kernel[1], x.shape[0], size[1], x.shape[1]), x.dtype)
    slab[:top] = 0
    slab[bottom:] = 0
    for tap in range(kernel[1]):
        _shift(slab[top:bottom, tap], source[: bottom - top], stride[1], tap, dilation, padding)
    return slab


def _shift(
    target: Values, source: Values, step: int, tap: int, dilation: Pair, padding: Quad
) -> None:
    """Copy what one tap of a kernel row sees at each place; zeros outside the map."""
    start, (places, wide) = tap * dilation[1] - padding[1], (target.shape[2], source.shape[2])
    first = min(places, max(0, -(start // step)))
    last = max(first, min(places, (wide - 1 - start) // step + 1))
    target[:, :, :first] = 0
    target[:, :, last:] = 0
    if last > first:
        left = first * step + start
        right = left + (last - first - 1) * step + 1
        target[:, :, first:last] = source[:, :, left:right:step]


def _multiply(matrix: Values, slab: Values, tall: int, stride: int, result: Values) -> None:
    """Multiply by the lines that each row of the result sees, in pieces of equal width."""
    height, outputs, width, batch = result.shape
    lines, columns, item = matrix.shape[1], width * batch, slab.itemsize
    piece = _piece(columns, outputs * lines)
    pieces = columns // piece
    row = slab.shape[1] * slab.shape[2] * columns * item
    seen = as_strided(
        slab,
        (height, pieces, lines, piece),
        (stride * row, piece * item, columns * item, item),
        writeable=False,
    )
    target = result.reshape(height, outputs, pieces, piece).swapaxes(1, 2)
    np.matmul(matrix, seen, out=target)


def _piece(columns: int, per_column: int) -> int:
    """Return into how wide products to cut: without packing if pieces of equal width can be."""
    for pieces in range(-(-columns * per_column // PRODUCT), columns // LANES + 1):
        if pieces and columns % (pieces * LANES) == 0:
            return columns // pieces
    return columns
