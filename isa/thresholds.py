"""Threshold requantization: from exact accumulators to codes of up to 4 bits, by comparison alone.

``y = low + sum_k [acc >= T[c, k]]`` with sorted integer thresholds per channel. Whatever a monotone
quantizer does behind a convolution (batch norm, real scales, uneven levels) is such a bank of
comparators, exactly, so it needs no multiplier. A threshold that occurs twice makes the code rise
by two there: bipolar codes ``{-1, +1}`` are ``low = -1`` and the same threshold twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_THRESHOLD_BITS", "NEVER", "Thresholds", "apply_thresholds", "threshold_bits"]

#: Widest output of a threshold bank.
MAX_THRESHOLD_BITS = 4

#: Threshold that no biased sum reaches: the compiler proves sums to be smaller.
NEVER = (1 << 31) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """A bank of comparators: ``y = low + sum_k [acc >= values[c, k]]``.

    Parameters
    ----------
    values : int32 array
        ``(channels, count)`` or ``(1, count)`` for all channels alike, 1…15 of them, sorted along
        the second axis.
    low : int
        Smallest code; ``low`` and ``low + count`` lie within -128…255.

    Raises
    ------
    ValueError
        Another shape, thresholds that are not sorted, or codes outside a byte.
    """

    values: NDArray[np.int32]
    low: int = 0

    def __post_init__(self) -> None:
        most = (1 << MAX_THRESHOLD_BITS) - 1
        shape = self.values.shape
        if len(shape) != 2 or not shape[0] or not 1 <= shape[1] <= most:
            raise ValueError(f"thresholds must be (channels, 1…{most}), not {shape}")
        if self.values.dtype != np.int32:
            raise ValueError(f"thresholds must be int32, not {self.values.dtype}")
        if (np.diff(self.values.astype(np.int64), axis=1) < 0).any():
            raise ValueError("thresholds must be sorted within each channel")
        if self.low < -128 or self.high > 255:
            raise ValueError(f"codes must lie within -128…255, not {self.low}…{self.high}")

    @property
    def high(self) -> int:
        """Largest code."""
        return self.low + int(self.values.shape[1])


def threshold_bits(count: int) -> int:
    """Return the width of the field that so many thresholds need: 1…4."""
    return count.bit_length()


def apply_thresholds(acc: NDArray[np.int64], bank: Thresholds) -> NDArray[np.int64]:
    """Return the codes of sums ``(..., channels)``.

    Parameters
    ----------
    acc : int64 array
        Exact sums, bias included, channels last.
    bank : Thresholds
        One row, or one per channel.
    """
    reached = acc[..., None] >= bank.values.astype(np.int64)
    codes: NDArray[np.int64] = bank.low + reached.sum(axis=-1, dtype=np.int64)
    return codes
