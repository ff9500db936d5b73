"""How the bit array takes a layer: as passes over planes of operands and planes of weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BitSource", "Planes", "Term"]


@dataclass(frozen=True)
class Planes:
    """Values of planes: a code is the sum over planes of a value times its bit.

    Bits are 0 and 1, or -1 and +1 if ``bipolar``.
    """

    values: tuple[int, ...]
    bipolar: bool

    def weight_bits(self, plane: int, weight: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return a plane of weights: of two's complement codes, or of one value with two signs."""
        values = weight.astype(np.int64)
        return ((values > 0) if self.bipolar else (values >> plane & 1)).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One pass over a plane of operands and a plane of weights.

    Parameters
    ----------
    plane : int
        Of operands.
    weight_plane : int or None
        Of weights; None adds nothing, and is there to double what the passes before have added.
    double : bool
        That is doubled before this pass adds to it.
    negative : bool
        The product is subtracted.
    """

    plane: int
    weight_plane: int | None
    double: bool
    negative: bool


@dataclass(frozen=True, kw_only=True)
class BitSource:
    """Planes on both sides, the passes in their order, and the largest magnitude of an operand."""

    inputs: Planes
    weights: Planes
    terms: tuple[Term, ...]
    reach: int
