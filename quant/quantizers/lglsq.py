"""LG-LSQ: learned gradient linear symmetric quantization (Lin et al., 2022, arXiv 2202.09009).

Only the abstract of the paper could be read. It names three parts: a scaling simulated gradient
for the step, an arctangent soft round instead of the straight-through estimator, and minimized
discretization error. What is here:

- sourced: the linear symmetric quantizer; the three-point probe, its initialisation and the
  integer-only scales of the ancestor LLSQ (Zhao et al., ICLR 2020), from its author's code;
- reconstruction: the formula of the arctangent round (the natural one that hits the integers).

The deployed quantizer depends on none of the reconstructed parts.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import atan, ceil, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparators import Boundary

__all__ = [
    "Lglsq",
    "arctan_round",
    "arctan_slope",
    "decide",
    "fixed_point_scales",
    "initial_step",
    "probe",
]

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Lglsq:
    """Linear symmetric quantizer with a real step: ``clip(round(x / step), low, high) * step``.

    Parameters
    ----------
    step : float
        Of the tensor.
    bits, signed
        Of a code.
    narrow : bool
        Leave out the most negative code.

    Raises
    ------
    ValueError
        A field lies outside its range.
    """

    step: float
    bits: int
    signed: bool
    narrow: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step < float("inf"):
            raise ValueError(f"step must be positive and finite, not {self.step}")
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits must be 1…8, not {self.bits}")

    @property
    def low(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) + self.narrow if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - self.signed)) - 1

    def codes(self, values: Array) -> NDArray[np.int64]:
        """Return integers, rounded half to even."""
        scaled = np.rint(np.asarray(values, np.float64) / self.step)
        return np.clip(scaled, self.low, self.high).astype(np.int64)

    def values(self, values: Array) -> Floats:
        """Return the values that the codes stand for."""
        return self.codes(values) * np.float64(self.step)

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return the comparators; a tie belongs to the even one of its two codes."""
        step = Fraction(self.step)
        return tuple(
            Boundary(step * Fraction(2 * code - 1, 2), included=code % 2 == 0)
            for code in range(self.low + 1, self.high + 1)
        )


def initial_step(values: Array, bits: int, signed: bool, method: str = "llsq") -> float:
    """Return where training starts.

    Parameters
    ----------
    values : float array
        Weights, or calibration data.
    bits, signed
        The quantizer.
    method : str
        ``"llsq"``: ``max|x| / (high + 1)``, for unsigned values of up to 3 bits
        ``max|x| / (2 high)``; ``"lsq"``: ``2 mean|x| / sqrt(high)`` (Esser et al., ICLR 2020);
        ``"mse"``: the least squared error among 64 steps over three octaves below the first.
    """
    high = (1 << (bits - signed)) - 1
    magnitudes = np.abs(np.asarray(values, np.float64))
    if method == "lsq":
        return float(2 * magnitudes.mean() / sqrt(max(high, 1)))
    if method == "mse":
        return _least_error(np.asarray(values, np.float64), bits, signed)
    if method != "llsq":
        raise ValueError(f"method must be llsq, lsq or mse, not {method}")
    few = not signed and bits <= 3
    return float(magnitudes.max() / (2 * high if few else high + 1))


def _least_error(values: Floats, bits: int, signed: bool) -> float:
    """Return the step with the least squared error on at most 2**15 of the values."""
    x = values.ravel()[:: max(1, values.size >> 15)]
    low, high = (-(1 << (bits - 1)) if signed else 0), (1 << (bits - signed)) - 1
    largest = float(np.abs(values).max()) / max(high, 1)
    if largest == 0:
        return 1.0
    steps = largest * 2.0 ** (-np.arange(64) / 21)
    errors = [float(((x - np.clip(np.rint(x / s), low, high) * s) ** 2).sum()) for s in steps]
    return float(steps[int(np.argmin(errors))])


def decide(half: float, one: float, two: float) -> int:
    """Return LLSQ's direction from errors at half the step, the step, and twice the step.

    Returns
    -------
    int
        1: grow; -1: shrink; 0: keep.
    """
    before, after = one - half, two - one
    if before < 0:
        return 1 if after <= 0 else 0
    return 1 if after <= 0 and before + after < 0 else -1


def probe(values: Array, quantizer: Lglsq) -> int:
    """Return LLSQ's direction for mean squared errors of some values (three-point probe)."""
    errors = []
    for factor in (0.5, 1.0, 2.0):
        probed = Lglsq(
            step=quantizer.step * factor,
            bits=quantizer.bits,
            signed=quantizer.signed,
            narrow=quantizer.narrow,
        )
        errors.append(float(np.mean((values - probed.values(values)) ** 2)))
    return decide(*errors)


def arctan_round(values: Array, sharpness: float) -> Floats:
    """Return the soft round ``floor(x) + 1/2 + atan(k u) / (2 atan(k / 2))``.

    Here ``u = frac(x) - 1/2`` and ``k`` is the sharpness. It meets the integers; ``k -> 0`` is the
    identity, ``k -> inf`` rounds. (Reconstruction.)
    """
    below = np.floor(values)
    inside = np.arctan(sharpness * (values - below - 0.5))
    result: Floats = below + 0.5 + inside / (2 * atan(sharpness / 2))
    return result


def arctan_slope(values: Array, sharpness: float) -> Floats:
    """Return the derivative ``k / (2 atan(k / 2) (1 + k**2 u**2))``: positive, mean 1 per cell."""
    inside = sharpness * (values - np.floor(values) - 0.5)
    result: Floats = sharpness / (2 * atan(sharpness / 2)) / (1 + inside**2)
    return result


def fixed_point_scales(scales: Array, bits: int = 8) -> tuple[NDArray[np.int64], int]:
    """Return LLSQ's integer-only scales: mantissas of some bits and their common exponent.

    ``mantissa = clip(round(scale * 2**(bits - il)))`` with ``il = ceil(log2 max) + 1``.
    """
    exponent = ceil(log2(float(np.max(scales)))) + 1 - bits
    rounded = np.rint(np.ldexp(np.asarray(scales, np.float64), -exponent))
    return np.clip(rounded, 0, (1 << (bits - 1)) - 1).astype(np.int64), exponent
