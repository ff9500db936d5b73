"""The RTL engine: programs on the generated Verilog, compiled to C++."""

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..isa.config import INSTRUCTION_BYTES
from ..isa.program import Program, Segment
from ..isa.registers import REGISTERS, Control, Error, Status
from ..isa.timing import OUTSTANDING
from .listing import describe_instruction, emitted_counts
from .memory import Regions
from .result import Run, SimulationError
from .rtl_build import ACCELERATOR, BenchSource, Progress, build_library
from .rtl_clock import PATIENCE, Watch, wait
from .rtl_library import Bench

__all__ = ["PROGRAM", "Engine", "Fault", "build_engine"]

#: As the region of a fault: the instructions.
PROGRAM = 4

#: Cycles in which a soft reset must complete what is in flight.
_RESET_CYCLES = 100_000

#: Areas begin at multiples of this, with at least as much unmapped between them.
_PAGE = 4096
_ADDRESSES = 1 << 32


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Bytes that answer with SLVERR: ``addresses``, from the start of ``region`` (or PROGRAM)."""

    region: int
    addresses: range


def build_engine(
    verilog: str, *, bench: BenchSource = ACCELERATOR, progress: Progress | None = None
) -> "Engine":
    """Return the engine of a design; built the first time, afterwards from the cache.

    Parameters
    ----------
    verilog : str
        Module ``shiftloom_top`` with trace ports, as the generator writes it for simulation.
    bench : BenchSource
        What it is compiled with.
    progress : callable, optional
        Called with what is being done and the share that is done, 0…1.

    Raises
    ------
    BuildError
        No C++ compiler, another text, or a tool that fails.
    """
    return Engine(Bench(build_library(verilog, bench=bench, progress=progress)))


class Engine:
    """An accelerator that runs programs one after the other; buffers keep their contents.

    Parameters
    ----------
    bench : Bench
        The compiled design.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.config_id = bench.read("CONFIG_ID")

    def run_segment(
        self,
        program: Program,
        segment: Segment,
        regions: Regions,
        *,
        trace: bool = True,
        latency: int = 32,
        interval: int = 1,
        outstanding: int = OUTSTANDING,
        limit: int | None = None,
        patience: int = PATIENCE,
        stalls: float = 0.0,
        seed: int = 0,
        fault: Fault | None = None,
        progress: Watch | None = None,
    ) -> Run:
        """Run a segment.

        Parameters
        ----------
        program, segment : Program, Segment
            What to run.
        regions : list of uint8 array
            External memory, changed in place; four flat contiguous arrays.
        trace : bool
            Keep what the vector unit writes.
        latency : int
            Cycles from a complete request to the first beat of its response, at least 1.
        interval : int
            Cycles from one beat to the next, read or written, at least 1.
        outstanding : int
            Read requests that memory takes before it has answered the first, at least 1.
        limit : int, optional
            Most cycles the run may take.
        patience : int
            Most cycles that may pass between two pieces of work that complete.
        stalls : float
            Share of the cycles in which each bus channel pauses, 0 ≤ stalls < 1.
        seed : int
            Of the pauses; equal seeds give equal runs.
        fault : Fault, optional
            Addresses that answer with SLVERR.
        progress : callable, optional
            Called some times per second; may raise to stop the run.

        Returns
        -------
        Run
            With cycles, counters and stamps.

        Raises
        ------
        SimulationError
            A program for another configuration, an error of the machine, a run that takes too
            long, or a design that breaks the rules of its bus. The engine can run again.
        ValueError
            A parameter out of its range.
        """
        if latency < 1 or not 0 <= stalls < 1 or (limit is not None and limit < 1):
            raise ValueError(f"latency {latency}, stalls {stalls} or limit {limit} out of range")
        if min(interval, outstanding) < 1:
            raise ValueError(f"interval {interval} or outstanding {outstanding} out of range")
        self._check_config(program)
        self._bench.configure(latency, interval, outstanding)
        self._bench.pause(stalls, seed)
        try:
            self._prepare(program, segment, regions, fault)
            control = 1 << Control.START | 1 << Control.INTERRUPT_ENABLE
            self._bench.start(control, trace=trace)
            wait(self._bench, program, segment, limit=limit, patience=patience, progress=progress)
            return self._result(program, segment)
        finally:
            self._settle()

    def _check_config(self, program: Program) -> None:
        config = program.config
        if config.id != self.config_id:
            raise SimulationError(
                f"the program is for configuration {config.name} with id {config.id:#010x}, "
                f"the accelerator has id {self.config_id:#010x}",
                error=Error.WRONG_CONFIG,
            )

    def _prepare(
        self, program: Program, segment: Segment, regions: Regions, fault: Fault | None
    ) -> None:
        """Put regions and instructions into the address space, and tell the machine where."""
        first = segment.first * INSTRUCTION_BYTES
        code = program.code[first : first + segment.count * INSTRUCTION_BYTES]
        areas = [*regions, np.frombuffer(code, np.uint8)]
        bases = _place([area.nbytes for area in areas])
        for number, (area, base) in enumerate(zip(areas, bases, strict=True)):
            if area.dtype != np.uint8 or area.ndim != 1 or not area.flags.c_contiguous:
                raise ValueError(f"region {number} is no flat contiguous array of uint8")
            self._bench.map(area, base, writable=number != PROGRAM)
        if fault is not None:
            base = bases[fault.region]
            self._bench.fault(range(base + fault.addresses.start, base + fault.addresses.stop))
        names = [*(f"BASE{region}" for region in range(4)), "PROGRAM"]
        for name, base in zip(names, bases, strict=True):
            self._bench.write(name, base)
        self._bench.write("PROGRAM_LENGTH", segment.count)

    def _result(self, program: Program, segment: Segment) -> Run:
        """Return what the run left, or raise its error."""
        bench = self._bench
        if not bench.read("STATUS") >> Status.DONE & 1:
            self._raise(program, segment)
        names = [r.name for r in REGISTERS if r.name.endswith(("CYCLES", "BEATS", "WORK"))]
        counters = {name: bench.read(name) for name in names}
        addresses, data = bench.writes()
        return Run(
            engine="rtl",
            addresses=addresses,
            data=data,
            counts=emitted_counts(program, segment),
            cycles=counters["CYCLES"],
            counters=counters,
            starts=bench.stamps(dones=False),
            dones=bench.stamps(dones=True),
        )

    def _raise(self, program: Program, segment: Segment) -> NoReturn:
        error = Error(self._bench.read("ERROR"))
        index = segment.first + self._bench.read("ERROR_INDEX")
        where = describe_instruction(program, index)
        raise SimulationError(f"{error.name} at {where}", error=error, index=index)

    def _settle(self) -> None:
        """Bring the machine to rest while the memory is still there, then take that away."""
        bench = self._bench
        try:
            bench.write("CONTROL", 1 << Control.RESET)
            for _ in range(_RESET_CYCLES // 100):
                if not bench.read("STATUS"):
                    break
                bench.run(100)
            else:
                bench.reset()
        finally:
            bench.unmap()


def _place(sizes: list[int]) -> list[int]:
    """Return an address for each area."""
    bases, address = [], _PAGE
    for size in sizes:
        bases.append(address)
        address += -(-size // _PAGE) * _PAGE + _PAGE
    if address > _ADDRESSES:
        raise SimulationError(f"{sum(sizes)} bytes of memory do not fit into 32-bit addresses")
    return bases
