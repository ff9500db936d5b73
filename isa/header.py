"""The C header for drivers and tools: registers, codes, and where instruction fields lie."""

import inspect
from collections.abc import Iterator
from enum import IntEnum

from .config import INSTRUCTION_BYTES, ISA_VERSION
from .formats import (
    FORMATS,
    INDEX_BITS,
    WINDOW_STEPS,
    Buffer,
    Engine,
    Field,
    Opcode,
    Region,
    VectorOperation,
    VectorSource,
)
from .registers import REGISTERS, Control, Error, Status
from .requantize import Rounding

__all__ = ["c_header", "meanings", "positions"]

_HEAD = """\
/* Shiftloom: registers and instructions of the accelerator.
 *
 * Written by python -m shiftloom.isa.documentation; docs/isa.md explains what it names.
 * X_BIT is the position of a field from the least significant bit of the little-endian
 * instruction, X_WIDTH its bits, X_SIGNED whether it is two's complement.
 */

#ifndef SHIFTLOOM_ISA_H
#define SHIFTLOOM_ISA_H
"""

_ENUMS: tuple[tuple[type[IntEnum], str, str], ...] = (
    (Control, "CONTROL_{}_BIT", "Bits of CONTROL, as positions."),
    (Status, "STATUS_{}_BIT", "Bits of STATUS, as positions."),
    (Error, "ERROR_{}", "Values of ERROR."),
    (Region, "REGION_{}", "Regions of external memory; region n begins at register BASEn."),
    (Engine, "ENGINE_{}", "Engines, in the order of the wait fields."),
    (Opcode, "OP_{}", "Opcodes."),
    (Buffer, "BUFFER_{}", "Destinations of LOAD."),
    (VectorSource, "SOURCE_{}", "Values of VECTOR_LOOPS.source."),
    (VectorOperation, "OPERATION_{}", "Values of VECTOR_LOOPS.operation."),
    (Rounding, "ROUNDING_{}", "Values of VECTOR_REQUANTIZE.rounding."),
)


def positions(opcode: Opcode) -> Iterator[tuple[Field, int]]:
    """Yield the fields of an instruction, each with the position of its lowest bit."""
    bit = 0
    for field in FORMATS[opcode]:
        yield field, bit
        bit += field.width


def meanings(kind: type[IntEnum]) -> dict[str, str]:
    """Return what the members of an enumeration mean, from the ``#:`` comments above them."""
    found, comment = {}, ""
    for line in map(str.strip, inspect.getsource(kind).splitlines()):
        if line.startswith("#: "):
            comment = f"{comment} {line[3:]}".lstrip()
        elif " = " in line:
            found[line.partition(" = ")[0]], comment = comment, ""
    return {member.name: found[member.name] for member in kind}


def c_header() -> str:
    """Return the header's text."""
    lines = [
        _HEAD,
        *_defines(
            "Numbers.",
            {
                "ISA_VERSION": str(ISA_VERSION),
                "INSTRUCTION_BYTES": str(INSTRUCTION_BYTES),
                "MAX_INSTRUCTIONS": str((1 << INDEX_BITS) - 1),
                "WINDOW_STEPS": str(WINDOW_STEPS),
            },
        ),
        "/* Registers: byte offsets. */",
        *(_define(f"REG_{r.name}", f"0x{r.offset:02X}u", r.meaning) for r in REGISTERS),
        "",
    ]
    for kind, pattern, title in _ENUMS:
        lines += _defines(title, {pattern.format(m.name): str(m.value) for m in kind})
    for opcode in FORMATS:
        lines += _fields(opcode)
    return "\n".join([*lines, "#endif"]) + "\n"


def _define(name: str, value: str, meaning: str = "") -> str:
    comment = f" /* {meaning} */" if meaning else ""
    return f"#define SHIFTLOOM_{name} {value}{comment}"


def _defines(title: str, values: dict[str, str]) -> list[str]:
    return [f"/* {title} */", *(_define(name, value) for name, value in values.items()), ""]


def _fields(opcode: Opcode) -> list[str]:
    """Return the macros of one instruction's fields, the opcode left out."""
    values: dict[str, str] = {}
    for field, bit in positions(opcode):
        if field.name != "opcode":
            name = f"{opcode.name}_{field.name.upper()}"
            values |= {f"{name}_BIT": f"{bit}u", f"{name}_WIDTH": f"{field.width}u"}
            values[f"{name}_SIGNED"] = str(int(field.signed))
    return _defines(f"Fields of {opcode.name}.", values) if values else []
