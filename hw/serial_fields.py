"""Instructions as the serial machine's blocks see them: word after word, each takes its fields."""

from amaranth import Module, Signal
from amaranth.lib import data

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import FORMATS, Opcode

__all__ = ["capture", "field_place", "instruction_word_layout"]


def instruction_word_layout(config: Config) -> data.StructLayout:
    """Return one word of an instruction, as wide as the bus: opcode, which word it is, its bits."""
    words = range(INSTRUCTION_BYTES // config.bus_bytes)
    return data.StructLayout(
        {"valid": 1, "opcode": 4, "number": words, "bits": 8 * config.bus_bytes}
    )


def field_place(opcode: Opcode, name: str) -> tuple[int, int]:
    """Return a field's lowest bit in its instruction, and its width."""
    position = 0
    for field in FORMATS[opcode]:
        if field.name == name:
            return position, field.width
        position += field.width
    raise KeyError(f"{opcode.name} has no field {name}")


def capture(
    m: Module, word: data.View, target: Signal, opcode: Opcode, name: str, *, drop: int = 0
) -> None:
    """Let a register take a field as the words of an instruction pass by.

    Parameters
    ----------
    m : Module
        Where the register is driven.
    word : View of instruction_word_layout(config)
        The words.
    target : Signal
        The register; it takes as many bits as it has, a longer one with the field's sign.
    opcode, name : Opcode, str
        The field.
    drop : int
        Lowest bits of the field that are left out.
    """
    position, width = field_place(opcode, name)
    position, width = position + drop, width - drop
    signed = next(f.signed for f in FORMATS[opcode] if f.name == name)
    taken, size = min(width, len(target)), len(word.bits)
    for number in range(position // size, (position + taken - 1) // size + 1):
        low = max(position, number * size)
        high = min(position + taken, (number + 1) * size)
        bits = word.bits[low - number * size : high - number * size]
        ends = high == position + taken
        with m.If(word.valid & (word.opcode == opcode) & (word.number == number)):
            m.d.sync += target[low - position : high - position].eq(bits)
            if ends and taken < len(target):
                rest = len(target) - taken
                m.d.sync += target[taken:].eq(bits[-1].replicate(rest) if signed else 0)
