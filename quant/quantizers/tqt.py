"""TQT: trained thresholds, one power of two per scale (Jain et al., MLSys 2020, arXiv 1903.08066).

The trainable twin of this file is :mod:`shiftloom.quant.train.tqt`; both give the same codes.
"""

from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.requantize import Requantize, Rounding
from ..drafts import one_stage
from ..thresholds import kl_j, max_threshold, three_sigma

__all__ = ["Tqt", "initial_log2_t", "one_stage_form", "two_stage_form"]

Array = NDArray[Any]
Codes = NDArray[np.int64]

#: Smallest threshold that an initialisation returns: all values of a tensor may be zero.
LEAST = 2.0**-24


@dataclass(frozen=True, kw_only=True)
class Tqt:
    """Quantize with ``s = 2**ceil(log2 t) / 2**(bits - signed)`` (eq. 4).

    ``q(x) = clip(round(x / s), n, p) * s``: symmetric, without zero point, over the full range
    ``n = -2**(bits - 1)`` and ``p = 2**(bits - 1) - 1``, or ``0`` and ``2**bits - 1``.

    Parameters
    ----------
    log2_t : tuple of float
        The trained parameter: one for the tensor, or one per channel.
    bits, signed
        Of a code.
    axis : int
        Where channels lie, if there are several thresholds.
    rounding : Rounding
        ``HALF_EVEN``; Graffitist rounds the output of average pools by ``FLOOR``.

    Raises
    ------
    ValueError
        A field lies outside its range.
    """

    log2_t: tuple[float, ...]
    bits: int
    signed: bool
    axis: int = 0
    rounding: Rounding = Rounding.HALF_EVEN

    def __post_init__(self) -> None:
        if not self.log2_t or not np.isfinite(self.log2_t).all():
            raise ValueError(f"log2_t must be finite numbers, not {self.log2_t}")
        if not 1 <= self.bits <= 16:
            raise ValueError(f"bits must be 1…16, not {self.bits}")
        if self.rounding not in (Rounding.HALF_EVEN, Rounding.FLOOR):
            raise ValueError(f"rounding must be HALF_EVEN or FLOOR, not {self.rounding}")

    @property
    def low(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return self.low + (1 << self.bits) - 1

    @property
    def exponents(self) -> tuple[int, ...]:
        """Power of two of one code step, for the tensor or per channel."""
        return tuple(ceil(value) - (self.bits - self.signed) for value in self.log2_t)

    def codes(self, values: Array) -> Codes:
        """Return integers: scaled, rounded, then saturated."""
        scaled = np.ldexp(np.asarray(values, np.float64), -self._steps(values.ndim))
        rounded = np.rint(scaled) if self.rounding is Rounding.HALF_EVEN else np.floor(scaled)
        return np.clip(rounded, self.low, self.high).astype(np.int64)

    def values(self, values: Array) -> NDArray[np.float64]:
        """Return the values that the codes stand for."""
        result: NDArray[np.float64] = np.ldexp(
            self.codes(values).astype(np.float64), self._steps(values.ndim)
        )
        return result

    def _steps(self, dimensions: int) -> NDArray[np.int64]:
        steps = np.array(self.exponents)
        if steps.size == 1:
            return steps.reshape(())
        shape = [1] * dimensions
        shape[self.axis] = steps.size
        return steps.reshape(shape)


def initial_log2_t(
    values: Array, method: str, *, bits: int, signed: bool, axis: int | None = None
) -> tuple[float, ...]:
    """Return where training starts, as Graffitist calibrates.

    Parameters
    ----------
    values : float array
        Weights, or calibration data of an activation.
    method : str
        ``"max"`` (weights that are not trained), ``"3sd"`` (weights before training) or
        ``"kl-j"`` (everything else).
    bits, signed
        The quantizer.
    axis : int, optional
        One threshold for each index of this axis; one for the tensor if absent.
    """
    parts = [values] if axis is None else list(np.moveaxis(values, axis, 0))
    found = [_threshold(part, method, bits, signed) for part in parts]
    return tuple(log2(max(threshold, LEAST)) for threshold in found)


def _threshold(values: Array, method: str, bits: int, signed: bool) -> float:
    if method == "max":
        return max_threshold(values)
    if method == "3sd":
        return three_sigma(values)
    if method == "kl-j":
        return kl_j(values, bits, signed)
    raise ValueError(f"method must be max, 3sd or kl-j, not {method}")


def one_stage_form(accumulator: tuple[int, ...], output: Tqt, *, relu: bool = False) -> Requantize:
    """Return the shifts from accumulators to an output that round once.

    Parameters
    ----------
    accumulator : tuple of int
        Exponents of the accumulator, which the bias has too.
    output : Tqt
        One threshold for the tensor.
    relu : bool
        Clamp at zero.
    """
    shifts = tuple(output.exponents[0] - step for step in accumulator)
    low = max(0, output.low) if relu else output.low
    return one_stage(shifts, low, output.high, output.rounding)


def two_stage_form(
    accumulator: tuple[int, ...], middle: Tqt, output: Tqt, *, relu: bool = False
) -> Requantize:
    """Return the shifts of the published integer path, ``q8(q16(acc) + q16(bias))``.

    Parameters
    ----------
    accumulator : tuple of int
        Exponents of the accumulator, without bias.
    middle : Tqt
        16 bits, one threshold that accumulator and bias share; the bias is added in its codes.
    output : Tqt
        One threshold for the tensor.
    relu : bool
        Clamp the sum at zero.
    """
    between = middle.exponents[0]
    return Requantize(
        shift=tuple(between - step for step in accumulator),
        rounding=output.rounding,
        low=middle.low,
        high=middle.high,
        out_shift=output.exponents[0] - between,
        out_low=max(0, output.low) if relu else output.low,
        out_high=output.high,
    )
