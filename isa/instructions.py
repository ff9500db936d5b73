"""Instruction formats: each field declared once, for compiler, simulators and hardware.

An instruction is 32 bytes. Its fields lie from the least significant bit upward in the order of
declaration, little-endian in memory. Two kinds exist: *settings* (``…_LOOPS``, ``…_REQUANTIZE``)
stay in force for the work that follows on the same engine; *work* makes an engine do something,
and counts. Work starts when, for each engine, at least ``wait_<engine>`` pieces of work of that
engine have completed since the program began: these counts are the dependency tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from .config import INSTRUCTION_BYTES

__all__ = [
    "ENGINES",
    "FORMATS",
    "Buffer",
    "Engine",
    "Field",
    "Instruction",
    "Opcode",
    "decode",
    "encode",
    "engine_of",
    "is_work",
]


class Engine(IntEnum):
    """The four engines that run concurrently."""

    LOAD = 0
    MAC = 1
    VECTOR = 2
    STORE = 3


ENGINES = tuple(Engine)


class Buffer(IntEnum):
    """Destinations of LOAD."""

    ACTIVATION = 0
    WEIGHT = 1
    PARAMETER = 2


class Opcode(IntEnum):
    """What an instruction does; zero is illegal, so that empty memory stops the machine."""

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


@dataclass(frozen=True)
class Field:
    """One field: a name, a width in bits, and whether it is two's complement."""

    name: str
    width: int
    signed: bool = False

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

_OPCODE = (Field("opcode", 8),)
_WAITS = tuple(Field(f"wait_{engine.name.lower()}", 16) for engine in ENGINES)

_TRANSFER = (
    *_OPCODE,
    *_WAITS,
    Field("region", 2),
    Field("offset", 32),
    Field("buffer", 2),
    Field("addr", WORD_ADDR_BITS),
    Field("words", 16),
    Field("runs", 12),
    Field("memory_pitch", 28),
    Field("pitch", WORD_ADDR_BITS),
)

FORMATS: Mapping[Opcode, tuple[Field, ...]] = {
    Opcode.CONFIG: (*_OPCODE, Field("config_id", 32)),
    Opcode.END: _OPCODE,
    Opcode.LOAD: _TRANSFER,
    Opcode.STORE: _TRANSFER,
    Opcode.MAC_LOOPS: (
        *_OPCODE,
        Field("unsigned", 1),  # operands are unsigned bytes: the top bit is flipped
        Field("folded", 1),  # thin input: x counts bytes of a row, lanes are masked one by one
        Field("blocks", 10),  # counts of the loops, outermost first
        Field("groups", 5),
        Field("kernel_rows", 6),
        Field("kernel_columns", 6),
        Field("columns", 12),
        Field("block_stride", BYTE_ADDR_BITS),  # bytes in the activation buffer, per loop step
        Field("kernel_row_stride", BYTE_ADDR_BITS),
        Field("kernel_column_stride", 20),
        Field("row_stride", BYTE_ADDR_BITS),
        Field("column_stride", 14),
        Field("kernel_row_y", 6),  # steps of the position that padding is judged by
        Field("kernel_column_x", 6),
        Field("row_y", 5),
        Field("column_x", 9),
        Field("block_x", 7),
        Field("height", 16),  # positions 0…height-1, 0…width-1 are inside
        Field("width", 16),
    ),
    Opcode.MAC: (
        *_OPCODE,
        *_WAITS,
        Field("accumulate", 1),  # add to what the accumulators hold
        Field("half", 1),
        Field("pixel", 12),  # first accumulator address
        Field("rows", 12),  # output rows of the tile
        Field("addr", BYTE_ADDR_BITS, signed=True),  # byte address of position (y, x)
        Field("y", 14, signed=True),
        Field("x", 18, signed=True),
        Field("weight_addr", WORD_ADDR_BITS),
    ),
    Opcode.VECTOR_LOOPS: (
        *_OPCODE,
        Field("source", 1),  # VectorSource
        Field("operation", 1),  # VectorOperation
        Field("unsigned", 1),
        Field("columns", 12),  # counts
        Field("kernel_rows", 6),
        Field("kernel_columns", 6),
        Field("row_stride", WORD_ADDR_BITS, signed=True),  # words, per loop step
        Field("column_stride", WORD_ADDR_BITS, signed=True),
        Field("kernel_row_stride", WORD_ADDR_BITS + 1, signed=True),
        Field("kernel_column_stride", WORD_ADDR_BITS, signed=True),
        Field("row_y", 5),
        Field("column_x", 5),
        Field("kernel_row_y", 6),
        Field("kernel_column_x", 6),
        Field("height", 12),
        Field("width", 12),
        Field("emit_first", 6),  # columns before the first output of a row
        Field("emit_period", 5),  # columns from one output to the next
        Field("write_row_stride", WORD_ADDR_BITS, signed=True),
        Field("write_stride", WORD_ADDR_BITS, signed=True),
    ),
    Opcode.VECTOR_REQUANTIZE: (
        *_OPCODE,
        Field("rounding", 2),
        Field("low", 16, signed=True),
        Field("high", 16, signed=True),
        Field("out_shift", 5, signed=True),
        Field("out_low", 9, signed=True),
        Field("out_high", 9, signed=True),
        Field("residual", 1),  # add a word of the activation buffer between the stages
        Field("residual_unsigned", 1),
        Field("residual_shift", 3),
        Field("residual_row_stride", WORD_ADDR_BITS, signed=True),
        Field("residual_stride", WORD_ADDR_BITS, signed=True),
    ),
    Opcode.VECTOR: (
        *_OPCODE,
        *_WAITS,
        Field("half", 1),
        Field("pixel", 12),  # first accumulator address
        Field("rows", 12),
        Field("addr", WORD_ADDR_BITS + 1, signed=True),  # word address of position (y, x)
        Field("y", 13, signed=True),
        Field("x", 13, signed=True),
        Field("parameter_addr", 13),
        Field("write_addr", WORD_ADDR_BITS),
        Field("residual_addr", WORD_ADDR_BITS),
    ),
}


class VectorSource(IntEnum):
    """Where the vector unit's operands come from."""

    ACCUMULATOR = 0
    ACTIVATION = 1


class VectorOperation(IntEnum):
    """How taps combine."""

    SUM = 0
    MAX = 1


_WORK = {
    Opcode.LOAD: Engine.LOAD,
    Opcode.MAC: Engine.MAC,
    Opcode.VECTOR: Engine.VECTOR,
    Opcode.STORE: Engine.STORE,
}
_SETTINGS = {
    Opcode.MAC_LOOPS: Engine.MAC,
    Opcode.VECTOR_LOOPS: Engine.VECTOR,
    Opcode.VECTOR_REQUANTIZE: Engine.VECTOR,
}


def is_work(opcode: Opcode) -> bool:
    """Return whether an opcode makes its engine work, and counts."""
    return opcode in _WORK


def engine_of(opcode: Opcode) -> Engine | None:
    """Return the engine whose queue an instruction enters; none for CONFIG and END."""
    return (_WORK | _SETTINGS).get(opcode)


@dataclass(frozen=True)
class Instruction:
    """An instruction as named integers; fields that are not given are zero.

    Raises
    ------
    ValueError
        A field that the opcode lacks, or a value that does not fit.
    """

    opcode: Opcode
    fields: Mapping[str, int]

    def __post_init__(self) -> None:
        widths = {f.name: f for f in FORMATS[self.opcode][1:]}
        for name, value in self.fields.items():
            if name not in widths:
                raise ValueError(f"{self.opcode.name} has no field {name}")
            if not widths[name].low <= value <= widths[name].high:
                low, high = widths[name].low, widths[name].high
                raise ValueError(f"{self.opcode.name}.{name} must be {low}…{high}, not {value}")

    def __getitem__(self, name: str) -> int:
        return self.fields.get(name, 0)

    def __str__(self) -> str:
        shown = " ".join(f"{k}={v}" for k, v in self.fields.items() if v)
        return f"{self.opcode.name:<18}{shown}".rstrip()


def encode(instruction: Instruction) -> bytes:
    """Return the 32 bytes of an instruction."""
    word, position = int(instruction.opcode), 8
    for field in FORMATS[instruction.opcode][1:]:
        word |= (instruction[field.name] & ((1 << field.width) - 1)) << position
        position += field.width
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(data: bytes) -> Instruction:
    """Return the instruction that 32 bytes hold.

    Raises
    ------
    ValueError
        Not 32 bytes, or an opcode that does not exist.
    """
    if len(data) != INSTRUCTION_BYTES:
        raise ValueError(f"an instruction has {INSTRUCTION_BYTES} bytes, not {len(data)}")
    word = int.from_bytes(data, "little")
    code, word = word & 0xFF, word >> 8
    if code not in FORMATS:
        raise ValueError(f"no opcode {code}")
    values = {}
    for field in FORMATS[Opcode(code)][1:]:
        value = word & ((1 << field.width) - 1)
        negative = field.signed and value >> (field.width - 1)
        values[field.name] = value - (1 << field.width) if negative else value
        word >>= field.width
    return Instruction(Opcode(code), values)
