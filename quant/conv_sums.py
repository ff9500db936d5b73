"""Accumulators of a convolution, exact in floating point, prepared for any number of calls."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels, row_conv
from .graph import Conv

__all__ = ["FLOAT32_EXACT", "ConvSums"]

Array = NDArray[Any]

#: Integers of at most this magnitude are exact in float32.
FLOAT32_EXACT = 1 << 24


class ConvSums:
    """Exact accumulators of a convolution, bias included, times powers of two.

    A power of two scales every product and every sum alike, so what is exact stays exact.

    Parameters
    ----------
    node : Conv
        The layer.
    largest : int
        Largest magnitude of an input's code.
    factors : float array
        Powers of two: one, or one per output channel.
    empty : callable
        Where memory comes from.
    """

    def __init__(
        self, node: Conv, largest: int, factors: Array, empty: kernels.Empty = np.empty
    ) -> None:
        weight = node.weight.astype(np.float32)
        reach = _sums(weight.reshape(len(weight), -1)) * largest
        bound = int((reach + np.abs(node.bias.astype(np.int64))).max())
        scale = factors.reshape(-1, 1, 1, 1)
        self.node, self.parts = node, [slice(None)]
        self.empty = empty
        self.type: type[np.floating[Any]] = np.float32
        if bound > FLOAT32_EXACT:
            each = _sums(weight.reshape(*weight.shape[:2], -1)) * largest
            if node.groups > 1 or int(each.max()) > FLOAT32_EXACT:
                self.type = np.float64
            else:
                self.parts = _parts(each)
        weight = weight.astype(self.type, copy=False)
        weight *= scale.astype(self.type)
        self.weights = [weight[:, part] for part in self.parts]
        self.matrices: dict[int, Array] = {}
        self.bias = node.bias.astype(np.float64).reshape(-1, 1, 1, 1) * scale
        self.exact = bound <= FLOAT32_EXACT or self.type is np.float64
        if self.exact:  # else products are added in float64, a single one to its bias as well
            self.bias = self.bias.astype(self.type)

    def __call__(self, x: Array) -> Array:
        """Return float accumulators of codes in float32, ``(channels, batch, height, width)``."""
        x = x.astype(self.type, copy=False)
        if not self.exact:
            total = self.bias
            for index, part in enumerate(self.parts):
                total = total + self._product(x[part], index)
            return total
        total = self._product(x, 0)
        total += self.bias
        return total

    def _product(self, x: Array, index: int) -> Array:
        node, weight = self.node, self.weights[index]
        if row_conv.fits(x, weight, node.dilation):
            if index not in self.matrices:
                self.matrices[index] = row_conv.matrix_of(weight)
            return row_conv.conv(
                x,
                self.matrices[index],
                kernel=(weight.shape[2], weight.shape[3]),
                stride=node.stride,
                dilation=node.dilation,
                padding=node.padding,
                groups=node.groups,
                empty=self.empty,
            )
        return kernels.conv(
            x,
            weight,
            stride=node.stride,
            dilation=node.dilation,
            padding=node.padding,
            groups=node.groups,
            empty=self.empty,
        )


def _sums(weight: Array) -> NDArray[np.int64]:
    """Return exact sums of the magnitudes of weights along the last axis."""
    rows = weight.reshape(-1, weight.shape[-1])
    kind: type[np.floating[Any]] = np.float32
    if rows.shape[1] << 7 > FLOAT32_EXACT:
        kind = np.float64
    ones: Array = np.ones(rows.shape[1], kind)
    step = max(1, kernels.CACHED // rows.shape[1])
    sums = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), step):
        sizes: Array = np.abs(rows[start : start + step]).astype(kind, copy=False)
        sums[start : start + step] = sizes @ ones if len(ones) > 1 else sizes[:, 0]
    return sums.reshape(weight.shape[:-1])


def _parts(reach: NDArray[np.int64]) -> list[slice]:
    """Split input channels so that no sum over a part can leave the exact range of float32."""
    totals, start = reach.cumsum(1), 0
    parts: list[slice] = []
    while True:
        before = totals[:, start - 1 : start] if start else 0
        beyond = ((totals[:, start:] - before) > FLOAT32_EXACT).any(0)
        if not beyond.any():
            return [*parts, slice(start, reach.shape[1])]
        parts.append(slice(start, start + int(beyond.argmax())))
        start = parts[-1].stop
