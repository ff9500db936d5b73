"""AXI4-Lite registers of the control block, declared once for hardware, headers and drivers."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["REGISTERS", "Control", "Error", "Register", "Status", "register"]


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    name : str
        Identifier.
    offset : int
        Byte offset.
    access : str
        ``rw``, ``ro`` or ``wo``.
    meaning : str
        One sentence.
    """

    name: str
    offset: int
    access: str
    meaning: str


class Control(IntEnum):
    """Bits of CONTROL, as positions."""

    #: Starts a run.
    START = 0
    #: Resets the machine; reads 1 until what is in flight on the bus is completed.
    RESET = 1
    #: Lets the end of a run raise the interrupt.
    INTERRUPT_ENABLE = 2


class Status(IntEnum):
    """Bits of STATUS, as positions."""

    #: A run goes on.
    BUSY = 0
    #: The last run ended well.
    DONE = 1
    #: An error stopped the last run.
    ERROR = 2


class Error(IntEnum):
    """Values of ERROR."""

    NONE = 0
    #: No such opcode.
    ILLEGAL_OPCODE = 1
    #: The program was compiled for another configuration, or does not begin with CONFIG.
    WRONG_CONFIG = 2
    #: The bus answered an instruction fetch with an error.
    FETCH_BUS = 3
    #: The bus answered a LOAD with an error.
    LOAD_BUS = 4
    #: The bus answered a STORE with an error.
    STORE_BUS = 5
    #: The program has no END within its length.
    NO_END = 6


REGISTERS: tuple[Register, ...] = (
    Register("CONTROL", 0x00, "rw", "Bit 0 starts a run, bit 1 resets, bit 2 enables interrupts."),
    Register("STATUS", 0x04, "ro", "Bit 0 busy, bit 1 done, bit 2 stopped by an error."),
    Register("ERROR", 0x08, "ro", "Error code of the last run."),
    Register("ERROR_INDEX", 0x0C, "ro", "Index of the instruction that failed."),
    Register("CONFIG_ID", 0x10, "ro", "Identity of the configuration."),
    Register("ISA_VERSION", 0x14, "ro", "Version of the instruction set."),
    Register("PROGRAM", 0x18, "rw", "Address of the first instruction."),
    Register("PROGRAM_LENGTH", 0x1C, "rw", "Instructions in the program."),
    Register("BASE0", 0x20, "rw", "Address of region 0: constants."),
    Register("BASE1", 0x24, "rw", "Address of region 1: input."),
    Register("BASE2", 0x28, "rw", "Address of region 2: output."),
    Register("BASE3", 0x2C, "rw", "Address of region 3: workspace."),
    Register("CYCLES", 0x30, "ro", "Clock cycles from start to done."),
    Register("MAC_CYCLES", 0x34, "ro", "Cycles in which the array took an operand."),
    Register("VECTOR_CYCLES", 0x38, "ro", "Cycles in which the vector unit took an operand."),
    Register("READ_BEATS", 0x3C, "ro", "Bus beats read, instructions included."),
    Register("WRITE_BEATS", 0x40, "ro", "Bus beats written."),
    Register("FETCH_BEATS", 0x44, "ro", "Bus beats read for instructions."),
    Register("LOAD_WORK", 0x48, "ro", "LOAD work completed."),
    Register("MAC_WORK", 0x4C, "ro", "MAC work completed."),
    Register("VECTOR_WORK", 0x50, "ro", "VECTOR work completed."),
    Register("STORE_WORK", 0x54, "ro", "STORE work completed."),
)


def register(name: str) -> Register:
    """Return a register by name.

    Raises
    ------
    KeyError
        No such register.
    """
    for entry in REGISTERS:
        if entry.name == name:
            return entry
    raise KeyError(name)
