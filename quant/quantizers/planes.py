"""Arithmetic of sign planes: scalars that are sums of powers of two, and dot products by popcount.

Plane products are ``P = n - 2 popcount(s XOR t)``. A padded place is zero, which a sign cannot be,
so it is masked: ``P = valid - 2 popcount((s XOR t) AND mask)``.
"""

from fractions import Fraction
from math import frexp, gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "integer_scalars",
    "masked_dot",
    "pack",
    "popcount",
    "powers_of",
    "signed_powers",
]

Array = NDArray[Any]
Words = NDArray[np.uint8]

#: Ones in each byte.
ONES = np.array([bin(byte).count("1") for byte in range(256)], np.int64)


def powers_of(value: float, terms: int, least: int = -16) -> tuple[tuple[int, int], ...]:
    """Return ``(sign, exponent)`` pairs whose sum is the nearest that so many terms reach.

    Each term is the power of two nearest to what is left, the larger one where two are as near.
    No term is below ``2**least``, and a value below that counts as ``2**least``.

    Parameters
    ----------
    value : float
        Positive.
    terms : int
        Most terms.
    least : int
        Smallest exponent.
    """
    rest, found = max(value, 2.0**least), []
    for _ in range(terms):
        if abs(rest) <= 2.0 ** (least - 1):
            break
        mantissa, exponent = frexp(abs(rest))
        nearest = max(least, exponent if mantissa >= 0.75 else exponent - 1)
        sign = 1 if rest > 0 else -1
        found.append((sign, nearest))
        rest -= sign * 2.0**nearest
    return tuple(found)


def signed_powers(values: Array, terms: int, least: int = -16) -> NDArray[np.float64]:
    """Return the nearest sums of at most ``terms`` signed powers of two; see :func:`powers_of`."""
    flat = [
        sum(sign * 2.0**exponent for sign, exponent in powers_of(float(value), terms, least))
        for value in np.ravel(values)
    ]
    return np.array(flat, np.float64).reshape(np.shape(values))


def integer_scalars(values: Array) -> tuple[NDArray[np.int64], int]:
    """Return integers ``c`` and an exponent ``e`` with ``values == c * 2**e``, exactly.

    With them an accumulator of planes is the integer ``sum_i c_i P_i``.

    Parameters
    ----------
    values : float array
        Sums of powers of two; see :func:`signed_powers`.

    Raises
    ------
    ValueError
        The values spread over more than 31 bits: they were not constrained.
    """
    exact = [Fraction(float(value)) for value in values]
    exponent = 1 - max(value.denominator for value in exact).bit_length()
    integers = [int(value / Fraction(2) ** exponent) for value in exact]
    common = gcd(*integers) or 1
    spare = (common & -common).bit_length() - 1
    codes = np.array([value >> spare for value in integers], np.int64)
    if abs(codes).max() >= 1 << 31:
        raise ValueError(f"scalars must be sums of few powers of two, not {values}")
    return codes, exponent + spare


def pack(signs: Array) -> Words:
    """Return signs -1 and 1, or bits 0 and 1, as bytes along the last axis; a set bit is +1."""
    return np.packbits(np.asarray(signs) > 0, axis=-1)


def popcount(words: Words) -> NDArray[np.int64]:
    """Return the set bits along the last axis."""
    result: NDArray[np.int64] = ONES[words].sum(axis=-1)
    return result


def masked_dot(a: Words, b: Words, mask: Words) -> NDArray[np.int64]:
    """Return dot products of sign vectors over the places that a mask has set.

    Parameters
    ----------
    a, b : uint8 array
        Packed signs.
    mask : uint8 array
        Packed: set where a place exists, clear where it is padding.
    """
    return popcount(mask) - 2 * popcount((a ^ b) & mask)
