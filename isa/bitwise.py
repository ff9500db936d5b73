"""Bitwise arithmetic: dot products of bits by population counts, and bits in words.

A *bit-plane* holds one bit of every code. A bit means 0 and 1 (unipolar) or -1 and +1 (bipolar); a
tensor is a sum of planes, each times a signed power of two. With ``p`` the population count over
the lanes that count, ``n`` of them, the dot product of operand bits ``a`` and weight bits ``w`` is:

======== ======== ===========================================
operands weights  dot product
======== ======== ===========================================
unipolar unipolar ``p(a & w)``
unipolar bipolar  ``2 p(a & w) - p(a)``
bipolar  unipolar ``2 p(a & w) - p(w)``
bipolar  bipolar  ``2 (2 p(a & w) - p(a) - p(w) + n/2)``
======== ======== ===========================================

so that columns count nothing but ``a & w``: ``p(a)`` is the same for all of them, and ``p(w)`` is
known when weights are loaded. The last row needs an even ``n``; it is the XNOR population count of
binary networks (LSBQ, arXiv 2001.02786). The first serves integers bit by bit.

A product of planes counts times a power of two. Accumulators are doubled between such products
(Horner's rule), those of the largest power first, so that nothing has to be shifted by more than 1.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bit_sums", "pack_bits", "part_bytes", "unpack_bits"]

Bits = NDArray[np.uint8]


def unpack_bits(words: NDArray[np.uint8]) -> Bits:
    """Return the bits of bytes ``(..., bytes)``: ``(..., 8 * bytes)``, lowest bit first."""
    return np.unpackbits(words, axis=-1, bitorder="little")


def pack_bits(bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return bytes that hold bits ``(..., 8 * bytes)``, lowest bit first."""
    return np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little")


def part_bytes(part: int, columns: int) -> slice:
    """Return which bytes of a word the bits of all lanes take, as its eighth ``part``."""
    size = columns // 8
    return slice(part * size, (part + 1) * size)


def bit_sums(
    operands: Bits, weights: Bits, count: int, bipolar_inputs: bool, bipolar_weights: bool
) -> NDArray[np.int64]:
    """Return the dot products of a tile.

    Parameters
    ----------
    operands : uint8 array
        Bits ``(pixels, lanes)``; those from lane ``count`` on do not matter.
    weights : uint8 array
        Bits ``(columns, lanes)``; those from lane ``count`` on must be 0 if they are not to count.
    count : int
        Lanes that count, ``n`` in the table above; even if both are bipolar.
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
    total = both.astype(np.int64)
    if not bipolar_weights and not bipolar_inputs:
        return total
    total *= 2
    if bipolar_weights:
        total -= masked.sum(axis=1, dtype=np.int64)[:, None]
    if bipolar_inputs:
        total -= weights.sum(axis=1, dtype=np.int64)
    return 2 * (total + count // 2) if bipolar_inputs and bipolar_weights else total
