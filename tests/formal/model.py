"""From an Amaranth design with Assert, Assume and Cover to formulas over its state."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

from shiftloom.boards.tools import YOSYS

__all__ = ["Model", "build_model"]

#: From behavioural RTLIL to one module of registers and operations on words. Memories become
#: registers, and a signal's name survives where the signal does.
_FORMULAS = (
    "hierarchy -check -top top",
    "proc",
    "flatten",
    "memory_map",
    "async2sync",
    "chformal -lower",
    "opt -full",
    "dffunmap",
    "opt_clean -purge",
    "write_smt2 -stbv -wires top.smt2",
)

_SLOT = re.compile(r"^\(define-fun \S+ \(\(state \|top_s\|\)\) .*?extract (\d+) (\d+)\) state\)")
_CHECK = re.compile(r"cell \$check (\S+)\n\s+parameter \\FORMAT \"(.*)\"")
_GOAL = re.compile(r"^; yosys-smt2-(assert|cover) (\d+) (\S+)", re.MULTILINE)
_WIRE = re.compile(r"^; yosys-smt2-wire (\w+) (\d+)$", re.MULTILINE)
_STATE = re.compile(r"^\(define-sort \|top_s\| \(\) \(_ BitVec (\d+)\)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Model:
    """A design as functions of one state, which holds registers and inputs, in SMT-LIB.

    ``top_i`` says which states are initial, ``top_t`` which follows which, ``top_u`` where the
    assumptions hold; ``top_n name`` is a signal.
    """

    text: str
    #: Width of each independent piece of the state, lowest first.
    slots: tuple[int, ...]
    #: Widths of the named signals of the design itself, not of its blocks.
    signals: dict[str, int]
    #: Messages of assertions and of covers, by function.
    asserts: dict[str, str]
    covers: dict[str, str]


def build_model(design, *, platform=None, cells: str | Path = "") -> Model:
    """Return the formulas of a component; its inputs are arbitrary at each step.

    Parameters
    ----------
    design : wiring.Component
        One clock domain. Each assertion and cover has a message.
    platform
        What ``elaborate()`` is given.
    cells : str or Path
        The cells that the design instantiates, if any: a file of Yosys' own, or of ours.
    """
    text = rtlil.convert(design, name="top", platform=platform, emit_src=False)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(text, encoding="utf-8")
        if isinstance(cells, Path):  # Yosys may see no other folder
            shutil.copy(cells, folder)
            cells = cells.name
        read = ["read_rtlil top.il", *([f"read_verilog -nooverwrite {cells}"] if cells else [])]
        YOSYS.run(["-q", "-p", "; ".join([*read, *_FORMULAS])], Path(folder))
        formulas = Path(folder, "top.smt2").read_text(encoding="utf-8")
    return _read(formulas, dict(_CHECK.findall(text)))


def _read(text: str, messages: dict[str, str]) -> Model:
    bits = int(_STATE.search(text)[1])
    low = sorted({int(match[2]) for match in map(_SLOT.match, text.splitlines()) if match})
    widths = [end - start for start, end in zip(low, [*low[1:], bits], strict=True)]
    assert low[:1] == [0], low
    goals = {"assert": {}, "cover": {}}
    for kind, number, cell in _GOAL.findall(text):
        goals[kind][f"|top_{kind[0]} {number}|"] = messages.get(cell, cell)
    signals = {name: int(width) for name, width in _WIRE.findall(text)}
    return Model(text, tuple(widths), signals, goals["assert"], goals["cover"])
