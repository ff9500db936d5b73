"""A board as an engine: programs on hardware at the end of a serial line."""

import time

import numpy as np
from numpy.typing import NDArray

from ..boards.frames import LinkWord
from ..boards.host import Host, Port
from ..isa.config import INSTRUCTION_BYTES
from ..isa.program import Program, Segment
from ..isa.registers import REGISTERS, Control, Error, Status, register
from ..sim.listing import describe_instruction, emitted_counts
from ..sim.memory import Regions
from ..sim.result import Run, SimulationError

__all__ = ["BoardEngine"]

#: Regions that the machine may have changed: input, output, workspace.
_CHANGED = (1, 2, 3)

#: Seconds after which a run counts as hung.
PATIENCE = 60.0


class BoardEngine:
    """Runs segments on a board; constants and code stay there between runs.

    Parameters
    ----------
    port : Port
        The line.

    Attributes
    ----------
    clock_hz, memory_bytes : int
        What the board says about itself.

    Raises
    ------
    LinkError
        No board answers.
    """

    def __init__(self, port: Port) -> None:
        self.host = Host(port)
        self.host.check()
        self.clock_hz = self.host.link_word(LinkWord.CLOCK_HZ)
        self.memory_bytes = self.host.link_word(LinkWord.MEMORY_BYTES)
        self.config_id = self._read("CONFIG_ID")
        self._there: dict[int, bytes] = {}

    def _read(self, name: str) -> int:
        return self.host.read_register(register(name).offset)

    def _write(self, name: str, value: int) -> None:
        self.host.write_register(register(name).offset, value)

    def run_segment(self, program: Program, segment: Segment, regions: Regions) -> Run:
        """Run a segment; regions are written to the board, and read back.

        Raises
        ------
        SimulationError
            A program for another accelerator or for more memory, an error of the machine, or a
            run that does not end.
        LinkError
            The board does not answer any more.
        """
        config = program.config
        if config.id != self.config_id:
            raise SimulationError(
                f"the program is for configuration {config.name} with id {config.id:#010x}, "
                f"the board has id {self.config_id:#010x}",
                error=Error.WRONG_CONFIG,
            )
        bases = self._start(program, segment, regions)
        self._wait(program, segment)
        for number in _CHANGED:
            self._fetch(regions[number], bases[number])
        return self._result(program, segment)

    def _start(self, program: Program, segment: Segment, regions: Regions) -> list[int]:
        """Put everything in place and start; return where everything is."""
        first = segment.first * INSTRUCTION_BYTES
        code = program.code[first : first + segment.count * INSTRUCTION_BYTES]
        areas = [*(region.tobytes() for region in regions), code]
        bases = self._place(areas, program.config.align_bytes)
        self._write("CONTROL", 1 << Control.RESET)
        names = (*(f"BASE{region}" for region in range(len(regions))), "PROGRAM")
        for name, base in zip(names, bases, strict=True):
            self._write(name, base)
        self._write("PROGRAM_LENGTH", segment.count)
        self._write("CONTROL", 1 << Control.START)
        return bases

    def _place(self, areas: list[bytes], align: int) -> list[int]:
        """Write what is not there yet; return where everything is."""
        bases, end = [], 0
        for area in areas:
            bases.append(end)
            end += -(-len(area) // align) * align
        if end > self.memory_bytes:
            raise SimulationError(
                f"the program needs {end:,} bytes of memory, the board has {self.memory_bytes:,}"
            )
        for base, area in zip(bases, areas, strict=True):
            padded = area + bytes(-len(area) % 4)
            if self._there.get(base) != padded:
                self.host.write(base, padded)
        # What the machine does not change is still there at the next run.
        constant = (0, len(areas) - 1)
        self._there = {bases[n]: areas[n] + bytes(-len(areas[n]) % 4) for n in constant}
        return bases

    def _wait(self, program: Program, segment: Segment) -> None:
        """Wait until the run is over, and see that it went well."""
        limit = time.monotonic() + PATIENCE
        while (status := self._read("STATUS")) >> Status.BUSY & 1:
            if time.monotonic() > limit:
                raise SimulationError(f"the board is not done after {PATIENCE:g} seconds")
        if status >> Status.DONE & 1:
            return
        if not status:
            raise SimulationError("the board did not start: it was reset in between")
        error = Error(self._read("ERROR"))
        index = segment.first + self._read("ERROR_INDEX")
        where = describe_instruction(program, index)
        raise SimulationError(f"{error.name} at {where}", error=error, index=index)

    def _fetch(self, region: NDArray[np.uint8], base: int) -> None:
        size = -(-region.nbytes // 4) * 4
        if size:
            region[:] = np.frombuffer(self.host.read(base, size), np.uint8)[: region.nbytes]

    def _result(self, program: Program, segment: Segment) -> Run:
        names = [r.name for r in REGISTERS if r.name.endswith(("CYCLES", "BEATS", "WORK"))]
        counters = {name: self._read(name) for name in names}
        return Run(
            engine="board",
            addresses=np.zeros(0, np.int32),
            data=np.zeros((0, program.config.word_bytes), np.uint8),
            counts=emitted_counts(program, segment),
            cycles=counters["CYCLES"],
            counters=counters,
        )
