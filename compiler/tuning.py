"""Numbers that no rule knows best, and the search for them by what programs cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..isa.program import Program
from .errors import CompileError

__all__ = ["Tuning", "search"]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Choices of schedule and memory.

    Parameters
    ----------
    stream_eighths : int
        Eighths of the activation buffer that a chain of streams may take at first.
    map_parts : int
        A map may take one of so many parts of the activation buffer as a whole.
    vector_cycles : tuple of int
        Cycles of a job of the vector unit that is no drain, at least and at most: many short ones
        cost instructions, long ones keep drains waiting.
    """

    stream_eighths: int = 5
    map_parts: int = 3
    vector_cycles: tuple[int, int] = (448, 1024)


#: What is tried beside the defaults, one number after the other.
_OTHERS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("vector_cycles", ((320, 640), (256, 448))),
    ("stream_eighths", (4, 6)),
    ("map_parts", (2,)),
)


def search(
    make: Callable[[Tuning], Program],
    cost: Callable[[Program], int],
    progress: Callable[[int, int], None],
) -> Program:
    """Return the cheapest of several programs; of equal ones, the first.

    Parameters
    ----------
    make : function
        Compiles with a tuning.
    cost : function
        What a program costs: its cycles, say.
    progress : function
        Gets programs made and programs in all.

    Raises
    ------
    CompileError
        Nothing can be compiled with the default tuning.
    """
    total, done = 1 + sum(len(values) for _, values in _OTHERS), 1
    progress(0, total)
    tuning = Tuning()
    best = make(tuning)
    least = cost(best)
    for name, values in _OTHERS:
        chosen = tuning
        for other in (replace(tuning, **{name: value}) for value in values):
            progress(done, total)
            done += 1
            found = _tried(make, other)
            if found is not None and (price := cost(found)) < least:
                best, least, chosen = found, price, other
        tuning = chosen
    progress(total, total)
    return best


def _tried(make: Callable[[Tuning], Program], tuning: Tuning) -> Program | None:
    try:
        return make(tuning)
    except CompileError:
        return None
