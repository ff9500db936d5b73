"""The cycle engine: a segment's cycles, without its data."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.instructions import ENGINES, Opcode
from ...isa.program import Program, Segment
from ..result import Run, SimulationError, Stamps
from .agenda import NEVER
from .listing import Listing, list_segment
from .machine import Machine
from .memory import Memory
from .native import NativeRun, run_native
from .serial import SerialMachine

__all__ = ["CycleRun", "run_segment"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CycleRun(Run):
    """A run of the cycle engine.

    Parameters
    ----------
    waits : mapping of Engine to int64 array
        What each piece of work waited for last, as :class:`~.engine_queue.Wait`, per engine in
        order.
    waited : mapping of Engine to int64 array
        How many cycles earlier it would have started without that.
    stalls : mapping of Engine to int64 array
        Cycles in which work stood still inside its engine: LOAD, VECTOR and STORE before a bank of
        the activation buffer that another engine used, MAC for weights or for accumulators.
    begins : int64 array
        Cycle of the first operand of each MAC work.
    reads, fetches, writes : int64 array
        ``(n, 2)``: of each burst that LOAD and FETCH asked for, and of STORE's, the cycle in which
        memory sent or took the last beat, and the beats.
    memory : Memory
        Which memory that was.
    """

    waits: Stamps = field(default_factory=dict)
    waited: Stamps = field(default_factory=dict)
    stalls: Stamps = field(default_factory=dict)
    begins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    reads: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    fetches: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    writes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    memory: Memory = field(default_factory=Memory)


def run_segment(
    program: Program, segment: Segment, *, memory: Memory | None = None, compiled: bool = True
) -> CycleRun:
    """Find when everything in a segment happens.

    Parameters
    ----------
    program, segment : Program, Segment
        What to run.
    memory : Memory, optional
        External memory.
    compiled : bool
        Use the compiled model where it can be built; both give the same.

    Returns
    -------
    CycleRun
        Cycles, counters and stamps, equal to those of the hardware; no data.

    Raises
    ------
    SimulationError
        An opcode that does not exist, another configuration, no END, or work that waits for
        what never happens.
    """
    memory = memory or Memory()
    if program.config.serial:
        return _run_serial(program, list_segment(program, segment), memory)
    if compiled and (found := run_native(program, segment, memory)) is not None:
        return _compiled_run(program, found, memory)
    listing = list_segment(program, segment)
    machine = Machine(program.config, listing, segment.count, memory)
    cycles = machine.run()
    if cycles == NEVER:
        raise SimulationError(_stuck(machine, listing))
    return CycleRun(
        **_without_data(program),
        counts=_counts(listing),
        cycles=cycles,
        counters=_counters(machine, cycles),
        starts=_stamps(machine.starts),
        dones=_stamps(machine.dones),
        waits=_stamps(machine.waits),
        waited=_stamps(machine.waited),
        stalls=_stamps(machine.stalls()),
        begins=np.array(machine.mac.begins, np.int64),
        reads=_bursts([burst[:2] for burst in machine.reads.bursts if not burst[2]]),
        fetches=_bursts([burst[:2] for burst in machine.reads.bursts if burst[2]]),
        writes=_bursts(machine.store.bursts),
        memory=memory,
    )


def _run_serial(program: Program, listing: Listing, memory: Memory) -> CycleRun:
    machine = SerialMachine(program.config, listing, memory)
    cycles, counts = machine.run(), machine.counts
    beats = ("READ_BEATS", "WRITE_BEATS", "FETCH_BEATS")
    others = ("VECTOR_CYCLES", *beats, *(f"{engine.name}_WORK" for engine in ENGINES))
    return CycleRun(
        **_without_data(program),
        counts=_counts(listing),
        cycles=cycles,
        counters=dict.fromkeys(others, 0) | {"CYCLES": cycles, "MAC_CYCLES": counts["mac"]},
        starts=_stamps(machine.starts),
        dones=_stamps(machine.dones),
        waits=_stamps(machine.waits()),
        waited=_stamps(machine.zeros()),
        stalls=_stamps(machine.zeros()),
        begins=np.array(machine.begins, np.int64),
        reads=_bursts(machine.reads),
        fetches=_bursts(machine.fetches),
        writes=_bursts(machine.writes),
        memory=memory,
    )


def _compiled_run(program: Program, found: NativeRun, memory: Memory) -> CycleRun:
    dones = found.stamps("dones")
    names = ("MAC_CYCLES", "VECTOR_CYCLES", "FETCH_BEATS", "READ_BEATS", "WRITE_BEATS")
    counters = dict(zip(names, found.array("counters").tolist(), strict=True))
    counters["READ_BEATS"] += counters["FETCH_BEATS"]
    works = {f"{engine.name}_WORK": len(dones[engine]) for engine in ENGINES}
    return CycleRun(
        **_without_data(program),
        counts=found.array("counts").astype(np.int32),
        cycles=found.cycles,
        counters={"CYCLES": found.cycles, **counters, **works},
        starts=found.stamps("starts"),
        dones=dones,
        waits=found.stamps("waits"),
        waited=found.stamps("waited"),
        stalls=found.stamps("stalls"),
        begins=found.array("begins"),
        reads=found.array("reads").reshape(-1, 2),
        fetches=found.array("fetches").reshape(-1, 2),
        writes=found.array("writes").reshape(-1, 2),
        memory=memory,
    )


def _without_data(program: Program) -> dict[str, Any]:
    """Return the fields of a run that knows no data."""
    return {
        "engine": "cycle",
        "addresses": np.zeros(0, np.int32),
        "data": np.zeros((0, program.config.word_bytes), np.uint8),
    }


def _stamps(lists: list[list[int]]) -> Stamps:
    return {engine: np.array(lists[engine], np.int64) for engine in ENGINES}


def _bursts(bursts: list[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(bursts, np.int64).reshape(-1, 2)


def _counters(machine: Machine, cycles: int) -> dict[str, int]:
    return {
        "CYCLES": cycles,
        "MAC_CYCLES": machine.mac.active,
        "VECTOR_CYCLES": machine.vector.active,
        "READ_BEATS": machine.reads.fetched + machine.reads.loaded,
        "WRITE_BEATS": machine.store.beats,
        "FETCH_BEATS": machine.reads.fetched,
        **{f"{engine.name}_WORK": len(machine.dones[engine]) for engine in ENGINES},
    }


def _counts(listing: Listing) -> NDArray[np.int32]:
    """Return how many words each VECTOR instruction writes."""
    per_row, counts = 0, []
    for opcode, fields in listing:
        if opcode is Opcode.VECTOR_LOOPS:
            period = max(1, fields["emit_period"])
            per_row = len(range(fields["emit_first"], fields["columns"], period))
        elif opcode is Opcode.VECTOR:
            counts.append(fields["rows"] * per_row)
    return np.array(counts, np.int32)


def _stuck(machine: Machine, listing: Listing) -> str:
    """Return how far each engine came."""
    asked = {e: sum(opcode.name == e.name for opcode, _ in listing) for e in ENGINES}
    parts = (f"{len(machine.dones[e])} of {asked[e]} {e.name}" for e in ENGINES)
    return f"the machine is stuck; completed: {', '.join(parts)}"
