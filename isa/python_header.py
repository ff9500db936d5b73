"""The register map as a Python module, for drivers that cannot import this package."""

from .config import INSTRUCTION_BYTES, ISA_VERSION
from .header import meanings
from .registers import REGISTERS, Control, Error, Status

__all__ = ["python_header"]

_HEAD = '''\
"""Registers of Shiftloom accelerators: byte offsets, bits and error codes."""
'''


def python_header() -> str:
    """Return the module's text; it imports nothing, and Python 3.6 reads it."""
    lines = [_HEAD]
    lines += [f"ISA_VERSION = {ISA_VERSION}", f"INSTRUCTION_BYTES = {INSTRUCTION_BYTES}", ""]
    lines += ["#: Registers by name: byte offsets.", "OFFSETS = {"]
    lines += [f'    "{r.name}": 0x{r.offset:02X},  # {r.meaning}' for r in REGISTERS]
    lines += ["}", ""]
    for kind, prefix in ((Control, "CONTROL"), (Status, "STATUS")):
        for member, meaning in zip(kind, meanings(kind).values(), strict=True):
            lines += [f"#: {meaning}", f"{prefix}_{member.name} = 1 << {member.value}"]
        lines.append("")
    lines += ["#: What values of ERROR mean.", "ERRORS = {"]
    for code, meaning in zip(Error, meanings(Error).values(), strict=True):
        lines.append(f'    {code.value}: "{meaning or "No error."}",')
    return "\n".join([*lines, "}"]) + "\n"
