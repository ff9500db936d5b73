"""MAC work against convolutions written down naively."""

from dataclasses import dataclass

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.layout import (
    folded_pitch_words,
    pack_blocked,
    pack_folded,
    pack_weights,
    pack_weights_folded,
)
from shiftloom.isa.semantics import Machine, execute

TINY, ODD, BASE = load_config("tiny"), load_config("odd"), load_config("base")


@dataclass(frozen=True)
class Conv:
    """A convolution; padding is ``kernel // 2 * dilation`` on all sides unless given."""

    inputs: int
    size: tuple[int, int]
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    dilation: int = 1
    pad: int = 1

    def output(self):
        pairs = zip(self.size, self.kernel, strict=True)
        reach = [n + 2 * self.pad - self.dilation * (k - 1) for n, k in pairs]
        return [(n - 1) // self.stride + 1 for n in reach]


def naive(x, weight, conv):
    """Return the sums ``(outputs, height, width)``."""
    height, width = conv.output()
    padded = np.pad(x, [(0, 0), (conv.pad, conv.pad), (conv.pad, conv.pad)])
    total = np.zeros((len(weight), height, width), np.int64)
    for o, oy, ox, ky, kx in np.ndindex(*total.shape, *conv.kernel):
        y, x_ = oy * conv.stride + ky * conv.dilation, ox * conv.stride + kx * conv.dilation
        total[o, oy, ox] += padded[:, y, x_] @ weight[o, :, ky, kx]
    return total


def machine_with(config, words, weights, first=0, weight_addr=0):
    """Return a machine whose buffers hold random bytes around a feature map and weights."""
    machine, generator = Machine(config, []), np.random.default_rng(9)
    for buffer in (machine.activation, machine.weight):
        buffer[:] = generator.integers(0, 256, buffer.shape, np.uint8)
    machine.accumulators[:] = 77
    machine.activation[first : first + len(words)] = words
    machine.weight[weight_addr : weight_addr + len(weights)] = weights
    return machine


def sums(machine, loops, work, outputs):
    """Execute MAC work and return what it left: ``(outputs, rows, columns)``."""
    for opcode, fields in ((Opcode.MAC_LOOPS, loops), (Opcode.MAC, work)):
        execute(machine, Instruction(opcode, fields))
    first, count = work["pixel"], work["rows"] * loops["columns"]
    pixels = machine.accumulators[work["half"], first : first + count, :outputs]
    return pixels.T.reshape(outputs, work["rows"], loops["columns"])


def blocked_loops(config, conv):
    (height, width), word = conv.size, config.word_bytes
    return {
        "blocks": -(-conv.inputs // config.columns),
        "groups": config.row_groups,
        "kernel_rows": conv.kernel[0],
        "kernel_columns": conv.kernel[1],
        "columns": conv.output()[1],
        "block_stride": height * width * word,
        "kernel_row_stride": conv.dilation * width * word,
        "kernel_column_stride": conv.dilation * word,
        "row_stride": conv.stride * width * word,
        "column_stride": conv.stride * word,
        "kernel_row_y": conv.dilation,
        "kernel_column_x": conv.dilation,
        "row_y": conv.stride,
        "column_x": conv.stride,
        "height": height,
        "width": width,
    }


def blocked_work(config, conv, first=0):
    """Return MAC work for a blocked feature map that begins at a word."""
    addr = (first - conv.pad * conv.size[1] - conv.pad) * config.word_bytes
    place = {"addr": addr, "y": -conv.pad, "x": -conv.pad}
    return {"half": 1, "pixel": 5, "rows": conv.output()[0], "weight_addr": 7, **place}


CONVS = [
    Conv(1, (1, 1), (1, 1), pad=0),
    Conv(4, (5, 6)),
    Conv(9, (4, 5)),
    Conv(11, (6, 7), stride=2),
    Conv(5, (7, 6), (3, 2), dilation=2, pad=2),
    Conv(13, (5, 5), (1, 3), stride=3, pad=1),
    Conv(3, (4, 4), (5, 5), pad=2),
]


@pytest.mark.parametrize("unsigned", [0, 1])
@pytest.mark.parametrize("config", [TINY, ODD], ids=lambda c: c.name)
@pytest.mark.parametrize("conv", CONVS, ids=str)
def test_blocked_convolution(config, conv, unsigned):
    generator, outputs = np.random.default_rng(conv.inputs), config.columns - 1
    low = 0 if unsigned else -128
    x = generator.integers(low, low + 256, (conv.inputs, *conv.size))
    weight = generator.integers(-128, 128, (outputs, conv.inputs, *conv.kernel))
    packed = pack_weights(weight, config)[0]
    machine = machine_with(config, pack_blocked(x, config), packed, 3, 7)
    loops = {**blocked_loops(config, conv), "unsigned": unsigned}
    result = sums(machine, loops, blocked_work(config, conv, 3), outputs)
    # Flipping the top bit subtracts 128 everywhere, padding included.
    correction = 128 * unsigned * weight.sum((1, 2, 3)).reshape(-1, 1, 1)
    assert np.array_equal(result + correction, naive(x, weight, conv))


def test_only_the_pixels_of_the_job_change():
    conv = Conv(4, (3, 3))
    weight = np.ones((4, 4, 3, 3), np.int64)
    words = pack_blocked(np.ones((4, 3, 3), np.int64), TINY)
    machine = machine_with(TINY, words, pack_weights(weight, TINY)[0], 0, 7)
    sums(machine, blocked_loops(TINY, conv), blocked_work(TINY, conv), 4)
    touched = np.zeros(machine.accumulators.shape[:2], bool)
    touched[1, 5:14] = True
    assert np.all((machine.accumulators != 77).all(2) == touched)


@pytest.mark.parametrize("config", [TINY, ODD, BASE], ids=lambda c: c.name)
@pytest.mark.parametrize(
    "conv",
    [
        Conv(3, (4, 16)),
        Conv(3, (6, 7)),
        Conv(3, (8, 9), (7, 7), stride=2, pad=3),
        Conv(1, (5, 6), (2, 5), pad=2),
    ],
    ids=str,
)
def test_folded_first_layer(config, conv):
    generator, outputs = np.random.default_rng(1), config.columns
    x = generator.integers(-128, 128, (conv.inputs, *conv.size))
    weight = generator.integers(-128, 128, (outputs, conv.inputs, *conv.kernel))
    (height, width), (kernel_rows, kernel_columns) = conv.size, conv.kernel
    pitch = folded_pitch_words(conv.inputs, width, config) * config.word_bytes
    loops = {
        "folded": 1,
        "blocks": -(-conv.inputs * kernel_columns // config.rows),
        "groups": 1,
        "kernel_rows": kernel_rows,
        "kernel_columns": 1,
        "columns": conv.output()[1],
        "block_stride": config.rows,
        "kernel_row_stride": pitch,
        "row_stride": conv.stride * pitch,
        "column_stride": conv.stride * conv.inputs,
        "kernel_row_y": 1,
        "row_y": conv.stride,
        "column_x": conv.stride * conv.inputs,
        "block_x": config.rows,
        "height": height,
        "width": width * conv.inputs,
    }
    back = -conv.pad * conv.inputs
    work = {
        "rows": conv.output()[0],
        "addr": 2 * config.word_bytes - conv.pad * pitch + back,
        "half": 0,
        "pixel": 0,
        "y": -conv.pad,
        "x": back,
        "weight_addr": 0,
    }
    weights = pack_weights_folded(weight, config)[0]
    machine = machine_with(config, pack_folded(x, config), weights, 2)
    assert np.array_equal(sums(machine, loops, work, outputs), naive(x, weight, conv))


def test_accumulate_adds_the_rest_of_the_channels():
    conv, half = Conv(8, (4, 4)), Conv(4, (4, 4))
    generator = np.random.default_rng(2)
    x = generator.integers(-128, 128, (8, 4, 4))
    weight = generator.integers(-128, 128, (4, 8, 3, 3))
    weights = pack_weights(weight, TINY)[0]
    machine = machine_with(TINY, pack_blocked(x, TINY), weights, 0, 7)
    work = blocked_work(TINY, half)
    sums(machine, blocked_loops(TINY, half), work, 4)
    rest = {"accumulate": 1, "addr": work["addr"] + 16 * 4, "weight_addr": 7 + len(weights) // 2}
    result = sums(machine, blocked_loops(TINY, half), {**work, **rest}, 4)
    assert np.array_equal(result, naive(x, weight, conv))


def test_extreme_sums_are_exact():
    """More products than float32 adds exactly, large and odd ones."""
    conv = Conv(256, (3, 3), pad=0)
    x, weight = np.full((256, 3, 3), 127), np.full((16, 256, 3, 3), 127)
    weight[3, 200, 1, 1], x[100, 2, 0] = -128, -128
    weights = pack_weights(weight, BASE)[0]
    machine = machine_with(BASE, pack_blocked(x, BASE), weights, 0, 7)
    result = sums(machine, blocked_loops(BASE, conv), blocked_work(BASE, conv), 16)
    assert np.array_equal(result, naive(x, weight, conv))


def test_accumulators_wrap_at_32_bits():
    conv = Conv(1, (1, 1), (1, 1), pad=0)
    words = pack_blocked(np.full((1, 1, 1), 1), TINY)
    machine = machine_with(TINY, words, pack_weights(np.full((1, 1, 1, 1), 1), TINY)[0], 0, 7)
    machine.accumulators[1, 5, 0] = (1 << 31) - 1
    work = {**blocked_work(TINY, conv), "accumulate": 1}
    assert sums(machine, blocked_loops(TINY, conv), work, 1).item() == -(1 << 31)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight_addr": TINY.weight_words - 1}, "lie outside the weight buffer"),
        ({"pixel": TINY.accumulator_pixels}, "exceed the accumulators"),
    ],
)
def test_access_outside_is_refused(fields, message):
    conv = Conv(1, (1, 1), (1, 1), pad=0)
    work = {**blocked_work(TINY, conv), **fields}
    with pytest.raises(ValueError, match=message):
        sums(Machine(TINY, []), blocked_loops(TINY, conv), work, 1)
