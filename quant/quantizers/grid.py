"""LSBQ's scalars on an integer grid, so that levels are small codes (arXiv 2001.02786).

With ``v_i = n_i 2**e`` the levels ``±v1 ± v2`` are integers times a power of two. A bank of
comparators makes them directly where they lie within 15 steps: a code that jumps by two there is a
threshold that occurs twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, gcd, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparators import MOST, Boundary
from .lsbq import Lsbq

__all__ = ["GridLsbq", "grid_scalars"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class GridLsbq:
    """Scaled signs with scalars ``n_i * 2**exponent``.

    Parameters
    ----------
    factors : tuple of int
        ``n_1 >= n_2 … >= 1``.
    exponent : int
        Of the grid.
    centred : bool
        Values are not negative; the lowest level is zero, so they are shifted by the sum of the
        scalars first. The shift belongs to the batch norm before the quantizer.

    Raises
    ------
    ValueError
        The levels need more than 15 steps.
    """

    factors: tuple[int, ...]
    exponent: int
    centred: bool = False

    def __post_init__(self) -> None:
        if not self.factors or min(self.factors) < 1:
            raise ValueError(f"factors must be positive, not {self.factors}")
        if self.levels[-1] - self.levels[0] > MOST:
            raise ValueError(f"levels must lie within {MOST} steps, not {self.levels}")

    @property
    def common(self) -> int:
        """What all levels are multiples of, on the grid."""
        return gcd(*self._on_grid()) or 1

    @property
    def levels(self) -> tuple[int, ...]:
        """Codes that occur, ascending."""
        return tuple(sorted(level // self.common for level in self._on_grid()))

    @property
    def low(self) -> int:
        """Smallest code."""
        return self.levels[0]

    @property
    def high(self) -> int:
        """Largest code."""
        return self.levels[-1]

    @property
    def unit(self) -> float:
        """Value of a code step."""
        return self.common * 2.0**self.exponent

    def _on_grid(self) -> list[int]:
        sums = [sum(self.factors) if self.centred else 0]
        for factor in self.factors:
            sums = [total + sign * factor for total in sums for sign in (-1, 1)]
        return sums

    def codes(self, values: Array) -> NDArray[np.int64]:
        """Return codes, some of :attr:`levels`."""
        scalars = tuple(n * 2.0**self.exponent for n in self.factors)
        centre = sum(scalars) if self.centred else 0.0
        signs = Lsbq(scalars=scalars).signs(np.asarray(values, np.float64) - centre)
        total = np.tensordot(self.factors, signs.astype(np.int64), axes=1)
        shifted = total + (sum(self.factors) if self.centred else 0)
        found: NDArray[np.int64] = shifted // self.common
        return found

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return the comparators, one for each step: a jump of several occurs as often."""
        scalars = tuple(n * 2.0**self.exponent for n in self.factors)
        centre = sum(scalars) if self.centred else 0.0
        found: list[Boundary] = []
        plain = Lsbq(scalars=scalars)
        for boundary, below, above in zip(
            plain.boundaries(), self.levels, self.levels[1:], strict=False
        ):
            found += [Boundary(float(boundary.value) + centre)] * (above - below)
        return tuple(found)


def grid_scalars(scalars: Sequence[float], centred: bool) -> GridLsbq:
    """Return the scalars on a grid that are nearest, by squared distance.

    Parameters
    ----------
    scalars : sequence of float
        One or two, descending; see :mod:`.lsbq`.
    centred : bool
        See :class:`GridLsbq`.
    """
    wanted = np.maximum(np.asarray(scalars, np.float64), 1e-12)
    octave = ceil(log2(wanted[0]))
    factors, exponents = _choices(len(wanted), centred), np.arange(octave - 4, octave + 1)
    places = factors * np.exp2(exponents)[:, None, None]
    best = int(((places - wanted) ** 2).sum(axis=2).argmin())
    exponent, index = divmod(best, len(factors))
    chosen = tuple(int(n) for n in factors[index])
    return GridLsbq(factors=chosen, exponent=int(exponents[exponent]), centred=centred)


@cache
def _choices(planes: int, centred: bool) -> NDArray[np.int64]:
    """Return all factors whose levels fit, ``(choices, planes)``."""
    few = range(1, MOST + 1)
    every = [(n,) for n in few] if planes == 1 else [(a, b) for a in few for b in few if a >= b]
    return np.array([factors for factors in every if _fits(factors, centred)], np.int64)


def _fits(factors: tuple[int, ...], centred: bool) -> bool:
    try:
        GridLsbq(factors=factors, exponent=0, centred=centred)
    except ValueError:
        return False
    return True
