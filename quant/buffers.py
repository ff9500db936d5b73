"""Memory that is used again: pages fresh from the system cost as much time as the work on them."""

import weakref
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Buffers"]


#: Bytes below which memory comes from NumPy, which then is as fast.
SMALL = 1 << 17


class Buffers:
    """Arrays whose memory returns here when they and all views of them are gone."""

    def __init__(self) -> None:
        self.free: list[NDArray[np.uint8]] = []

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array with any contents, in the smallest memory that is free and suffices."""
        count, kind = prod(shape), np.dtype(dtype)
        if count * kind.itemsize < SMALL:
            return np.empty(shape, kind)
        memory = self._take(count * kind.itemsize)
        # Views refer to this array, and not to what it lies in, because that is no array.
        values = np.frombuffer(memory.data, kind, count)
        weakref.finalize(values, self.free.append, memory).atexit = False
        return values.reshape(shape)

    def _take(self, size: int) -> NDArray[np.uint8]:
        fitting = [index for index, memory in enumerate(self.free) if memory.size >= size]
        if fitting:
            return self.free.pop(min(fitting, key=lambda index: self.free[index].size))
        return np.empty(size, np.uint8)
