"""Golden engine: a segment's instructions one after the other, by their definition."""

import numpy as np
from numpy.typing import NDArray

from ..isa.bitwise import part_bytes
from ..isa.instructions import Instruction, Opcode
from ..isa.program import Program, Segment
from ..isa.registers import Error
from ..isa.semantics import Machine, execute
from .listing import describe_instruction, instruction_at
from .memory import Regions
from .result import Run, SimulationError

__all__ = ["run_segment"]


def run_segment(program: Program, segment: Segment, regions: Regions, *, trace: bool = True) -> Run:
    """Run a segment on integers; time does not exist here.

    Parameters
    ----------
    program, segment : Program, Segment
        What to run.
    regions : list of uint8 array
        External memory, changed in place; see :func:`shiftloom.sim.memory.make_regions`.
    trace : bool
        Keep what the vector unit writes.

    Returns
    -------
    Run
        Without cycles.

    Raises
    ------
    SimulationError
        An instruction that the definition refuses: an illegal opcode, an access outside a
        buffer or region, another configuration, work without settings, or no END.
    """
    recorder = _Recorder(program, Machine(program.config, regions), trace)
    end = segment.first + segment.count
    for index in range(segment.first, end):
        instruction = _decode(program, index)
        if instruction.opcode is Opcode.END:
            return recorder.run()
        if index == segment.first or instruction.opcode is Opcode.CONFIG:
            _check_config(program, index, instruction)
        recorder.execute(index, instruction)
    raise SimulationError(
        f"the segment has no END within its {segment.count} instructions",
        error=Error.NO_END,
        index=end,
    )


def _decode(program: Program, index: int) -> Instruction:
    try:
        return instruction_at(program, index)
    except ValueError as error:
        raise SimulationError(
            f"ILLEGAL_OPCODE at {describe_instruction(program, index)}",
            error=Error.ILLEGAL_OPCODE,
            index=index,
        ) from error


def _check_config(program: Program, index: int, instruction: Instruction) -> None:
    """Check that a segment begins with CONFIG, and with the right one."""
    right = program.config.id
    if instruction.opcode is Opcode.CONFIG and instruction["config_id"] == right:
        return
    raise SimulationError(
        f"WRONG_CONFIG at {describe_instruction(program, index)}: "
        f"expected CONFIG config_id={right}, of configuration {program.config.name}",
        error=Error.WRONG_CONFIG,
        index=index,
    )


class _Recorder:
    """A machine, and what its vector unit wrote."""

    def __init__(self, program: Program, machine: Machine, trace: bool) -> None:
        self.program = program
        self.machine = machine
        self.trace = trace
        self.addresses = [np.zeros(0, np.int32)]
        self.data = [np.zeros((0, program.config.word_bytes), np.uint8)]
        self.counts: list[int] = []

    def execute(self, index: int, instruction: Instruction) -> None:
        """Carry out one instruction, and keep what it wrote."""
        try:
            written = execute(self.machine, instruction)
        except ValueError as error:
            where = describe_instruction(self.program, index)
            raise SimulationError(f"{error}, at {where}", index=index) from error
        if written is not None:
            self._record(instruction, written)

    def _record(self, work: Instruction, written: NDArray[np.int64]) -> None:
        self.counts.append(len(written))
        if self.trace:
            self.addresses.append(written.astype(np.int32))
            self.data.append(self._bytes(work, written))

    def _bytes(self, work: Instruction, written: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the bytes that work wrote, and 0 for those it left alone."""
        words = self.machine.activation[written]
        if self.machine.settings[Opcode.VECTOR_REQUANTIZE]["pack"]:
            part = part_bytes(work["part"], self.machine.config.columns)
            packed = words[:, part].copy()
            words[:] = 0
            words[:, part] = packed
        return words

    def run(self) -> Run:
        """Return the result."""
        return Run(
            engine="golden",
            addresses=np.concatenate(self.addresses),
            data=np.concatenate(self.data),
            counts=np.array(self.counts, np.int32),
        )
