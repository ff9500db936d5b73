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


def _mac(i: Instruction, loops: Instruction, config: Config) -> list[Touched]:
    kernel = (loops["kernel_rows"], loops["kernel_columns"])
    counts = (loops["blocks"], loops["groups"], *kernel, i["rows"], loops["columns"])
    steps = {
        "addr": (
            "block_stride",
            None,
            "kernel_row_stride",
            "kernel_column_stride",
            "row_stride",
            "column_stride",
        ),
        "y": (None, None, "kernel_row_y", None, "row_y", None),
        "x": ("block_x", None, None, "kernel_column_x", None, "column_x"),
    }
    places = {}
    for name, fields in steps.items():
        strides = [0 if field is None else loops[field] for field in fields]
        if name == "addr":
            strides[1] = config.rows
        places[name] = i[name] + _outer(*zip(counts, strides, strict=True))
    addr, x = places["addr"], places["x"]
    inside = (places["y"] >= 0) & (places["y"] < loops["height"]) & (x < loops["width"])
    low = np.zeros_like(x)
    if loops["folded"]:  # a lane beyond the row is masked on its own
        low = np.maximum(-x, 0)
        high = np.minimum(loops["width"] - x, config.rows) - 1
        inside &= high >= low
    else:
        high = low + config.rows - 1
        inside &= x >= 0
    first = (addr + low)[inside] // config.word_bytes
    last = (addr + high)[inside] // config.word_bytes
    tiles = int(np.prod(counts[:4])) * config.rows
    return [
        Touched(Buffer.ACTIVATION.name, np.unique(np.concatenate([first, last])), False),
        Touched(Buffer.WEIGHT.name, _range(i["weight_addr"], tiles), False),
        Touched("half", _range(i["half"], 1), True),
    ]


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
    return np.unique(places[inside])
