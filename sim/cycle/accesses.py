"""How often memories and multipliers are used, layer by layer, from a program alone."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ...isa.config import Config
from ...isa.instructions import Buffer, Opcode
from ...isa.program import Program, Segment
from .feeder import FeederReads
from .listing import Fields, list_segment
from .transfer import Transfer
from .vector_issue import VectorIssue

__all__ = ["Access", "accesses_of"]

_SUM_BYTES = 4

_WRITTEN = {Buffer.ACTIVATION: "ACTIVATION", Buffer.WEIGHT: "WEIGHT", Buffer.PARAMETER: "PARAMETER"}


class Access(IntEnum):
    """What is counted."""

    #: Bytes over the bus: whole beats.
    EXTERNAL_READ = 0
    EXTERNAL_WRITE = 1
    #: Bytes of the buffers.
    ACTIVATION_READ = 2
    ACTIVATION_WRITE = 3
    WEIGHT_READ = 4
    WEIGHT_WRITE = 5
    PARAMETER_READ = 6
    PARAMETER_WRITE = 7
    ACCUMULATOR_READ = 8
    ACCUMULATOR_WRITE = 9
    #: Operands of the array, a cycle each; every multiplier of the array works in each.
    ARRAY_STEPS = 10
    #: Pixels, input words and residual words of the vector unit, a cycle each.
    VECTOR_STEPS = 11
    #: Of these, input words: every tap of the vector unit works in each.
    TAP_STEPS = 12
    #: Beats over the read and the write bus.
    READ_BEATS = 13
    WRITE_BEATS = 14


Counts = NDArray[np.int64]


def accesses_of(program: Program, segment: Segment) -> Counts:
    """Return what the work of each layer accesses.

    Parameters
    ----------
    program, segment : Program, Segment
        What runs.

    Returns
    -------
    int64 array
        ``(layers + 1, accesses)``; the last row is for work of no layer. Instructions themselves
        are not counted. Words that the feeder reads are counted as if operands had no gaps.
    """
    found = np.zeros((len(program.layers) + 1, len(Access)), np.int64)
    counter = _Counter(program.config)
    settings: dict[Opcode, Fields] = {}
    for index, (opcode, fields) in enumerate(list_segment(program, segment), segment.first):
        row = found[program.layer_of[index]]
        if opcode in (Opcode.LOAD, Opcode.STORE):
            counter.transfer(row, opcode, fields)
        elif opcode is Opcode.MAC:
            counter.mac(row, settings[Opcode.MAC_LOOPS], fields)
        elif opcode is Opcode.VECTOR:
            loops, requantize = Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE
            counter.vector(row, settings[loops], settings[requantize], fields)
        else:
            settings[opcode] = fields
    return found


class _Counter:
    """Add up the accesses of pieces of work."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._reads: dict[tuple[object, ...], int] = {}

    def transfer(self, row: Counts, opcode: Opcode, fields: Fields) -> None:
        """Add a LOAD or a STORE."""
        config, job = self._config, Transfer.of(fields, self._config)
        moved = job.runs * job.words * config.word_bytes
        if opcode is Opcode.STORE:
            row[Access.EXTERNAL_WRITE] += job.runs * job.beats * config.bus_bytes
            row[Access.WRITE_BEATS] += job.runs * job.beats
            row[Access.ACTIVATION_READ] += moved
            return
        row[Access.EXTERNAL_READ] += job.runs * job.beats * config.bus_bytes
        row[Access.READ_BEATS] += job.runs * job.beats
        if fields["buffer"] in _WRITTEN:
            row[Access[f"{_WRITTEN[Buffer(fields['buffer'])]}_WRITE"]] += moved

    def mac(self, row: Counts, loops: Fields, work: Fields) -> None:
        """Add a MAC; its first tile overwrites accumulators unless it accumulates."""
        config = self._config
        tiles = loops["blocks"] * loops["groups"] * loops["kernel_rows"] * loops["kernel_columns"]
        pixels = work["rows"] * loops["columns"]
        sums = config.columns * _SUM_BYTES
        row[Access.ARRAY_STEPS] += tiles * pixels
        words = config.columns if loops["bitwise"] else config.rows
        row[Access.WEIGHT_READ] += tiles * words * config.word_bytes
        row[Access.ACCUMULATOR_WRITE] += tiles * pixels * sums
        row[Access.ACCUMULATOR_READ] += (tiles - 1 + work["accumulate"]) * pixels * sums
        row[Access.ACTIVATION_READ] += self._operands(loops, work, tiles * pixels)

    def _operands(self, loops: Fields, work: Fields, count: int) -> int:
        """Return the bytes that the feeder reads; equal jobs are counted once."""
        config = self._config
        offset = work["addr"] % config.word_bytes
        key = (*loops.values(), work["rows"], offset)
        if key not in self._reads:
            moved = {**work, "addr": offset}
            reads = FeederReads(config, lambda: np.arange(count), loops, moved, (-2, 0))
            self._reads[key] = int(np.unpackbits(reads.cycles()[1]).sum())
        return self._reads[key] * config.word_bytes

    def vector(self, row: Counts, loops: Fields, requantize: Fields, work: Fields) -> None:
        """Add a VECTOR: sums or words in, residuals, parameters and taps, results out."""
        config, issue = self._config, VectorIssue(self._config, loops, requantize, work)
        results = work["rows"] * len(
            range(loops["emit_first"], loops["columns"], max(1, loops["emit_period"]))
        )
        residuals = results * requantize["residual"]
        steps = issue.taken if issue.from_words else 0
        row[Access.VECTOR_STEPS] += issue.count
        row[Access.TAP_STEPS] += steps
        row[Access.PARAMETER_READ] += (1 + steps) * config.parameter_word_bytes
        row[Access.ACTIVATION_READ] += (steps + residuals) * config.word_bytes
        row[Access.ACTIVATION_WRITE] += results * config.word_bytes
        if not issue.from_words:
            row[Access.ACCUMULATOR_READ] += issue.taken * config.columns * _SUM_BYTES
