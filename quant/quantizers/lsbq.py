"""LSBQ: least squares binary quantization (Pouransari et al., CVPRW 2020, arXiv 2001.02786).

A value is a sum of scaled signs, ``x_q = sum_i v_i s_i(x)`` with ``v_1 >= … >= v_k >= 0`` and
``s_i(x) = sign(x - sum_{j<i} v_j s_j(x))``, ``sign(0) = +1``. The scalars minimise the squared
error: exactly for one and two planes and for ternary codes, greedily for more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparators import Boundary

__all__ = ["SCHEMES", "Lsbq", "gf", "ls1", "ls2", "ls_t", "scalars"]

Array = NDArray[Any]


def ls1(values: Array) -> tuple[float, ...]:
    """Return the optimal scalar of one plane, ``mean|x|`` (XNOR-Net)."""
    return (float(np.abs(values).mean()),)


def ls2(values: Array, skip: int = 1) -> tuple[float, ...]:
    """Return the optimal scalars of two planes.

    On ``|x|`` the levels are ``v1 - v2`` and ``v1 + v2`` and the boundary is their midpoint
    ``v1``: two means in one dimension. A sort and cumulative sums give both means and the cost of
    each of the n - 1 splits; the best split is the optimum. ``v1`` is the exact midpoint, where
    the reference code takes the nearest datum.

    Parameters
    ----------
    values : float array
        Weights of a channel, or activations.
    skip : int
        Search ``v1`` on every so many elements only; the reference code's default is 3.
    """
    lower, upper = _split(np.sort(np.abs(values), axis=None)[::skip], keep_lower=True)
    middle = (lower + upper) / 2
    spread = (upper - lower) / 2 if skip == 1 else float(np.abs(np.abs(values) - middle).mean())
    return middle, min(spread, middle)


def ls_t(values: Array) -> tuple[float, ...]:
    """Return the optimal scalars of ternary codes ``-2v, 0, 2v``, whose boundary is ``v``."""
    _, upper = _split(np.sort(np.abs(values), axis=None), keep_lower=False)
    return upper / 2, upper / 2


def _split(magnitudes: NDArray[Any], keep_lower: bool) -> tuple[float, float]:
    """Return both means of the split with the least squared error.

    Parameters
    ----------
    magnitudes : float array
        Sorted.
    keep_lower : bool
        Represent the lower part by its mean; else by zero, and it may be empty.
    """
    count = magnitudes.size
    sums = np.concatenate([[0.0], np.cumsum(magnitudes, dtype=np.float64)])
    sizes = np.arange(min(1, count - 1) if keep_lower else 0, count)
    above = (sums[-1] - sums[sizes]) / (count - sizes)
    below = sums[sizes] / np.maximum(sizes, 1)
    gain = (count - sizes) * above**2 + (sizes * below**2 if keep_lower else 0.0)
    best = int(np.argmax(gain))
    if keep_lower and not sizes[best]:  # a single value
        return float(above[best]), float(above[best])
    return float(below[best]), float(above[best])


def gf(values: Array, planes: int) -> tuple[float, ...]:
    """Return greedy scalars: each is the mean magnitude of what the planes before it leave."""
    rest, found = np.asarray(values, np.float64), []
    for _ in range(planes):
        found.append(float(np.abs(rest).mean()))
        rest = rest - found[-1] * np.where(rest >= 0, 1.0, -1.0)
    return tuple(found)


#: Methods by name.
SCHEMES: dict[str, Callable[[Array], tuple[float, ...]]] = {
    "ls-1": ls1,
    "ls-2": ls2,
    "ls-T": ls_t,
    "gf-1": lambda values: gf(values, 1),
    "gf-2": lambda values: gf(values, 2),
    "gf-3": lambda values: gf(values, 3),
    "gf-4": lambda values: gf(values, 4),
}


def scalars(values: Array, scheme: str, axis: int | None = None) -> NDArray[np.float64]:
    """Return scalars ``(planes,)``, or ``(channels, planes)`` along an axis."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, not {scheme}")
    if axis is None:
        return np.array(SCHEMES[scheme](values))
    return np.array([SCHEMES[scheme](part) for part in np.moveaxis(values, axis, 0)])


@dataclass(frozen=True, kw_only=True)
class Lsbq:
    """Quantize by fixed scalars.

    Parameters
    ----------
    scalars : tuple of float
        ``v_1, …, v_k >= 0``. The paper's are sorted; greedy ones of long-tailed data need not be.
    ternary : bool
        ``v_1 == v_2``: codes are -1, 0, 1 and stand for ``-2v, 0, 2v``.

    Raises
    ------
    ValueError
        A scalar is negative, or two are not equal where they must be.
    """

    scalars: tuple[float, ...]
    ternary: bool = False

    def __post_init__(self) -> None:
        v = self.scalars
        if not v or min(v) < 0:
            raise ValueError(f"scalars must not be negative, not {v}")
        if self.ternary and (len(v) != 2 or v[0] != v[1]):
            raise ValueError(f"scalars must be two equal ones for ternary codes, not {v}")

    @property
    def low(self) -> int:
        """Smallest code."""
        return -1 if self.ternary else 0

    def signs(self, values: Array) -> NDArray[np.int8]:
        """Return the planes ``s_i`` as -1 and 1, ``(planes, *shape)``."""
        rest, planes = np.asarray(values, np.float64), []
        for scalar in self.scalars:
            planes.append(np.where(rest >= 0, 1, -1).astype(np.int8))
            rest = rest - scalar * planes[-1]
        return np.stack(planes)

    def codes(self, values: Array) -> NDArray[np.int64]:
        """Return codes: the planes as bits, first plane first; ternary ones are -1, 0, 1.

        They never fall as the value rises: each plane is monotone where those before it agree.
        """
        planes = self.signs(values).astype(np.int64)
        weights = np.ones(2, np.int64) if self.ternary else 1 << np.arange(len(planes))[::-1]
        codes: NDArray[np.int64] = np.tensordot(weights, (planes + 1) // 2, axes=1) + self.low
        return codes

    def values(self, values: Array) -> NDArray[np.float64]:
        """Return the sum of scaled signs."""
        total: NDArray[np.float64] = np.tensordot(self.scalars, self.signs(values), axes=1)
        return total

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return the comparators: at each the value itself belongs to the upper code."""
        if self.ternary:
            return (Boundary(-self.scalars[0]), Boundary(self.scalars[0]))
        found = _cell(self.scalars, 0.0, float("-inf"), float("inf"))
        return tuple(Boundary(value) for value in found)


def _cell(rest: tuple[float, ...], node: float, least: float, most: float) -> list[float]:
    """Return the boundaries inside a cell ``least … most``, whose next plane changes at a node."""
    here = min(max(node, least), most)
    if len(rest) == 1:
        return [here]
    below = _cell(rest[1:], node - rest[0], least, here)
    return [*below, here, *_cell(rest[1:], node + rest[0], here, most)]
