"""Shift requantization: from exact accumulators to narrow codes, by shifts alone.

The pipeline has two stages (``docs/isa.md`` draws it)::

    a = acc + bias                                  exact, 33 bits
    b = clamp(shift_round(a, shift), low, high)     16 bits
    c = b + addend                                  17 bits: residual or second bias
    y = clamp(shift_round(c, out_shift), out_low, out_high)

The common one-stage form puts the whole scale into the first stage and leaves the second as the
identity. TQT's published integer path rounds twice and uses both (arXiv 1903.08066, Graffitist's
precision rules).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["MID_HIGH", "MID_LOW", "Requantize", "Rounding", "requantize", "shift_round"]

#: Range of the value between the two stages.
MID_LOW, MID_HIGH = -(1 << 15), (1 << 15) - 1

#: Largest left shift of the second stage.
MAX_LEFT_SHIFT = 8


class Rounding(IntEnum):
    """What happens to the bits that a right shift drops."""

    #: To the nearest, ties to the even neighbour (TQT, ONNX).
    HALF_EVEN = 0
    #: To the nearest, ties towards positive infinity.
    HALF_UP = 1
    #: Towards negative infinity (TQT's average pool).
    FLOOR = 2
    #: To the nearest, ties away from zero.
    HALF_AWAY = 3


def shift_round(
    values: NDArray[np.int64], shift: int | NDArray[np.int64], rounding: Rounding
) -> NDArray[np.int64]:
    """Return ``values / 2**shift`` as integers; a negative shift multiplies, exactly.

    Parameters
    ----------
    values : int64 array
        Codes of any shape, magnitude below 2**53.
    shift : int or int64 array
        Right shift, at most 40; an array broadcasts against ``values``.
    rounding : Rounding
        Applies to right shifts.
    """
    amount = np.asarray(shift, dtype=np.int64)
    right = np.maximum(amount, 0)
    left = np.maximum(-amount, 0)
    floor = values >> right
    if rounding is not Rounding.FLOOR and right.any():
        remainder = values - (floor << right)
        half = (np.int64(1) << right) >> 1
        if rounding is Rounding.HALF_EVEN:
            up = (remainder > half) | ((remainder == half) & (floor & 1 == 1))
        elif rounding is Rounding.HALF_UP:
            up = remainder >= half
        else:
            up = (remainder > half) | ((remainder == half) & (values >= 0))
        floor = floor + (up & (right > 0))
    result: NDArray[np.int64] = floor << left
    return result


@dataclass(frozen=True, kw_only=True)
class Requantize:
    """One layer's requantization, as the vector unit carries it out.

    Parameters
    ----------
    shift : tuple of int
        First-stage right shift, 0…31: one for the tensor, or one per output channel.
    rounding : Rounding
        Of both stages.
    low, high : int
        Clamp after the first stage, within 16 bits.
    out_shift : int
        Second-stage right shift, -8…15; negative shifts left.
    out_low, out_high : int
        Clamp after the second stage: within -128…255 for codes that are stored, within 16 bits for
        those that only go on into an addition.

    Raises
    ------
    ValueError
        A field lies outside its range.
    """

    shift: tuple[int, ...] = (0,)
    rounding: Rounding = Rounding.HALF_EVEN
    low: int = MID_LOW
    high: int = MID_HIGH
    out_shift: int = 0
    out_low: int = -128
    out_high: int = 127

    def __post_init__(self) -> None:
        if not self.shift or not all(0 <= s <= 31 for s in self.shift):
            raise ValueError(f"shift must be 0…31 per channel, not {self.shift}")
        if not MID_LOW <= self.low <= self.high <= MID_HIGH:
            raise ValueError(
                f"low, high must be ordered 16-bit values, not {self.low}, {self.high}"
            )
        if not -MAX_LEFT_SHIFT <= self.out_shift <= 15:
            raise ValueError(f"out_shift must be -8…15, not {self.out_shift}")
        if not MID_LOW <= self.out_low <= self.out_high <= MID_HIGH:
            raise ValueError(
                f"out_low, out_high must be ordered 16-bit values, "
                f"not {self.out_low}, {self.out_high}"
            )


def requantize(
    acc: NDArray[np.int64],
    params: Requantize,
    *,
    bias: NDArray[np.int64] | int = 0,
    addend: NDArray[np.int64] | int = 0,
    channel_axis: int = -1,
) -> NDArray[np.int64]:
    """Carry out both stages on whole arrays.

    Parameters
    ----------
    acc : int64 array
        Exact accumulators.
    params : Requantize
        A per-channel ``shift`` broadcasts along ``channel_axis``.
    bias : int64 array or int
        Added before the first stage; must broadcast against ``acc``.
    addend : int64 array or int
        Added between the stages (residual codes, already shifted, or a 16-bit bias).
    channel_axis : int
        Axis of ``acc`` that holds output channels.
    """
    shape = [1] * acc.ndim
    shape[channel_axis] = len(params.shift)
    shift = np.asarray(params.shift, dtype=np.int64).reshape(shape)
    first = np.clip(shift_round(acc + bias, shift, params.rounding), params.low, params.high)
    second = shift_round(first + addend, params.out_shift, params.rounding)
    result: NDArray[np.int64] = np.clip(second, params.out_low, params.out_high)
    return result
