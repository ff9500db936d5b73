"""Weights and parameters come in order of use and are forgotten in that order: a ring."""

from collections.abc import Iterable

from .items import Slot

__all__ = ["RoomError", "place_slots"]


class RoomError(Exception):
    """Too much is needed at once; ``op`` is the first operation that finds no room.

    A schedule in which it overlaps with no other needs less.
    """

    def __init__(self, op: int) -> None:
        super().__init__(op)
        self.op = op


def place_slots(slots: Iterable[Slot], capacity: int) -> dict[Slot, int]:
    """Give slots addresses; return for each the first unit of work before which its LOAD may stand.

    Parameters
    ----------
    slots : iterable of Slot
        Sorted by first use.
    capacity : int
        Words of the buffer.

    Raises
    ------
    RoomError
        Slots in use at the same time do not fit.
    """
    ring = _Ring(capacity)
    return {slot: ring.place(slot) for slot in slots}


class _Ring:
    def __init__(self, capacity: int) -> None:
        self.capacity, self.pointer, self.earliest = capacity, 0, 0
        self.slots: list[Slot] = []

    def place(self, slot: Slot) -> int:
        """Take the next words whose contents are no longer needed at the slot's first use."""
        size, start, wrapped = slot.chunk.words, self.pointer, False
        while True:
            if start + size > self.capacity:
                if wrapped:
                    raise RoomError(slot.op)
                start, wrapped = 0, True
                continue
            over = self._over(start, size)
            live = [other for other in over if other.last >= slot.first]
            if not live:
                break
            start = max(other.addr + other.chunk.words for other in live)
        for other in over:
            self.earliest = max(self.earliest, other.last + 1)
            self.slots.remove(other)
        slot.addr, self.pointer = start, start + size
        self.slots.append(slot)
        return self.earliest

    def _over(self, start: int, size: int) -> list[Slot]:
        return [s for s in self.slots if s.addr < start + size and start < s.addr + s.chunk.words]
