"""Bitwise arithmetic: dot products of bits by population counts, and bits in words.

A *bit-plane* holds one bit of every code. A bit means 0 and 1 (unipolar) or -1 and +1 (bipolar); a
tensor is a sum of planes, each times a signed power of two. With ``p`` the population count over
the lanes that count, ``n`` of them, the dot product of operand bits ``a`` and weight bits ``w`` is

======== ======== ==========================
operands weights  sum
======== ======== ==========================
unipolar unipolar ``p(a & w)``
unipolar bipolar  ``2 p(a & w) - p(a)``
bipolar  bipolar  ``2 p(a ~^ w) - n``
bipolar  unipolar ``p(a ~^ w) + p(a) - n``
======== ======== ==========================

so that only one count is made per column; the others are the same for all columns. The third is
what least-squares binary networks need (LSBQ, arXiv 2001.02786), the first bit-serial integers.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bit_dot", "pack_bits", "unpack_bits"]

Bits = NDArray[np.uint8]


def unpack_bits(words: NDArray[np.uint8]) -> Bits:
    """Return the bits of bytes ``(..., bytes)``: ``(..., 8 * bytes)``, lowest bit first."""
    return np.unpackbits(words, axis=-1, bitorder="little")


def pack_bits(bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return bytes that hold bits ``(..., 8 * bytes)``, lowest bit first."""
    return np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little")


def bit_dot(
    operands: Bits, weights: Bits, count: int, bipolar_inputs: bool, bipolar_weights: bool
) -> NDArray[np.int64]:
    """Return the dot products of a tile, as the bit array makes them.

    Parameters
    ----------
    operands : uint8 array
        Bits ``(pixels, lanes)``; those from lane ``count`` on do not matter.
    weights : uint8 array
        Bits ``(columns, lanes)``; those from lane ``count`` on must be 1 for bipolar inputs and 0
        for unipolar ones, if they are not to count.
    count : int
        Lanes that count, ``n`` in the table above.
    bipolar_inputs, bipolar_weights : bool
        Meaning of the bits.

    Returns
    -------
    int64 array
        ``(pixels, columns)``.
    """
    masked = operands.copy()
    masked[:, count:] = 0
    # Products of bits are exact in float32, and their sums far below 2**24.
    a, w = masked.astype(np.float32), weights.astype(np.float32)
    ones = masked.sum(axis=1, dtype=np.int64)[:, None]
    both = (a @ w.T).astype(np.int64)
    if not bipolar_inputs:
        return 2 * both - ones if bipolar_weights else both
    agree = both + ((1 - a) @ (1 - w).T).astype(np.int64)
    return 2 * agree - count if bipolar_weights else agree + ones - count
