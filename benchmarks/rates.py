"""One program for every engine that runs Verilog, and how fast each runs it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import Config
from shiftloom.isa.program import Program
from shiftloom.isa.registers import REGISTERS
from shiftloom.quant.golden import encode_input, run
from shiftloom.sim.compare import first_difference
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import Regions, make_regions, read_tensor, write_tensor
from shiftloom.sim.rtl_engine import Engine

from .command import BenchmarkError
from .subjects import Subject

__all__ = ["Case", "Rate", "make_case", "rtl_rate"]

#: Areas begin at multiples of this, and the first not at zero.
_PAGE = 4096

#: Runs of the program; the shortest counts.
RUNS = 20


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast an engine ran a program.

    Parameters
    ----------
    engine : str
        For tables.
    pauses : float
        Share of the cycles in which each bus channel of the memory holds back.
    cycles : int
        From start to done; they depend on the engine's memory.
    seconds : float
        CPU time of the fastest run; one thread in every engine.
    """

    engine: str
    pauses: float
    cycles: int
    seconds: float

    @property
    def cycles_per_second(self) -> float:
        """Clock cycles in a second of CPU time."""
        return self.cycles / self.seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A program of one segment, what it starts from and what it must leave.

    Parameters
    ----------
    program : Program
        What runs.
    before, after : list of uint8 array
        Memory regions at its start, and at its end by the definition of the instructions.
    """

    program: Program
    before: Regions
    after: Regions

    def save(self, path: Path) -> None:
        """Write one memory before and after, and the registers that say what lies where."""
        code = np.frombuffer(self.program.code, np.uint8)
        memory, bases = _laid_out([*self.before, code])
        expected, _ = _laid_out([*self.after, code])
        names = ("BASE0", "BASE1", "BASE2", "BASE3", "PROGRAM")
        registers = dict(zip(names, bases, strict=True))
        registers["PROGRAM_LENGTH"] = self.program.segments[0].count
        assert registers.keys() <= {entry.name for entry in REGISTERS}
        arrays: dict[str, Any] = {"memory": memory, "expected": expected, **registers}
        np.savez(path, **arrays)


def _laid_out(areas: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], list[int]]:
    """Return one memory with all areas in it, and where they begin."""
    bases, end = [], _PAGE
    for area in areas:
        bases.append(end)
        end += (1 + -(-area.size // _PAGE)) * _PAGE
    memory = np.zeros(end, np.uint8)
    for base, area in zip(bases, areas, strict=True):
        memory[base : base + area.size] = area
    return memory, bases


def make_case(subject: Subject, config: Config) -> Case:
    """Return a network of one segment as a program with its first sample in memory.

    Raises
    ------
    BenchmarkError
        The program by its definition and the network in the golden model differ.
    """
    program, graph = compile_graph(subject.graph, config), subject.graph
    (source,), (target,) = graph.inputs, graph.outputs
    codes = {source: encode_input(graph, source, subject.inputs[:1])}
    before = make_regions(program)
    write_tensor(before, program.place(source), codes[source][0], config)
    after = [region.copy() for region in before]
    run_segment(program, program.segments[0], after)
    found = read_tensor(after, program.place(target), config)
    if not np.array_equal(found, run(graph, codes)[target][0]):
        raise BenchmarkError(f"{graph.name}: the program and the network differ")
    return Case(program=program, before=before, after=after)


def rtl_rate(engine: Engine, case: Case, pauses: float = 0.0) -> Rate:
    """Return how fast the RTL engine runs a program, what it records included.

    Raises
    ------
    BenchmarkError
        A write of the vector unit or a byte in memory differs from golden.
    """
    program, segment = case.program, case.program.segments[0]
    golden = run_segment(program, segment, [region.copy() for region in case.before])
    seconds = []
    for _ in range(RUNS):
        regions = [region.copy() for region in case.before]
        start = time.process_time()
        found = engine.run_segment(program, segment, regions, stalls=pauses)
        seconds.append(time.process_time() - start)
        same = all(map(np.array_equal, regions, case.after))
        if first_difference(program, segment, golden, found) is not None or not same:
            raise BenchmarkError(f"{program.name}: the RTL engine and golden differ")
    cycles, fastest = found.cycles or 0, min(seconds)
    return Rate(engine="RTL engine", pauses=pauses, cycles=cycles, seconds=fastest)
