"""Bitwise arithmetic: dot products of bits by population counts, and bits in words.

A *bit-plane* holds one bit of every code. A bit means 0 and 1 (unipolar) or -1 and +1 (bipolar); a
tensor is a sum of planes, each times a signed power of two. With ``p`` the population count over
the lanes that count, ``n`` of them, the dot product of operand bits ``a`` and weight bits ``w`` is

======== ======== =======================================
operands weights  sum
======== ======== =======================================
unipolar unipolar ``p(a & w)``
unipolar bipolar  ``2 p(a & w) - p(a)``
bipolar  unipolar ``2 p(a & w) - p(w)``
bipolar  bipolar  ``4 p(a & w) - 2 p(a) - 2 p(w) + n``
======== ======== =======================================

so that columns count nothing but ``a & w``: ``p(a)`` is the same for all of them, and ``p(w)`` is
known when weights are loaded. The last is the XNOR population count of binary networks (LSBQ, arXiv
2001.02786), the first serves integers bit by bit.
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
        Bits ``(columns, lanes)``; those from lane ``count`` on must be 0 if they are not to count.
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
    both = masked.astype(np.float32) @ weights.astype(np.float32).T
    total = both.astype(np.int64) << (bipolar_inputs + bipolar_weights)
    if bipolar_weights:
        total -= masked.sum(axis=1, dtype=np.int64)[:, None] << bipolar_inputs
    if bipolar_inputs:
        total -= weights.sum(axis=1, dtype=np.int64) << bipolar_weights
    return total + (count if bipolar_inputs and bipolar_weights else 0)
