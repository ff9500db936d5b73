"""Instructions as named integers, and as the 32 bytes that memory holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from .config import INSTRUCTION_BYTES
from .formats import (
    BYTE_ADDR_BITS,
    ENGINES,
    FORMATS,
    INDEX_BITS,
    WINDOW_STEPS,
    WORD_ADDR_BITS,
    Buffer,
    Engine,
    Field,
    Opcode,
    Region,
    VectorOperation,
    VectorSource,
)

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
    "Instruction",
    "Opcode",
    "Region",
    "VectorOperation",
    "VectorSource",
    "decode",
    "encode",
    "engine_of",
    "is_work",
]

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
