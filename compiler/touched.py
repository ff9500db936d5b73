"""The words that one piece of work reads and writes, from its instruction's fields."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.instructions import Buffer, Instruction, Opcode, VectorSource

__all__ = ["Touched", "touched_words"]

Words = NDArray[np.int64]
Settings = Mapping[Opcode, Instruction]


@dataclass(frozen=True, eq=False)
class Touched:
    """Words of a buffer, or halves of the accumulators."""

    memory: str
    words: Words
    write: bool


def touched_words(instruction: Instruction, settings: Settings, config: Config) -> list[Touched]:
    """Return what LOAD, MAC, VECTOR or STORE touches, exactly."""
    opcode = instruction.opcode
    if opcode is Opcode.MAC:
        return _mac(instruction, settings[Opcode.MAC_LOOPS], config)
    if opcode is Opcode.VECTOR:
        return _vector(instruction, settings, config)
    return _transfer(instruction, config)


def _transfer(i: Instruction, config: Config) -> list[Touched]:
    loads, size = i.opcode is Opcode.LOAD, config.word_bytes
    memory = i["offset"] + _outer((i["runs"], i["memory_pitch"]), (i["words"], size))
    words = i["addr"] + _outer((i["runs"], i["pitch"]), (i["words"], 1))
    buffer = Buffer(i["buffer"]) if loads else Buffer.ACTIVATION
    return [
        Touched(f"region {i['region']}", memory.ravel() // size, not loads),
        Touched(buffer.name, words.ravel(), loads),
    ]


def _outer(*loops: tuple[int, int]) -> Words:
    """Return the sum of all combinations of loops, each a count and a stride."""
    total = np.zeros((), np.int64)
    for count, stride in loops:
        total = np.add.outer(total, np.arange(count, dtype=np.int64) * stride)
    return total


def _range(first: int, count: int) -> Words:
    return np.arange(first, first + count, dtype=np.int64)


def _distinct(words: Words) -> Words:
    """Return different words in order; they lie close together."""
    if not words.size:
        return words.ravel()
    low = int(words.min())
    found = np.zeros(int(words.max()) - low + 1, bool)
    found[words.ravel() - low] = True
    return np.flatnonzero(found) + low


def _mac(i: Instruction, loops: Instruction, config: Config) -> list[Touched]:
    """Return what a MAC touches: rows and columns are inside or not on their own."""
    counts = tuple(loops[name] for name in ("blocks", "groups", "kernel_rows", "kernel_columns"))
    starts = _distinct(np.add.outer(_inner_rows(i, loops), config.rows * np.arange(counts[1])))
    ends = [
        np.add.outer(i["addr"] + starts, offsets) // config.word_bytes
        for offsets in _inner_columns(i, loops, config)
    ]
    words = _distinct(np.concatenate([end.ravel() for end in ends]))
    tiles = int(np.prod(counts)) * (config.columns if loops["bitwise"] else config.rows)
    return [
        Touched(Buffer.ACTIVATION.name, words, False),
        Touched(Buffer.WEIGHT.name, _range(i["weight_addr"], tiles), False),
        Touched("half", _range(i["half"], 1), True),
    ]


def _inner_rows(i: Instruction, loops: Instruction) -> Words:
    """Return the bytes from the first operand to those of all rows inside the map."""
    counts = (loops["kernel_rows"], i["rows"])
    strides, steps = (loops["kernel_row_stride"], loops["row_stride"]), ("kernel_row_y", "row_y")
    y = i["y"] + _outer(*zip(counts, (loops[step] for step in steps), strict=True))
    inside = (y >= 0) & (y < loops["height"])
    return _distinct(_outer(*zip(counts, strides, strict=True))[inside])


def _inner_columns(i: Instruction, loops: Instruction, config: Config) -> tuple[Words, Words]:
    """Return the bytes from a row's first operand to the first and last lanes of those inside."""
    counts = (loops["blocks"], loops["kernel_columns"], loops["columns"])
    strides = ("block_stride", "kernel_column_stride", "column_stride")
    steps = ("block_x", "kernel_column_x", "column_x")
    addr, x = (
        _outer(*zip(counts, (loops[name] for name in names), strict=True))
        for names in (strides, steps)
    )
    x += i["x"]
    inside = x < loops["width"]
    low = np.zeros_like(x)
    if loops["folded"]:  # a lane beyond the row is masked on its own
        low = np.maximum(-x, 0)
        high = np.minimum(loops["width"] - x, config.rows) - 1
        inside &= high >= low
    else:
        high = low + config.rows - 1
        inside &= x >= 0
    return _distinct((addr + low)[inside]), _distinct((addr + high)[inside])


def _vector(i: Instruction, settings: Settings, config: Config) -> list[Touched]:
    loops, params = settings[Opcode.VECTOR_LOOPS], settings[Opcode.VECTOR_REQUANTIZE]
    emitted = len(range(loops["emit_first"], loops["columns"], loops["emit_period"]))
    writes = (i["rows"], loops["write_row_stride"]), (emitted, loops["write_stride"])
    found = [Touched(Buffer.ACTIVATION.name, (i["write_addr"] + _outer(*writes)).ravel(), True)]
    steps = loops["kernel_rows"] * loops["kernel_columns"]
    if loops["source"] == VectorSource.ACCUMULATOR:
        found.append(Touched("half", _range(i["half"], 1), False))
        steps = 0
    else:
        found.append(Touched(Buffer.ACTIVATION.name, _window(i, loops), False))
    words = _range(8 * i["parameter_addr"], 8 * (1 + steps))
    found.append(Touched(Buffer.PARAMETER.name, words, False))
    if params["threshold_bits"]:
        words = _range(8 * i["threshold_addr"], 8 * (1 << params["threshold_bits"] >> 1))
        found.append(Touched(Buffer.PARAMETER.name, words, False))
    if params["residual"]:
        reads = (i["rows"], params["residual_row_stride"]), (emitted, params["residual_stride"])
        words = (i["residual_addr"] + _outer(*reads)).ravel()
        found.append(Touched(Buffer.ACTIVATION.name, words, False))
    return found


def _window(i: Instruction, loops: Instruction) -> Words:
    counts = (i["rows"], loops["columns"], loops["kernel_rows"], loops["kernel_columns"])
    addr = ("row_stride", "column_stride", "kernel_row_stride", "kernel_column_stride")
    places = i["addr"] + _outer(*zip(counts, (loops[field] for field in addr), strict=True))
    y = i["y"] + _outer(*zip(counts, (loops["row_y"], 0, loops["kernel_row_y"], 0), strict=True))
    columns = (0, loops["column_x"], 0, loops["kernel_column_x"])
    x = i["x"] + _outer(*zip(counts, columns, strict=True))
    inside = (y >= 0) & (y < loops["height"]) & (x >= 0) & (x < loops["width"])
    return _distinct(places[inside])
