"""What a synthesized netlist is made of, block by block."""

import json
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from .family import Family

__all__ = ["KINDS", "Cells", "block_of", "count_alone", "count_blocks", "read_cells"]

#: Cells of a flat netlist by name, as Yosys writes them.
Cells = Mapping[str, Mapping[str, Any]]

#: What is counted, in the order of reports.
KINDS = ("LUT", "FF", "DSP", "memory")

#: Parts of a name below which nothing is told apart.
_DEPTH = 3

#: Parts that every name of the accelerator has, and that say nothing.
_COMMON = ("system", "accelerator", "machine")

_REST = "(between blocks)"


def block_of(name: str) -> str:
    """Return the block that a signal's or cell's full name belongs to."""
    parts = name.split(".")[:-1]
    while parts and parts[0] in _COMMON:
        parts.pop(0)
    return ".".join(parts[:_DEPTH]) or _REST


def read_cells(path: Path, top: str) -> Cells:
    """Return the cells of a flat netlist."""
    cells: Cells = json.loads(path.read_text(encoding="utf-8"))["modules"][top]["cells"]
    return cells


def count_alone(cells: Cells, flip_flops: Container[str], logic: Container[str]) -> int:
    """Return how many flip-flops have an input ``D`` that no logic gives to them alone."""
    given = {
        bit: name for name, cell in cells.items() if cell["type"] in logic for bit in _outputs(cell)
    }
    held = [cell for cell in cells.values() if cell["type"] in flip_flops]
    inputs = [bit for cell in held for bit in cell["connections"]["D"]]
    return len(held) - len({given[bit] for bit in inputs if bit in given})


def count_blocks(path: Path, top: str, family: Family) -> dict[str, Counter[str]]:
    """Return by block how much of each kind a flat netlist takes.

    Flip-flops, multipliers and memories keep the name of what they hold. Logic has no names of
    its own: it belongs to the first block that its result reaches.
    """
    cells = read_cells(path, top)
    counted = {n: c for n, c in cells.items() if c["type"] in family.kinds}
    readers = _readers(cells)
    blocks: dict[str, str] = {}
    for name, cell in counted.items():
        if family.kinds[cell["type"]] != "LUT":
            blocks[name] = block_of(name)
    pending = [name for name in counted if name not in blocks]
    for name in pending:
        _follow(name, cells, readers, blocks)
    found: dict[str, Counter[str]] = {}
    for name, cell in counted.items():
        kind, amount = family.kinds[cell["type"]], family.weights.get(cell["type"], 1)
        found.setdefault(blocks[name], Counter())[kind] += amount
    return found


def _outputs(cell: Mapping[str, Any]) -> Iterable[int]:
    directions = cell["port_directions"]
    for port, bits in cell["connections"].items():
        if directions[port] == "output":
            yield from (bit for bit in bits if isinstance(bit, int))


def _readers(cells: Mapping[str, Any]) -> dict[int, list[str]]:
    """Return by net the cells that read it."""
    readers: dict[int, list[str]] = {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for bit in bits:
                    if isinstance(bit, int):
                        readers.setdefault(bit, []).append(name)
    return readers


def _follow(
    start: str,
    cells: Mapping[str, Any],
    readers: Mapping[int, list[str]],
    blocks: dict[str, str],
) -> None:
    """Give a cell, and those on the way, the block of the first known cell behind them."""
    path, seen, name = [], set(), start
    while name not in blocks and name not in seen:
        seen.add(name)
        path.append(name)
        followers = [n for bit in _outputs(cells[name]) for n in readers.get(bit, ())]
        known = [n for n in followers if n in blocks]
        name = (known or [n for n in followers if n not in seen] or [name])[0]
    block = blocks.get(name, _REST)
    blocks.update((step, block) for step in path)
