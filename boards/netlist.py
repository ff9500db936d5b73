"""What a synthesized netlist is made of, block by block."""

import json
from collections import Counter
from collections.abc import Container
from pathlib import Path

from .family import Family
from .flat_module import FlatModule
from .resets_first import FIRST

__all__ = ["KINDS", "block_of", "count_alone", "count_blocks", "read_module"]

#: What is counted, in the order of reports.
KINDS = ("LUT", "FF", "DSP", "memory")

#: Parts of a name below which nothing is told apart.
_DEPTH = 3

#: Parts that every name of the accelerator has, and that say nothing.
_COMMON = ("system", "accelerator", "machine")

_REST = "(between blocks)"


def block_of(name: str) -> str:
    """Return the block that a signal's or cell's full name belongs to."""
    parts = name.removeprefix(FIRST).split(".")[:-1]
    while parts and parts[0] in _COMMON:
        parts.pop(0)
    return ".".join(parts[:_DEPTH]) or _REST


def read_module(path: Path, top: str) -> FlatModule:
    """Return a flat netlist that Yosys wrote."""
    return FlatModule(json.loads(path.read_text(encoding="utf-8"))["modules"][top])


def count_alone(module: FlatModule, flip_flops: Container[str], logic: Container[str]) -> int:
    """Return how many flip-flops have an input ``D`` that no logic gives to them alone."""
    held = [cell for cell in module.cells.values() if cell["type"] in flip_flops]
    inputs = [bit for cell in held for bit in cell["connections"]["D"]]
    return len(held) - len({module.drivers[b].cell for b in inputs if module.kind(b) in logic})


def count_blocks(module: FlatModule, family: Family) -> dict[str, Counter[str]]:
    """Return by block how much of each kind a flat netlist takes.

    Flip-flops, multipliers and memories keep the name of what they hold. Logic has no names of
    its own: it belongs to the first block that its result reaches.
    """
    counted = {n: c for n, c in module.cells.items() if c["type"] in family.kinds}
    followers = _followers(module)
    blocks: dict[str, str] = {}
    for name, cell in counted.items():
        if family.kinds[cell["type"]] != "LUT":
            blocks[name] = block_of(name)
    pending = [name for name in counted if name not in blocks]
    for name in pending:
        _follow(name, followers, blocks)
    found: dict[str, Counter[str]] = {}
    for name, cell in counted.items():
        kind, amount = family.kinds[cell["type"]], family.weights.get(cell["type"], 1)
        found.setdefault(blocks[name], Counter())[kind] += amount
    return found


def _followers(module: FlatModule) -> dict[str, list[str]]:
    """Return by cell those that read what it drives."""
    followers: dict[str, list[str]] = {name: [] for name in module.cells}
    for net, driver in module.drivers.items():
        followers[driver.cell] += (pin.cell for pin in module.readers.get(net, ()))
    return followers


def _follow(start: str, followers: dict[str, list[str]], blocks: dict[str, str]) -> None:
    """Give a cell, and those on the way, the block of the first known cell behind them."""
    path, seen, name = [], set(), start
    while name not in blocks and name not in seen:
        seen.add(name)
        path.append(name)
        known = [n for n in followers[name] if n in blocks]
        name = (known or [n for n in followers[name] if n not in seen] or [name])[0]
    block = blocks.get(name, _REST)
    blocks.update((step, block) for step in path)
