"""What each instruction means, on integers: the machine as a function of its state.

These functions are the definition that the hardware is tested against. They take an instruction's
fields and change a :class:`Machine`; nothing here knows about time.
"""

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .instructions import Buffer, Instruction, Opcode, VectorOperation, VectorSource
from .machine import Machine, check_settings
from .requantize import Rounding, shift_round
from .thresholds import Thresholds, apply_thresholds

__all__ = ["Machine", "execute"]

#: Products of two signed bytes that float32 adds exactly: 1024 * 2**14 = 2**24.
EXACT_PRODUCTS = 1024


def execute(machine: Machine, instruction: Instruction) -> NDArray[np.int64] | None:
    """Carry out one instruction.

    Returns
    -------
    int64 array or None
        For VECTOR work the word addresses it wrote, in order; otherwise nothing.

    Raises
    ------
    ValueError
        An access outside a buffer or a region, an illegal opcode, work without settings, a count
        of zero, or a tap that meets a word before its row.
    """
    opcode = instruction.opcode
    check_settings(machine, opcode)
    if opcode is Opcode.LOAD:
        _load(machine, instruction)
    elif opcode is Opcode.STORE:
        _store(machine, instruction)
    elif opcode is Opcode.MAC:
        _mac(machine, machine.settings[Opcode.MAC_LOOPS], instruction)
    elif opcode is Opcode.VECTOR:
        return _vector(machine, instruction)
    elif opcode in (Opcode.MAC_LOOPS, Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE):
        machine.settings[opcode] = instruction
    elif opcode is Opcode.CONFIG and instruction["config_id"] != machine.config.id:
        raise ValueError(f"program is for configuration {instruction['config_id']:#010x}")
    elif opcode is Opcode.ILLEGAL:
        raise ValueError("illegal opcode")
    return None


def _transfer(machine: Machine, i: Instruction) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the byte offsets in external memory and the buffer words of a transfer."""
    runs, words = np.arange(i["runs"]), np.arange(i["words"])
    memory = i["offset"] + np.add.outer(runs * i["memory_pitch"], words * machine.config.word_bytes)
    buffer = i["addr"] + np.add.outer(runs * i["pitch"], words)
    return memory.ravel(), buffer.ravel()


def _bytes_of(offsets: NDArray[np.int64], config: Config) -> NDArray[np.int64]:
    return np.add.outer(offsets, np.arange(config.word_bytes))


def _inside(index: NDArray[np.int64], size: int, what: str) -> None:
    if index.size and (index.min() < 0 or index.max() >= size):
        raise ValueError(f"{what} {index.min()}…{index.max()} lies outside 0…{size - 1}")


def _region(machine: Machine, i: Instruction) -> NDArray[np.uint8]:
    if i["region"] >= len(machine.regions):
        raise ValueError(f"there is no region {i['region']}")
    return machine.regions[i["region"]]


def _load(machine: Machine, i: Instruction) -> None:
    memory, words = _transfer(machine, i)
    targets = {
        Buffer.ACTIVATION: machine.activation,
        Buffer.WEIGHT: machine.weight,
        Buffer.PARAMETER: machine.parameter,
    }
    target = targets[Buffer(i["buffer"])]
    _inside(words, len(target), "LOAD word")
    region = _region(machine, i)
    source = _bytes_of(memory, machine.config)
    _inside(source, len(region), "LOAD byte")
    target[words] = region[source]


def _store(machine: Machine, i: Instruction) -> None:
    memory, words = _transfer(machine, i)
    _inside(words, len(machine.activation), "STORE word")
    region = _region(machine, i)
    target = _bytes_of(memory, machine.config)
    _inside(target, len(region), "STORE byte")
    region[target] = machine.activation[words]


def _outer(*terms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of one term per axis."""
    total = terms[0]
    for term in terms[1:]:
        total = np.add.outer(total, term)
    return total


def _mac(machine: Machine, loops: Instruction, i: Instruction) -> None:
    config = machine.config
    operands = _operands(machine, loops, i)
    tiles, pixels, rows = operands.shape
    first = i["weight_addr"]
    words = machine.weight[first : first + tiles * rows]
    if len(words) < tiles * rows:
        raise ValueError(f"MAC weights {first}+{tiles * rows} lie outside the weight buffer")
    weights = words[:, : config.columns].view(np.int8).astype(np.float32)
    flat = operands.transpose(1, 0, 2).reshape(pixels, tiles * rows)
    total = np.zeros((pixels, config.columns), np.int64)
    for k in range(0, tiles * rows, EXACT_PRODUCTS):
        chunk = slice(k, k + EXACT_PRODUCTS)
        total += (flat[:, chunk].astype(np.float32) @ weights[chunk]).astype(np.int64)
    accumulators = machine.accumulators[i["half"]]
    if i["pixel"] + pixels > len(accumulators):
        raise ValueError(f"MAC pixels {i['pixel']}+{pixels} exceed the accumulators")
    target = accumulators[i["pixel"] : i["pixel"] + pixels]
    target[:] = (total + (target if i["accumulate"] else 0)).astype(np.int32)


def _operands(machine: Machine, loops: Instruction, i: Instruction) -> NDArray[np.int8]:
    """Return what enters the array: ``(tiles, pixels, rows)`` signed bytes."""
    rows = machine.config.rows
    block, group = np.arange(loops["blocks"]), np.arange(loops["groups"])
    ky, kx = np.arange(loops["kernel_rows"]), np.arange(loops["kernel_columns"])
    oy, ox = np.arange(i["rows"]), np.arange(loops["columns"])
    addr = i["addr"] + _outer(
        block * loops["block_stride"],
        group * rows,
        ky * loops["kernel_row_stride"],
        kx * loops["kernel_column_stride"],
        oy * loops["row_stride"],
        ox * loops["column_stride"],
    )
    y = i["y"] + _outer(ky * loops["kernel_row_y"], kx * 0, oy * loops["row_y"], ox * 0)
    zero = group * 0
    columns = kx * loops["kernel_column_x"]
    x = i["x"] + _outer(
        block * loops["block_x"], zero, ky * 0, columns, oy * 0, ox * loops["column_x"]
    )
    lanes = np.arange(rows)
    reach = lanes if loops["folded"] else 0 * lanes
    position = np.add.outer(x, reach)
    inside = (position >= 0) & (position < loops["width"])
    inside &= ((y >= 0) & (y < loops["height"]))[None, None, ..., None]
    memory = machine.activation.reshape(-1)
    bytes_ = np.where(inside, memory[np.add.outer(addr, lanes) % memory.size], np.uint8(0))
    flipped = bytes_ ^ np.uint8(0x80 if loops["unsigned"] else 0)
    tiles = len(block) * len(group) * len(ky) * len(kx)
    return flipped.view(np.int8).reshape(tiles, -1, rows)


def _lanes(words: NDArray[np.uint8], config: Config, unsigned: int) -> NDArray[np.int64]:
    """Return the channels of words as integers."""
    lanes = words[..., : config.columns]
    return (lanes if unsigned else lanes.view(np.int8)).astype(np.int64)


def _parameter_word(machine: Machine, addr: int) -> NDArray[np.uint8]:
    """Return a parameter word as ``(columns, 8)`` bytes."""
    if addr >= machine.config.parameter_words:
        raise ValueError(f"parameter word {addr} lies outside the parameter buffer")
    words = machine.parameter[8 * addr : 8 * addr + 8]
    return words.reshape(-1, 8)[: machine.config.columns].copy()


def _taps(machine: Machine, addr: int) -> NDArray[np.int64]:
    """Return the taps ``(columns, vector_taps)`` of a parameter word."""
    taps = _parameter_word(machine, addr).view("<i2").astype(np.int64)
    nine = ((taps & 0x1FF) ^ 0x100) - 0x100
    return nine[:, : machine.config.vector_taps]


def _vector(machine: Machine, i: Instruction) -> NDArray[np.int64]:
    loops = machine.settings[Opcode.VECTOR_LOOPS]
    emitted = np.arange(loops["emit_first"], loops["columns"], loops["emit_period"])
    if loops["source"] == VectorSource.ACCUMULATOR:
        first, count = i["pixel"], i["rows"] * loops["columns"]
        values = machine.accumulators[i["half"], first : first + count]
        _inside(np.array([first, first + count - 1]), len(machine.accumulators[0]), "VECTOR pixel")
        values = values.reshape(i["rows"], loops["columns"], -1)[:, emitted]
    else:
        values = _window(machine, loops, i, emitted)
    rows, index = np.arange(i["rows"]), np.arange(len(emitted))
    writes = i["write_addr"] + _outer(
        rows * loops["write_row_stride"], index * loops["write_stride"]
    )
    _inside(writes, machine.config.activation_words, "VECTOR write")
    codes = _finish(machine, i, values, index)
    machine.activation[writes] = 0
    machine.activation[writes, : machine.config.columns] = codes.astype(np.uint8)
    return writes.ravel()


def _window(
    machine: Machine, loops: Instruction, i: Instruction, emitted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return sums or maxima over taps: ``(rows, emitted, columns)``."""
    config = machine.config
    rows, steps = np.arange(i["rows"]), loops["kernel_rows"] * loops["kernel_columns"]
    maximum = loops["operation"] == VectorOperation.MAX
    lowest = -(1 << 30)
    total = np.full((len(rows), len(emitted), config.columns), lowest if maximum else 0, np.int64)
    for step in range(steps):
        ky, kx = divmod(step, loops["kernel_columns"])
        taps = _taps(machine, i["parameter_addr"] + 1 + step)
        for tap in range(config.vector_taps):
            if not taps[:, tap].any():
                continue
            # The newest column meets the last tap; earlier taps meet earlier columns.
            column = emitted - (config.vector_taps - 1 - tap)
            value = _column(machine, i, column, ky, kx)
            if maximum:
                total = np.maximum(total, np.where(taps[:, tap] != 0, value, lowest))
            else:
                total = total + value * taps[:, tap]
    return total.astype(np.int32).astype(np.int64)


def _column(
    machine: Machine,
    i: Instruction,
    column: NDArray[np.int64],
    ky: int,
    kx: int,
) -> NDArray[np.int64]:
    """Return one input word for each row and column of the loop nest, padding included."""
    loops, rows = machine.settings[Opcode.VECTOR_LOOPS], np.arange(i["rows"])
    start = i["addr"] + ky * loops["kernel_row_stride"] + kx * loops["kernel_column_stride"]
    addr = start + _outer(rows * loops["row_stride"], column * loops["column_stride"])
    y = i["y"] + rows * loops["row_y"] + ky * loops["kernel_row_y"]
    x = i["x"] + column * loops["column_x"] + kx * loops["kernel_column_x"]
    inside = np.logical_and.outer((y >= 0) & (y < loops["height"]), (x >= 0) & (x < loops["width"]))
    if inside[:, column < 0].any():
        raise ValueError("a tap meets a word before the first column of its row")
    words = machine.activation[addr % len(machine.activation)]
    lowest = -128 if loops["operation"] == VectorOperation.MAX and not loops["unsigned"] else 0
    return np.where(inside[..., None], _lanes(words, machine.config, loops["unsigned"]), lowest)


def _finish(
    machine: Machine, i: Instruction, values: NDArray[np.int64], index: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the codes that requantization makes of sums ``(rows, emitted, columns)``."""
    q = machine.settings[Opcode.VECTOR_REQUANTIZE]
    word = _parameter_word(machine, i["parameter_addr"])
    bias = word[:, 0:4].copy().view("<i4")[:, 0].astype(np.int64)
    shift = word[:, 4].astype(np.int64) & 31
    addend = word[:, 6:8].copy().view("<i2")[:, 0].astype(np.int64)
    if q["residual"]:
        rows = np.arange(i["rows"])
        addr = i["residual_addr"] + _outer(
            rows * q["residual_row_stride"], index * q["residual_stride"]
        )
        words = machine.activation[addr % len(machine.activation)]
        residual = _lanes(words, machine.config, q["residual_unsigned"])
        addend = addend + (residual << q["residual_shift"])
    rounding = Rounding(q["rounding"])
    biased = (values + bias).astype(np.int32).astype(np.int64)
    if q["threshold_bits"]:
        return _compared(machine, i, biased)
    first = np.clip(shift_round(biased, shift, rounding), q["low"], q["high"])
    second = shift_round(first + addend, q["out_shift"], rounding)
    return np.clip(second, q["out_low"], q["out_high"])


def _compared(machine: Machine, i: Instruction, biased: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the codes that thresholds make of biased sums ``(rows, emitted, columns)``."""
    q = machine.settings[Opcode.VECTOR_REQUANTIZE]
    bits, most = q["threshold_bits"], machine.config.threshold_bits
    if bits > most:
        raise ValueError(f"thresholds of {bits} bits; this configuration has {most}")
    if q["residual"]:
        raise ValueError("thresholds and a residual exclude each other")
    first = i["threshold_addr"]
    words = [_parameter_word(machine, first + k) for k in range(1 << (bits - 1))]
    pairs = [word.view("<i4") for word in words]
    values = np.concatenate(pairs, axis=1)[:, : (1 << bits) - 1]
    if (np.diff(values.astype(np.int64), axis=1) < 0).any():
        raise ValueError(f"the thresholds at parameter word {first} are not sorted")
    # The bank may be filled up with thresholds that no sum reaches: only codes must fit a byte.
    return q["out_low"] + apply_thresholds(biased, Thresholds(values=values))
