"""How far a machine reaches: memory, instructions of a program, sides of feature maps."""

from . import serial
from .config import Config
from .formats import FORMATS, INDEX_BITS, Opcode

__all__ = ["ADDRESS_BITS", "address_bits", "index_bits", "longest_side"]

#: Bits of a byte address in external memory, of a machine that is not serial.
ADDRESS_BITS = 32

#: Rows and columns that every instruction can say.
_SIDE = next(field.high for field in FORMATS[Opcode.VECTOR_LOOPS] if field.name == "height")


def address_bits(config: Config) -> int:
    """Return the bits of a byte address in external memory."""
    return serial.ADDRESS_BITS if config.serial else ADDRESS_BITS


def index_bits(config: Config) -> int:
    """Return the bits of an instruction's index in its program."""
    return serial.INDEX_BITS if config.serial else INDEX_BITS


def longest_side(config: Config) -> int:
    """Return how many rows, or columns, a feature map can have at most."""
    return (1 << serial.COUNT_BITS) - 1 if config.serial else _SIDE
