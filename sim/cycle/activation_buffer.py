"""ActivationBuffer: which banks are taken in which cycle."""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ActivationBuffer", "Uses"]


class Uses(Protocol):
    """Accesses of one job that are written down when somebody asks."""

    def begin(self) -> int:
        """Return the first cycle of what is not written down yet."""

    def end(self) -> int:
        """Return a cycle after which nothing follows."""

    def cycles(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return cycles and banks taken, one bit each, of what was not written down yet."""


class _Timeline:
    """Banks taken in each cycle, written down late."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self._waiting: deque[Uses] = deque()

    def expect(self, uses: Uses) -> None:
        self._waiting.append(uses)

    def forget(self, time: int) -> None:
        """Leave out what lies before a cycle that nobody looks behind."""
        while self._waiting and self._waiting[0].end() < time:
            self._waiting.popleft()

    def upto(self, time: int) -> bytearray:
        """Return the banks taken in each cycle up to one, at least."""
        waiting = self._waiting
        while waiting:
            uses = waiting[0]
            if uses.begin() <= time:
                self._write(*uses.cycles())
            if uses.begin() <= uses.end():
                break  # it goes on; nothing after it has begun
            waiting.popleft()
        if len(self.taken) <= time:
            self.taken.extend(bytes(time - len(self.taken) + 4096))
        return self.taken

    def _write(self, cycles: NDArray[np.int64], banks: NDArray[np.uint8]) -> None:
        if not cycles.size:
            return
        last = int(cycles[-1])
        if len(self.taken) <= last:
            self.taken.extend(bytes(last - len(self.taken) + 4096))
        np.frombuffer(self.taken, np.uint8)[cycles] |= banks


class ActivationBuffer:
    """Remember who uses which bank when.

    ``reads`` holds the feeder's reads, and those of the vector unit as far as it has come; banks
    that they leave are for STORE. ``writes`` holds the vector unit's writes; LOAD takes what is
    left.
    """

    def __init__(self) -> None:
        self.reads = _Timeline()
        self.writes = _Timeline()
