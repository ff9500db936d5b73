"""How the tensors of a model lie on feature maps, through transposes and reshapes."""

from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np
from numpy.typing import NDArray

__all__ = ["View", "find_permutation"]

Indices = NDArray[np.int64]
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A tensor of the model whose elements are those of a feature map, in some order.

    Parameters
    ----------
    base : str
        The feature map.
    shape : tuple of int
        The tensor's shape without the batch.
    index : int64 array, optional
        For each element the position in the flattened feature map; None when the order is the
        same.
    """

    base: str
    shape: Shape
    index: Indices | None = None

    def indices(self) -> Indices:
        """Return positions in the feature map, in this tensor's shape."""
        if self.index is None:
            return np.arange(prod(self.shape), dtype=np.int64).reshape(self.shape)
        return self.index.reshape(self.shape)

    def reshaped(self, shape: Shape) -> "View":
        """Return the same elements in another shape."""
        return View(base=self.base, shape=shape, index=self.index)

    def transposed(self, axes: Shape) -> "View":
        """Return permuted axes."""
        turned = self.indices().transpose(axes)
        return view_of(self.base, turned)

    def on(self, base: str) -> "View":
        """Return the same order on another feature map of equal shape."""
        return View(base=base, shape=self.shape, index=self.index)


def view_of(base: str, index: Indices) -> View:
    """Return a view from positions; the plain order is recognized."""
    flat = index.ravel()
    plain = bool((flat == np.arange(flat.size)).all())
    return View(base=base, shape=tuple(index.shape), index=None if plain else index)


def find_permutation(index: Indices) -> Shape | None:
    """Return how to permute axes so that positions come in plain order; None if nothing does."""
    count = np.arange(index.size)
    for axes in permutations(range(index.ndim)):
        if index.ndim <= 5 and (index.transpose(axes).ravel() == count).all():
            return axes
    return None
