"""QIL: quantization intervals learned from the task (Jung et al., CVPR 2019, arXiv 1808.05779).

A transformer maps the interval ``centre ± distance`` to ``0 … 1``, a discretizer rounds it. There
is no scale afterwards: codes over ``levels`` are the values, and batch norm absorbs magnitudes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparators import Boundary

__all__ = ["Qil"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Qil:
    """Transform, then discretize (Fig. 2 of the paper).

    Weights (signed): ``0`` where ``|w| < c - d``, ``sign(w)`` where ``|w| > c + d``, otherwise
    ``sign(w) * (alpha * |w| + beta)**gamma`` with ``alpha = 0.5 / d``, ``beta = 0.5 - 0.5 c / d``.
    Activations (unsigned): the same without sign, and ``gamma = 1``. Then ``round(v * q) / q``.
    The paper does not say which way ties go; here they go away from zero, so that the quantizer
    is a bank of comparators ``|x| >= boundary``.

    Parameters
    ----------
    centre, distance : float
        The interval ``c``, ``d``.
    gamma : float
        Exponent of the weights' transformer; below 1 concave, above 1 convex.
    bits : int
        Signed codes are ``-q … q`` with ``q = 2**(bits - 1) - 1``, unsigned ones ``0 … q`` with
        ``q = 2**bits - 1``.
    signed : bool
        Weights, and activations that can be negative; or activations that cannot.

    Raises
    ------
    ValueError
        A field lies outside its range.
    """

    centre: float
    distance: float
    gamma: float = 1.0
    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if self.distance <= 0 or self.gamma <= 0:
            raise ValueError(f"distance, gamma must be positive, not {self.distance}, {self.gamma}")
        if not 1 + self.signed <= self.bits <= 8:
            raise ValueError(f"bits must be {1 + self.signed}…8, not {self.bits}")

    @property
    def levels(self) -> int:
        """Largest code, ``q``."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def high(self) -> int:
        """Largest code."""
        return self.levels

    @property
    def low(self) -> int:
        """Smallest code."""
        return -self.levels if self.signed else 0

    def transform(self, values: Array) -> NDArray[np.float64]:
        """Return the transformed values, in ``-1 … 1`` or ``0 … 1``."""
        x = np.asarray(values, np.float64)
        magnitude = np.abs(x) if self.signed else x
        place = (magnitude - (self.centre - self.distance)) / (2 * self.distance)
        shaped = np.clip(place, 0.0, 1.0) ** self.gamma
        result: NDArray[np.float64] = np.sign(x) * shaped if self.signed else shaped
        return result

    def codes(self, values: Array) -> NDArray[np.int64]:
        """Return integers; their values are ``codes / levels``."""
        transformed = self.transform(values)
        rounded = np.floor(np.abs(transformed) * self.levels + 0.5)
        return np.copysign(rounded, transformed).astype(np.int64)

    def values(self, values: Array) -> NDArray[np.float64]:
        """Return the values that the codes stand for."""
        return self.codes(values) / self.levels

    def magnitudes(self) -> tuple[float, ...]:
        """Return the magnitude at which each level begins: pruning first, clipping last.

        Level ``k`` begins at ``c - d + 2 d ((k - 1/2) / q)**(1 / gamma)``.
        """
        start, width = self.centre - self.distance, 2 * self.distance
        places = (np.arange(1, self.levels + 1) - 0.5) / self.levels
        return tuple((start + width * places ** (1 / self.gamma)).tolist())

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return the comparators of activations, for :func:`.comparators.integer_bank`.

        Signed ones mirror the unsigned; zero itself keeps code 0, whatever the interval is.
        """
        if not self.signed:
            return tuple(Boundary(value) for value in self.magnitudes())
        rising = [Boundary(max(value, 0.0), included=value > 0) for value in self.magnitudes()]
        falling = [Boundary(-b.value, included=not b.included) for b in reversed(rising)]
        return (*falling, *rising)
