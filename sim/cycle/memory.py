"""Memory: what the cycle model knows of the memory behind the bus."""

from dataclasses import dataclass

from ...isa.timing import OUTSTANDING, REGISTER

__all__ = ["Memory", "Requests"]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A memory that answers in order.

    Parameters
    ----------
    latency : int
        Cycles from a complete request to the first beat of its answer, at least 1.
    interval : int
        Cycles from one beat to the next, read or written, at least 1.
    outstanding : int
        Read requests that it takes before it has answered the first, at least 1. The machine
        itself has no more than 16 in flight.

    Raises
    ------
    ValueError
        A value below 1.
    """

    latency: int = 32
    interval: int = 1
    outstanding: int = OUTSTANDING

    def __post_init__(self) -> None:
        for name in ("latency", "interval", "outstanding"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


class Requests:
    """Read requests on their way to memory, through a register stage that holds two.

    Parameters
    ----------
    memory : Memory
        What takes them.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken: list[int] = []
        self._answered: list[int] = []
        self._issued: list[int] = []

    def room(self) -> int | None:
        """Return from which cycle on a request can be issued; None if that is not known yet."""
        before = len(self._issued) - 2
        if before < 0:
            return 0
        return self._taken[before] + 1 if before < len(self._taken) else None

    def issue(self, time: int) -> None:
        """Issue a request in a cycle."""
        self._issued.append(time)
        self._take()

    def due(self, number: int) -> int | None:
        """Return when the answer to a request may begin; None if that is not known yet."""
        return self._taken[number] + self._memory.latency if number < len(self._taken) else None

    def answer(self, number: int, time: int) -> None:
        """Note in which cycle the last beat of an answer comes; again if that was known before."""
        if number == len(self._answered):
            self._answered.append(time)
            self._take()

    def _take(self) -> None:
        """Let memory take what it can."""
        while (number := len(self._taken)) < len(self._issued):
            time = self._issued[number] + REGISTER
            if number:
                time = max(time, self._taken[-1] + 1)
            full = number - self._memory.outstanding
            if full >= len(self._answered):
                return
            if full >= 0:
                time = max(time, self._answered[full] + 1)
            self._taken.append(time)
