"""The registers in IP-XACT: the memory map behind ``s_axi``."""

from enum import IntEnum
from xml.etree import ElementTree

from ...isa.header import meanings
from ...isa.registers import REGISTERS, Control, Register, Status
from .xml_tree import add

__all__ = ["REGISTER_BLOCK", "REGISTER_BYTES", "add_memory_map"]

#: Name of the block of registers.
REGISTER_BLOCK = "registers"

#: Address space that the registers take: the least that block designs give.
REGISTER_BYTES = 4096

_ACCESS = {"rw": "read-write", "ro": "read-only", "wo": "write-only"}

#: Registers whose bits have names.
_BITS: dict[str, type[IntEnum]] = {"CONTROL": Control, "STATUS": Status}


def add_memory_map(root: ElementTree.Element) -> None:
    """Add the memory map with all registers and their fields."""
    memory = add(add(root, "memoryMaps"), "memoryMap")
    add(memory, "name", "s_axi")
    block = add(memory, "addressBlock")
    add(block, "name", REGISTER_BLOCK)
    add(block, "baseAddress", "0", format="long")
    add(block, "range", str(REGISTER_BYTES), format="long")
    add(block, "width", "32", format="long")
    add(block, "usage", "register")
    add(block, "access", "read-write")
    for register in REGISTERS:
        _add_register(block, register)


def _add_register(block: ElementTree.Element, register: Register) -> None:
    entry = add(block, "register")
    add(entry, "name", register.name)
    add(entry, "description", register.meaning)
    add(entry, "addressOffset", f"0x{register.offset:02X}")
    add(entry, "size", "32", format="long")
    add(entry, "volatile", "true" if register.access == "ro" else "false")
    add(entry, "access", _ACCESS[register.access])
    kind = _BITS.get(register.name)
    if kind is None:
        fields = [(register.name, register.meaning, 0, 32)]
    else:
        described = meanings(kind)
        fields = [(bit.name, described[bit.name], bit.value, 1) for bit in kind]
    for name, meaning, bit, width in fields:
        field = add(entry, "field")
        add(field, "name", name)
        add(field, "description", meaning)
        add(field, "bitOffset", str(bit))
        add(field, "bitWidth", str(width), format="long")
        add(field, "access", _ACCESS[register.access])
