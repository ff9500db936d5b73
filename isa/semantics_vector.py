"""What VECTOR work means: sums or words, combined over taps, become codes in the buffer."""

import numpy as np
from numpy.typing import NDArray

from .bitwise import pack_bits
from .config import Config
from .instructions import Instruction, Opcode, VectorOperation, VectorSource
from .machine import Machine, check_inside, outer
from .requantize import Rounding, shift_round
from .thresholds import Thresholds, apply_thresholds

__all__ = ["run_vector"]


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


def run_vector(machine: Machine, i: Instruction) -> NDArray[np.int64]:
    """Carry out VECTOR work with the settings in force; return the addresses it wrote, in order.

    Raises
    ------
    ValueError
        An access outside a memory, a tap before the first column, bad thresholds, or packing
        without a bit array.
    """
    loops = machine.settings[Opcode.VECTOR_LOOPS]
    emitted = np.arange(loops["emit_first"], loops["columns"], loops["emit_period"])
    if loops["source"] == VectorSource.ACCUMULATOR:
        first, count = i["pixel"], i["rows"] * loops["columns"]
        values = machine.accumulators[i["half"], first : first + count]
        check_inside(
            np.array([first, first + count - 1]), len(machine.accumulators[0]), "VECTOR pixel"
        )
        values = values.reshape(i["rows"], loops["columns"], -1)[:, emitted]
    else:
        values = _window(machine, loops, i, emitted)
    rows, index = np.arange(i["rows"]), np.arange(len(emitted))
    writes = i["write_addr"] + outer(
        rows * loops["write_row_stride"], index * loops["write_stride"]
    )
    check_inside(writes, machine.config.activation_words, "VECTOR write")
    _write(machine, i, writes, _finish(machine, i, values, index))
    return writes.ravel()


def _write(
    machine: Machine, i: Instruction, writes: NDArray[np.int64], codes: NDArray[np.int64]
) -> None:
    """Write codes ``(…, columns)`` to words, or one bit of each to a part of the words."""
    q, columns = machine.settings[Opcode.VECTOR_REQUANTIZE], machine.config.columns
    if not q["pack"]:
        machine.activation[writes] = 0
        machine.activation[writes, :columns] = codes.astype(np.uint8)
        return
    if not machine.config.bit_lanes:
        raise ValueError("packed results; this configuration has no bit array")
    first, size = i["part"] * columns // 8, columns // 8
    machine.activation[writes, first : first + size] = pack_bits(codes >> q["plane"] & 1)


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
    addr = start + outer(rows * loops["row_stride"], column * loops["column_stride"])
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
        addr = i["residual_addr"] + outer(
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
