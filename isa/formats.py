"""Instruction formats: each field declared once, for compiler, simulators, hardware and documents.

An instruction is 32 bytes. Its fields lie from the least significant bit upward in the order of
declaration, little-endian in memory. Two kinds exist: *settings* (``…_LOOPS``, ``…_REQUANTIZE``)
stay in force for the work that follows on the same engine; *work* makes an engine do something,
and counts. Work starts when, for each engine, at least ``wait_<engine>`` pieces of work of that
engine have completed since the program began: these counts are the dependency tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "BYTE_ADDR_BITS",
    "ENGINES",
    "FORMATS",
    "INDEX_BITS",
    "WINDOW_STEPS",
    "WORD_ADDR_BITS",
    "Buffer",
    "Engine",
    "Field",
    "Opcode",
    "Region",
    "VectorOperation",
    "VectorSource",
]


class Engine(IntEnum):
    """The four engines that run concurrently."""

    #: External memory to the buffers.
    LOAD = 0
    #: Feeder, systolic array and accumulators.
    MAC = 1
    #: Drains accumulators, runs kernel taps, requantizes.
    VECTOR = 2
    #: Activation buffer to external memory.
    STORE = 3


ENGINES = tuple(Engine)


class Buffer(IntEnum):
    """Destinations of LOAD."""

    #: Feature maps; a word is ``word_bytes`` codes.
    ACTIVATION = 0
    #: Weight tiles; words as wide as those of activations.
    WEIGHT = 1
    #: Parameter and tap words; addressed by eighths, each as wide as an activation word.
    PARAMETER = 2


class Region(IntEnum):
    """Parts of external memory that LOAD and STORE name; each has a base register."""

    #: Weights and parameters: ``constants`` of the program file.
    CONSTANTS = 0
    #: Inputs of the network.
    INPUT = 1
    #: Outputs of the network.
    OUTPUT = 2
    #: Feature maps that do not fit on chip, and what the host reads and writes.
    WORKSPACE = 3


class Opcode(IntEnum):
    """What an instruction does; zero is illegal, so that empty memory stops the machine."""

    #: Stops the machine with an error.
    ILLEGAL = 0
    #: First of a program: names the configuration it was compiled for.
    CONFIG = 1
    #: Last of a program: the machine is done when all work has completed.
    END = 2
    #: External memory to a buffer.
    LOAD = 4
    #: Loop nest of the array's feeder.
    MAC_LOOPS = 5
    #: One tile of a convolution on the array.
    MAC = 6
    #: Loop nest of the vector unit.
    VECTOR_LOOPS = 7
    #: Requantization of the vector unit.
    VECTOR_REQUANTIZE = 8
    #: One tile on the vector unit.
    VECTOR = 9
    #: Activation buffer to external memory.
    STORE = 10


class VectorSource(IntEnum):
    """Where the vector unit's operands come from."""

    #: Sums of the array; there is no kernel.
    ACCUMULATOR = 0
    #: Words of the activation buffer, combined over kernel steps and taps.
    ACTIVATION = 1


class VectorOperation(IntEnum):
    """How taps combine."""

    #: Sum of words times taps; padding is 0.
    SUM = 0
    #: Largest word whose tap is not 0; padding is the smallest code.
    MAX = 1


@dataclass(frozen=True)
class Field:
    """One field.

    Parameters
    ----------
    name : str
        Identifier.
    width : int
        Bits.
    signed : bool
        Two's complement.
    meaning : str
        One sentence.
    """

    name: str
    width: int
    signed: bool = False
    meaning: str = ""

    @property
    def low(self) -> int:
        """Smallest value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value."""
        return (1 << (self.width - self.signed)) - 1


#: Bits of a word address in the activation buffer (2**20 words) and of a byte address in it.
WORD_ADDR_BITS = 20
BYTE_ADDR_BITS = 26

#: Bits of an instruction's index in its program.
INDEX_BITS = 20

#: Kernel steps whose earlier columns the vector unit remembers.
WINDOW_STEPS = 16


def _u(name: str, width: int, meaning: str) -> Field:
    return Field(name, width, meaning=meaning)


def _s(name: str, width: int, meaning: str) -> Field:
    return Field(name, width, signed=True, meaning=meaning)


_OPCODE = (_u("opcode", 8, "What the instruction does."),)

_WAITS = tuple(
    _u(f"wait_{e.name.lower()}", 16, f"{e.name} work that must have completed before this starts.")
    for e in ENGINES
)

_TRANSFER = (
    *_OPCODE,
    *_WAITS,
    _u("region", 2, "Region of external memory."),
    _u("offset", 32, "Byte offset in the region of the first run; aligned."),
    _u("buffer", 2, "Destination of LOAD; STORE always reads the activation buffer."),
    _u("addr", WORD_ADDR_BITS, "Word address in the buffer of the first run."),
    _u("words", 16, "Words of a run, which follow each other on both sides; 0 moves nothing."),
    _u("runs", 12, "Number of runs; 0 moves nothing."),
    _u("memory_pitch", 28, "Bytes in external memory from one run to the next; aligned."),
    _u("pitch", WORD_ADDR_BITS, "Words in the buffer from one run to the next."),
)

_MAC_LOOPS = (
    *_OPCODE,
    _u("unsigned", 1, "Operands are unsigned bytes: the top bit is flipped, which subtracts 128."),
    _u("folded", 1, "Thin input: x counts bytes of a row, lanes are padded one by one."),
    _u("blocks", 10, "Count of the outermost loop: input channel blocks, or chunks if folded."),
    _u("groups", 5, "Count: passes of the array's rows over one word, rows bytes apart."),
    _u("kernel_rows", 6, "Count: kernel rows."),
    _u("kernel_columns", 6, "Count: kernel columns; 1 if folded."),
    _u("columns", 12, "Count of the innermost loop: output columns."),
    _u("block_stride", BYTE_ADDR_BITS, "Bytes from one block to the next."),
    _u("kernel_row_stride", BYTE_ADDR_BITS, "Bytes from one kernel row to the next."),
    _u("kernel_column_stride", 20, "Bytes from one kernel column to the next."),
    _u("row_stride", BYTE_ADDR_BITS, "Bytes from one output row's operands to the next one's."),
    _u("column_stride", 14, "Bytes from one output column's operands to the next one's."),
    _u("kernel_row_y", 6, "Positions y that a kernel row adds (dilation)."),
    _u("kernel_column_x", 6, "Positions x that a kernel column adds."),
    _u("row_y", 5, "Positions y that an output row adds (stride)."),
    _u("column_x", 9, "Positions x that an output column adds."),
    _u("block_x", 7, "Positions x that a block adds; 0 unless folded."),
    _u("height", 16, "Positions y in 0…height-1 are inside, others are padding."),
    _u("width", 16, "Positions x in 0…width-1 are inside, others are padding."),
    _u("bitwise", 1, "Operands are whole words of bits, for the bit array."),
    _u("bipolar_inputs", 1, "Bits of operands mean -1 and +1; otherwise 0 and 1."),
    _u("bipolar_weights", 1, "Bits of weights mean -1 and +1; otherwise 0 and 1."),
    _u(
        "lanes",
        10,
        "Bits of a word that count in the last block; in others all do. Even if both are bipolar.",
    ),
)

_MAC = (
    *_OPCODE,
    *_WAITS,
    _u("accumulate", 1, "Add to what the accumulators hold; otherwise the first tile overwrites."),
    _u("half", 1, "Half of the accumulators."),
    _u("pixel", 12, "First accumulator in the half; pixels follow row by row."),
    _u("rows", 12, "Count of the loop outside columns: output rows."),
    _s("addr", BYTE_ADDR_BITS, "Byte address of position (y, x), modulo the buffer's size."),
    _s("y", 14, "Position y of the first operand; negative in the padding above."),
    _s("x", 18, "Position x of the first operand; negative in the padding to the left."),
    _u("weight_addr", WORD_ADDR_BITS, "Word address of the first weight tile; the rest follows."),
    _u("double", 1, "What accumulators hold is doubled before the first bitwise tile adds to it."),
    _u("negative", 1, "Bitwise tiles are subtracted."),
)

_VECTOR_LOOPS = (
    *_OPCODE,
    _u("source", 1, "Where operands come from (VectorSource)."),
    _u("operation", 1, "How taps combine (VectorOperation)."),
    _u("unsigned", 1, "Input words are unsigned bytes."),
    _u("columns", 12, "Count: columns of a row, those that emit nothing included."),
    _u("kernel_rows", 6, "Count: kernel rows; every step has a tap word."),
    _u("kernel_columns", 6, "Count: kernel columns, or groups of vector_taps of them."),
    _s("row_stride", WORD_ADDR_BITS, "Words from one row to the next."),
    _s("column_stride", WORD_ADDR_BITS, "Words from one column to the next."),
    _s("kernel_row_stride", WORD_ADDR_BITS + 1, "Words from one kernel row to the next."),
    _s("kernel_column_stride", WORD_ADDR_BITS, "Words from one kernel column to the next."),
    _u("row_y", 5, "Positions y that a row adds."),
    _u("column_x", 5, "Positions x that a column adds."),
    _u("kernel_row_y", 6, "Positions y that a kernel row adds."),
    _u("kernel_column_x", 6, "Positions x that a kernel column adds."),
    _u("height", 12, "Positions y in 0…height-1 are inside, others are padding."),
    _u("width", 12, "Positions x in 0…width-1 are inside, others are padding."),
    _u("emit_first", 6, "Columns before the first result of a row."),
    _u("emit_period", 5, "Columns from one result to the next; at least 1."),
    _s("write_row_stride", WORD_ADDR_BITS, "Words from one row of results to the next."),
    _s("write_stride", WORD_ADDR_BITS, "Words from one result of a row to the next."),
)

_VECTOR_REQUANTIZE = (
    *_OPCODE,
    _u("rounding", 2, "Rounding of both stages (Rounding)."),
    _s("low", 16, "Smallest value after the first stage."),
    _s("high", 16, "Largest value after the first stage."),
    _s("out_shift", 5, "Right shift of the second stage; negative shifts left, by 8 at most."),
    _s("out_low", 9, "Smallest code, -128…255."),
    _s("out_high", 9, "Largest code, -128…255."),
    _u("threshold_bits", 3, "0: shift; 1…4: compare with 2**threshold_bits - 1 thresholds."),
    _u("pack", 1, "Write one bit of each code, to a part of a word; the rest of the word stays."),
    _u("plane", 3, "Which bit of the codes, if pack."),
    _u("residual", 1, "Add a word of the activation buffer between the stages."),
    _u("residual_unsigned", 1, "Residual words are unsigned bytes."),
    _u("residual_shift", 3, "Left shift of residual codes."),
    _s("residual_row_stride", WORD_ADDR_BITS, "Words from one row of residuals to the next."),
    _s("residual_stride", WORD_ADDR_BITS, "Words from one result's residual to the next one's."),
)

_VECTOR = (
    *_OPCODE,
    *_WAITS,
    _u("half", 1, "Half of the accumulators."),
    _u("pixel", 12, "First accumulator in the half; pixels follow row by row."),
    _u("rows", 12, "Count of the outermost loop: rows."),
    _s("addr", WORD_ADDR_BITS + 1, "Word address of position (y, x), modulo the buffer's size."),
    _s("y", 13, "Position y of the first input word."),
    _s("x", 13, "Position x of the first input word."),
    _u("parameter_addr", 13, "Parameter word; tap words of the kernel steps follow it."),
    _u("write_addr", WORD_ADDR_BITS, "Word address of the first result."),
    _u("residual_addr", WORD_ADDR_BITS, "Word address of the first residual."),
    _u("threshold_addr", 13, "First parameter word of thresholds, two of each lane in a word."),
    _u("part", 3, "Eighth of the words that is written, if pack."),
)

FORMATS: Mapping[Opcode, tuple[Field, ...]] = {
    Opcode.CONFIG: (*_OPCODE, _u("config_id", 32, "Identity of the configuration.")),
    Opcode.END: _OPCODE,
    Opcode.LOAD: _TRANSFER,
    Opcode.STORE: _TRANSFER,
    Opcode.MAC_LOOPS: _MAC_LOOPS,
    Opcode.MAC: _MAC,
    Opcode.VECTOR_LOOPS: _VECTOR_LOOPS,
    Opcode.VECTOR_REQUANTIZE: _VECTOR_REQUANTIZE,
    Opcode.VECTOR: _VECTOR,
}
