"""Writes ``docs/isa.md`` and the C header: ``python -m shiftloom.isa.documentation``.

The page is prose with generated sections between marks. Edit the prose in the page; what lies
between the marks is replaced by what the definitions say.
"""

import re
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from .config import INSTRUCTION_BYTES, ISA_VERSION, load_config, named_configs
from .formats import (
    FORMATS,
    INDEX_BITS,
    WINDOW_STEPS,
    WORD_ADDR_BITS,
    Buffer,
    Engine,
    Field,
    Opcode,
    Region,
)
from .header import c_header, meanings, positions
from .instructions import engine_of, is_work
from .registers import REGISTERS, Error
from .requantize import MAX_LEFT_SHIFT, MID_HIGH, MID_LOW, Rounding

__all__ = ["COMMAND", "c_header", "documents", "main", "page"]

#: Writes the documents.
COMMAND = "python -m shiftloom.isa.documentation"

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_SECTION = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the page's text with its generated sections replaced.

    Raises
    ------
    ValueError
        A section has no marks, or marks name a section that does not exist.
    """
    found = [match[1] for match in _SECTION.findall(text)]
    if sorted(found) != sorted(_SECTIONS):
        raise ValueError(f"the page must have sections {', '.join(_SECTIONS)}, not {found}")
    return _SECTION.sub(lambda m: f"{m[1]}\n{_SECTIONS[m[2]]()}\n\n{m[3]}", text)


def documents() -> dict[Path, str]:
    """Return what the documents should hold, by file."""
    isa = _DOCS / "isa.md"
    return {isa: page(isa.read_text(encoding="utf-8")), _DOCS / "shiftloom_isa.h": c_header()}


def main() -> int:
    """Write the documents; return the exit status."""
    if not _DOCS.is_dir():
        print(f"{_DOCS} is missing: documents are written in a checkout only", file=sys.stderr)
        return 1
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    return 0


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _enum(kind: type[IntEnum]) -> str:
    meaning = meanings(kind)
    rows: list[tuple[object, ...]] = [(m.value, f"`{m.name}`", meaning[m.name]) for m in kind]
    return _table(("code", "name", "meaning"), rows)


def _opcodes() -> str:
    meaning = meanings(Opcode)
    rows: list[tuple[object, ...]] = []
    for opcode in Opcode:
        engine = engine_of(opcode)
        kind = "-" if engine is None else "work" if is_work(opcode) else "settings"
        name = "-" if engine is None else engine.name
        rows.append((opcode.value, f"`{opcode.name}`", name, kind, meaning[opcode.name]))
    return _table(("code", "name", "engine", "kind", "meaning"), rows)


def _formats() -> str:
    """Return one table per format; opcodes that share a format share the table."""
    names: dict[tuple[Field, ...], list[Opcode]] = {}
    for opcode, fields in FORMATS.items():
        names.setdefault(fields, []).append(opcode)
    parts = []
    for opcodes in names.values():
        title = ", ".join(f"`{opcode.name}`" for opcode in opcodes)
        rows: list[tuple[object, ...]] = [
            (f"{bit + field.width - 1}:{bit}", f"`{field.name}`", _kind(field), field.meaning)
            for field, bit in positions(opcodes[0])
        ]
        parts.append(f"### {title}\n\n{_table(('bits', 'field', 'type', 'meaning'), rows)}")
    return "\n\n".join(parts)


def _kind(field: Field) -> str:
    return f"{'s' if field.signed else 'u'}{field.width}"


def _registers() -> str:
    rows: list[tuple[object, ...]] = [
        (f"0x{r.offset:02X}", f"`{r.name}`", r.access, r.meaning) for r in REGISTERS
    ]
    return _table(("offset", "register", "access", "meaning"), rows)


def _configurations() -> str:
    rows: list[tuple[object, ...]] = []
    for name in named_configs():
        c = load_config(name)
        derived = c.row_groups, c.word_bytes, c.align_bytes, f"0x{c.id:08X}"
        rows.append((f"`{name}`", c.rows, c.columns, *derived))
    head = ("name", "rows", "columns", "row groups", "word bytes", "alignment", "id")
    return _table(head, rows)


def _limits() -> str:
    wait, shift = _width(Opcode.MAC, "wait_load"), -MAX_LEFT_SHIFT
    rows: list[tuple[object, ...]] = [
        ("version of the instruction set", ISA_VERSION),
        ("bytes of an instruction", INSTRUCTION_BYTES),
        ("instructions of a program", f"2 (CONFIG and END) … {(1 << INDEX_BITS) - 1:,}"),
        ("pieces of work per engine and program", f"0 … {(1 << wait) - 1:,}"),
        ("words of the activation buffer", f"at most 2^{WORD_ADDR_BITS}"),
        ("counts of loops (`blocks` … `columns`, `rows`)", "1 … 2^width - 1; 0 is not allowed"),
        ("`emit_period`", f"1 … {(1 << _width(Opcode.VECTOR_LOOPS, 'emit_period')) - 1}"),
        ("kernel steps when a tap meets an earlier column", f"at most {WINDOW_STEPS}"),
        ("value between the stages of requantization", f"{MID_LOW:,} … {MID_HIGH:,}"),
        ("`shift` of a channel", "0 … 31, to the right"),
        ("`out_shift`", f"{shift} … 15; less than {shift} acts as {shift}"),
        ("a tap", "-256 … 255"),
    ]
    return _table(("limit", "value"), rows)


def _width(opcode: Opcode, name: str) -> int:
    return next(field.width for field in FORMATS[opcode] if field.name == name)


_SECTIONS: dict[str, Callable[[], str]] = {
    "opcodes": _opcodes,
    "formats": _formats,
    "engines": lambda: _enum(Engine),
    "buffers": lambda: _enum(Buffer),
    "regions": lambda: _enum(Region),
    "roundings": lambda: _enum(Rounding),
    "registers": _registers,
    "errors": lambda: _enum(Error),
    "configurations": _configurations,
    "limits": _limits,
}

if __name__ == "__main__":
    sys.exit(main())
