"""From a quantizer and a batch norm to integer thresholds: a bank of comparators per channel.

``y = low + sum_k [acc >= T[c, k]]`` needs no multiplier and is exact for every monotone quantizer,
whatever its real scales are: the thresholds are found with rational numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Boundary", "ComparatorBank", "fold_batch_norm", "integer_bank", "least_integer"]

Array = NDArray[Any]

#: Accumulators: 32 bits, with room for a threshold above the largest one and below the least.
REACH = (2 - (1 << 31), (1 << 31) - 2)

#: Comparators of a channel: outputs of up to 4 bits.
MOST = 15


@dataclass(frozen=True)
class Boundary:
    """Where a quantizer's output rises by one.

    Parameters
    ----------
    value : float or Fraction
        A real number, taken exactly.
    included : bool
        Whether the upper level holds at the value itself (``>=``), or only above it (``>``).
    """

    value: float | Fraction
    included: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparatorBank:
    """Integer thresholds: ``y = low + sum_k [acc >= thresholds[c, k]]``.

    Parameters
    ----------
    thresholds : int64 array
        ``(channels, levels - 1)``, sorted along the second axis.
    low : int
        Smallest output.
    flipped : bool array
        Channels whose slope is negative: the thresholds are for ``-acc``. The layer before
        negates their weights and biases, and nothing is left to do at run time.
    """

    thresholds: NDArray[np.int64]
    low: int
    flipped: NDArray[np.bool_]

    def codes(self, acc: NDArray[np.int64], axis: int = 0) -> NDArray[np.int64]:
        """Return the output for accumulators of the original, not negated, layer."""
        channels_last = np.moveaxis(acc, axis, -1)
        turned = np.where(self.flipped, -channels_last, channels_last)
        reached = turned[..., None] >= self.thresholds
        return np.moveaxis(self.low + reached.sum(axis=-1), -1, axis)


def fold_batch_norm(
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    variance: Array,
    gamma: Array,
    beta: Array,
    epsilon: float = 1e-5,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``gain``, ``offset`` with ``batch_norm(acc * scale + bias) = acc * gain + offset``.

    Parameters
    ----------
    scale, bias : float array
        What one unit of the accumulator is worth, and the layer's bias, per channel.
    mean, variance, gamma, beta : float array
        The batch norm.
    epsilon : float
        Added to the variance.
    """
    factor = np.asarray(gamma, np.float64) / np.sqrt(np.asarray(variance, np.float64) + epsilon)
    return factor * scale, factor * (np.asarray(bias, np.float64) - mean) + beta


def integer_bank(
    boundaries: Sequence[Boundary],
    gain: Array,
    offset: Array,
    *,
    low: int,
    reach: tuple[int, int] = REACH,
) -> ComparatorBank:
    """Return the thresholds of ``quantizer(acc * gain + offset)``, exactly.

    Parameters
    ----------
    boundaries : sequence of Boundary
        Ascending, at most 15; a quantizer's ``boundaries()``.
    gain, offset : float array
        Per channel; see :func:`fold_batch_norm`.
    low : int
        The quantizer's smallest code.
    reach : tuple of int
        Smallest and largest accumulator that can occur. A comparator that always holds gets the
        smallest as threshold, one that never does the largest plus one; both are mirrored for
        flipped channels.

    Raises
    ------
    ValueError
        The boundaries are too many or not sorted, or a number is not finite.
    """
    if not 1 <= len(boundaries) <= MOST:
        raise ValueError(f"boundaries must be 1…{MOST}, not {len(boundaries)}")
    if any(a.value > b.value for a, b in pairwise(boundaries)):
        raise ValueError(f"boundaries must be sorted, not {[b.value for b in boundaries]}")
    gains, offsets = np.broadcast_arrays(np.atleast_1d(gain), np.atleast_1d(offset))
    if not np.isfinite(gains).all() or not np.isfinite(offsets).all():
        raise ValueError("gain, offset must be finite")
    flipped = gains < 0
    rows = [
        _row(boundaries, Fraction(float(abs(g))), Fraction(float(o)), _mirrored(reach, turn))
        for g, o, turn in zip(gains, offsets, flipped, strict=True)
    ]
    return ComparatorBank(thresholds=np.array(rows, np.int64), low=low, flipped=flipped)


def _mirrored(reach: tuple[int, int], turn: bool) -> tuple[int, int]:
    return (-reach[1], -reach[0]) if turn else reach


def _row(
    boundaries: Sequence[Boundary], gain: Fraction, offset: Fraction, reach: tuple[int, int]
) -> list[int]:
    """Return the thresholds of one channel whose gain is not negative."""
    least, never = reach[0], reach[1] + 1
    found = [least_integer(boundary, gain, offset, least, never) for boundary in boundaries]
    return [min(max(value, least), never) for value in found]


def least_integer(
    boundary: Boundary, gain: Fraction, offset: Fraction, always: int, never: int
) -> int:
    """Return the least integer at which a comparator holds.

    Parameters
    ----------
    boundary : Boundary
        What ``integer * gain + offset`` has to reach.
    gain, offset : Fraction
        The gain is not negative.
    always, never : int
        Returned where every integer reaches the boundary, or none does.
    """
    if boundary.value in (float("inf"), float("-inf")):
        return never if boundary.value > 0 else always
    missing = Fraction(boundary.value) - offset
    if gain == 0:
        return always if missing < 0 or (missing == 0 and boundary.included) else never
    place = missing / gain
    return ceil(place) if boundary.included else floor(place) + 1
