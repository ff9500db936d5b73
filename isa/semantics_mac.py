"""What MAC work means: products of bytes, or of bits, added to the accumulators."""

import numpy as np
from numpy.typing import NDArray

from .bitwise import bit_sums, unpack_bits
from .instructions import Instruction
from .machine import Machine, outer

__all__ = ["run_mac"]

#: Products of two signed bytes that float32 adds exactly: 1024 * 2**14 = 2**24.
EXACT_PRODUCTS = 1024


def run_mac(machine: Machine, loops: Instruction, i: Instruction) -> None:
    """Carry out MAC work with its loops.

    Raises
    ------
    ValueError
        Weights or pixels lie outside their memories, or bitwise work that the machine cannot do.
    """
    if loops["bitwise"]:
        total = _bit_sums(machine, loops, i)
    else:
        operands = _operands(machine, loops, i)
        total = _products(machine, i, operands)
    pixels = len(total)
    accumulators = machine.accumulators[i["half"]]
    if i["pixel"] + pixels > len(accumulators):
        raise ValueError(f"MAC pixels {i['pixel']}+{pixels} exceed the accumulators")
    target = accumulators[i["pixel"] : i["pixel"] + pixels]
    before = target.astype(np.int64) if i["accumulate"] else np.zeros_like(total)
    if loops["bitwise"] and i["double"]:
        before *= 2
    target[:] = (total + before).astype(np.int32)


def _products(machine: Machine, i: Instruction, operands: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return sums ``(pixels, columns)`` of operands ``(tiles, pixels, rows)`` times weights."""
    tiles, pixels, rows = operands.shape
    words = _weight_words(machine, i, tiles * rows)
    weights = words[:, : machine.config.columns].view(np.int8).astype(np.float32)
    flat = operands.transpose(1, 0, 2).reshape(pixels, tiles * rows)
    total = np.zeros((pixels, machine.config.columns), np.int64)
    for k in range(0, tiles * rows, EXACT_PRODUCTS):
        chunk = slice(k, k + EXACT_PRODUCTS)
        total += (flat[:, chunk].astype(np.float32) @ weights[chunk]).astype(np.int64)
    return total


def _weight_words(machine: Machine, i: Instruction, count: int) -> NDArray[np.uint8]:
    first = i["weight_addr"]
    words = machine.weight[first : first + count]
    if len(words) < count:
        raise ValueError(f"MAC weights {first}+{count} lie outside the weight buffer")
    return words


def _bit_sums(machine: Machine, loops: Instruction, i: Instruction) -> NDArray[np.int64]:
    """Return what bitwise tiles add to the accumulators: ``(pixels, columns)``."""
    config = machine.config
    if not config.bit_lanes:
        raise ValueError("bitwise work; this configuration has no bit array")
    if loops["folded"] or loops["groups"] != 1:
        raise ValueError("bitwise work is not folded, and has one group")
    if not 1 <= loops["lanes"] <= config.bit_lanes:
        raise ValueError(f"MAC_LOOPS.lanes must be 1…{config.bit_lanes}, not {loops['lanes']}")
    kinds = bool(loops["bipolar_inputs"]), bool(loops["bipolar_weights"])
    if all(kinds) and loops["lanes"] % 2:
        raise ValueError(f"MAC_LOOPS.lanes of bipolar codes must be even, not {loops['lanes']}")
    operands, inside = _bit_operands(machine, loops, i)
    tiles = len(operands)
    words = _weight_words(machine, i, tiles * config.columns)
    weights = unpack_bits(words).reshape(tiles, config.columns, -1)
    counts = np.full(tiles, config.bit_lanes)
    per_block = loops["kernel_rows"] * loops["kernel_columns"]
    counts[-per_block:] = loops["lanes"]
    total = np.zeros((operands.shape[1], config.columns), np.int64)
    for tile in range(tiles):
        sums = bit_sums(operands[tile], weights[tile], int(counts[tile]), *kinds)
        total += np.where(inside[tile][:, None], sums, 0)
    return -total if i["negative"] else total


def _bit_operands(
    machine: Machine, loops: Instruction, i: Instruction
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the bits ``(tiles, pixels, lanes)`` of words, and which words are not padding."""
    addr, y, x = _positions(machine, loops, i)
    words = addr // machine.config.word_bytes
    if (addr % machine.config.word_bytes).any():
        raise ValueError("bitwise operands must be whole words")
    inside = (x >= 0) & (x < loops["width"]) & (y >= 0) & (y < loops["height"])
    tiles = addr.shape[0] * addr.shape[2] * addr.shape[3]
    bits = unpack_bits(machine.activation[words % len(machine.activation)])
    return bits.reshape(tiles, -1, bits.shape[-1]), inside.reshape(tiles, -1)


def _positions(
    machine: Machine, loops: Instruction, i: Instruction
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return byte addresses and positions y, x of ``(block, group, ky, kx, row, column)``."""
    rows = machine.config.rows
    block, group = np.arange(loops["blocks"]), np.arange(loops["groups"])
    ky, kx = np.arange(loops["kernel_rows"]), np.arange(loops["kernel_columns"])
    oy, ox = np.arange(i["rows"]), np.arange(loops["columns"])
    addr = i["addr"] + outer(
        block * loops["block_stride"],
        group * rows,
        ky * loops["kernel_row_stride"],
        kx * loops["kernel_column_stride"],
        oy * loops["row_stride"],
        ox * loops["column_stride"],
    )
    zeros = np.zeros_like(addr)
    y = i["y"] + zeros
    y += outer(ky * loops["kernel_row_y"], kx * 0, oy * loops["row_y"], ox * 0)
    columns = kx * loops["kernel_column_x"]
    x = i["x"] + zeros
    x += outer(block * loops["block_x"], group * 0, ky * 0, columns, oy * 0, ox * loops["column_x"])
    return addr, y, x


def _operands(machine: Machine, loops: Instruction, i: Instruction) -> NDArray[np.int8]:
    """Return what enters the array: ``(tiles, pixels, rows)`` signed bytes."""
    rows = machine.config.rows
    addr, y, x = _positions(machine, loops, i)
    lanes = np.arange(rows)
    reach = lanes if loops["folded"] else 0 * lanes
    position = np.add.outer(x, reach)
    inside = (position >= 0) & (position < loops["width"])
    inside &= ((y >= 0) & (y < loops["height"]))[..., None]
    memory = machine.activation.reshape(-1)
    bytes_ = np.where(inside, memory[np.add.outer(addr, lanes) % memory.size], np.uint8(0))
    flipped = bytes_ ^ np.uint8(0x80 if loops["unsigned"] else 0)
    tiles = int(np.prod(addr.shape[:4]))
    return flipped.view(np.int8).reshape(tiles, -1, rows)
