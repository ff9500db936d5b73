"""StreamQueue: in which cycles payloads enter a queue and leave it."""

from ...isa.timing import QUEUE_READ, REGISTER

__all__ = ["StreamQueue"]


class StreamQueue:
    """Remember the transfers of a queue, and tell when the next ones can be.

    The queue is a memory and an output stage, which takes the next payload as soon as it is free.

    Parameters
    ----------
    depth : int
        Payloads that it holds, the one in the output stage included.
    register : int
        1: a register stage follows, from which payloads are taken. It adds to what fits, so that
        such a queue has no ``room``: who fills it counts.

    Attributes
    ----------
    writes, pops : list of int
        Cycles of the transfers in and out, as far as they are known.
    """

    __slots__ = ("_inner", "_taken", "pops", "writes")

    def __init__(self, depth: int, register: int = 0) -> None:
        self._inner, self._taken = depth - 1, QUEUE_READ + register
        self.writes: list[int] = []
        self.pops: list[int] = []

    def room(self) -> int | None:
        """Return from which cycle on the next payload can enter; None if that is not known yet."""
        index = len(self.writes) - self._inner
        if index < 0:
            return 0
        if index > len(self.pops):
            return None
        return self.offered(index)

    def offered(self, index: int) -> int:
        """Return from which cycle on a payload is offered; the one before must have left."""
        taken = self.writes[index] + self._taken
        if index and self.pops[index - 1] > taken:
            taken = self.pops[index - 1]
        return taken + REGISTER
