"""Lets time pass in the RTL engine, and notices when it passes in vain."""

from collections import Counter
from collections.abc import Callable, Mapping

from ..isa.config import INSTRUCTION_BYTES
from ..isa.instructions import Engine, Opcode
from ..isa.program import Program, Segment
from .result import SimulationError
from .rtl_library import Bench

__all__ = ["PATIENCE", "Watch", "wait"]

#: Called during a run with the cycle and the pieces of work that each engine has completed.
Watch = Callable[[int, Mapping[Engine, int]], None]

#: Cycles without completed work after which a machine counts as stuck.
PATIENCE = 1_000_000

#: Cycles between two looks at the machine: some tenths of a second.
_SLICE = 10_000


def wait(
    bench: Bench,
    program: Program,
    segment: Segment,
    *,
    limit: int | None,
    patience: int,
    progress: Watch | None,
) -> None:
    """Run until the machine reports its end.

    Raises
    ------
    SimulationError
        More than ``limit`` cycles in all, more than ``patience`` without completed work, or a
        transfer that breaks the rules of AXI4.
    """
    done, since = bench.work_done(), 0
    while not bench.run(_slice(bench.elapsed, since, limit, patience)):
        now, before, done = bench.elapsed, done, bench.work_done()
        if progress is not None:
            progress(now, done)
        since = now if done != before else since
        if bench.violation is not None:
            break
        if limit is not None and now >= limit:
            raise SimulationError(f"not done after {now} cycles; {_state(program, segment, done)}")
        if now - since >= patience:
            raise SimulationError(
                f"the machine is stuck: no work completed in {now - since} cycles up to cycle "
                f"{now}; {_state(program, segment, done)}"
            )
    if bench.violation is not None:
        raise SimulationError(f"the design breaks the rules of AXI4: {bench.violation}")


def _slice(now: int, since: int, limit: int | None, patience: int) -> int:
    """Return how many cycles may pass until somebody must look."""
    ends = [now + _SLICE, since + patience, *([] if limit is None else [limit])]
    return max(1, min(ends) - now)


def _state(program: Program, segment: Segment, done: Mapping[Engine, int]) -> str:
    """Return how far each engine came."""
    size, end = INSTRUCTION_BYTES, segment.first + segment.count
    asked = Counter(program.code[segment.first * size : end * size : size])  # first bytes: opcodes
    parts = (f"{done[engine]} of {asked[Opcode[engine.name]]} {engine.name}" for engine in Engine)
    return f"completed: {', '.join(parts)}"
