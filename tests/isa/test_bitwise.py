"""Bitwise MAC work and packed results against sums of products written down naively."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.isa.bitwise import bit_sums
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.layout import pack_bit_weights, pack_parameters, pack_planes
from shiftloom.isa.semantics import Machine, execute

SMALL = replace(load_config("small"), bit_lanes=64)
KINDS = [(False, False), (False, True), (True, True), (True, False)]


def meaning(bits, bipolar):
    return 2 * bits.astype(int) - 1 if bipolar else bits.astype(int)


@pytest.mark.parametrize(("inputs", "weights"), KINDS)
def test_dot_products_are_what_the_bits_mean(inputs, weights):
    generator = np.random.default_rng(1)
    a, w = generator.integers(0, 2, (9, 40), np.uint8), generator.integers(0, 2, (5, 40), np.uint8)
    for count in (40, 22, 2):
        w[:, count:] = 0
        expected = meaning(a, inputs)[:, :count] @ meaning(w, weights)[:, :count].T
        assert (bit_sums(a, w, count, inputs, weights) == expected).all()


def convolve(x, w, bipolar):
    """Return a 3x3 convolution with padding 1, stride 2; padding adds nothing."""
    codes = meaning(x, bipolar[0])
    padded = np.pad(codes, ((0, 0), (1, 1), (1, 1)))
    values = meaning(w, bipolar[1])
    rows, columns = (x.shape[1] + 1) // 2, (x.shape[2] + 1) // 2
    out = np.zeros((len(w), rows, columns), int)
    for o, y, x0 in np.ndindex(out.shape):
        window = padded[:, 2 * y : 2 * y + 3, 2 * x0 : 2 * x0 + 3]
        out[o, y, x0] = (window * values[o]).sum()
    return out


@pytest.mark.parametrize("bipolar", KINDS)
def test_a_convolution_of_planes(bipolar):
    generator = np.random.default_rng(2)
    channels, height, width = 100, 5, 6
    x = generator.integers(0, 2, (1, channels, height, width), np.uint8)
    w = generator.integers(0, 2, (SMALL.columns, channels, 3, 3), np.uint8)
    machine = Machine(SMALL, [])
    machine.activation[:] = 0xFF  # what lies beside the map must not matter
    words = pack_planes(x, SMALL)[0]
    words[height * width :, 36 // 8 :] |= 0xF0  # nor lanes that do not count
    machine.activation[7 : 7 + len(words)] = words
    tiles = pack_bit_weights(w, SMALL)[0]
    machine.weight[3 : 3 + len(tiles)] = tiles
    machine.accumulators[1, :9] = 1000
    word = SMALL.word_bytes
    loops = {
        "bitwise": 1,
        "bipolar_inputs": bipolar[0],
        "bipolar_weights": bipolar[1],
        "lanes": channels - 64,
        "blocks": 2,
        "groups": 1,
        "kernel_rows": 3,
        "kernel_columns": 3,
        "columns": 3,
        "block_stride": height * width * word,
        "kernel_row_stride": width * word,
        "kernel_column_stride": word,
        "row_stride": 2 * width * word,
        "column_stride": 2 * word,
        "kernel_row_y": 1,
        "kernel_column_x": 1,
        "row_y": 2,
        "column_x": 2,
        "height": height,
        "width": width,
    }
    execute(machine, Instruction(Opcode.MAC_LOOPS, loops))
    work = {"half": 1, "rows": 3, "y": -1, "x": -1, "addr": (7 - width - 1) * word}
    work |= {"weight_addr": 3, "accumulate": 1, "double": 1, "negative": 1}
    execute(machine, Instruction(Opcode.MAC, work))
    expected = convolve(x[0], w, bipolar).reshape(SMALL.columns, -1).T
    assert (machine.accumulators[1, :9] == 2000 - expected).all()


def test_results_are_packed_into_a_part_of_words():
    machine = Machine(SMALL, [])
    machine.activation[:] = 0xAA
    lanes = np.zeros(SMALL.columns, int)
    words = pack_parameters(lanes, lanes, lanes, SMALL)
    machine.parameter[:8] = words.reshape(-1, SMALL.word_bytes)
    machine.accumulators[0, :4] = np.arange(32).reshape(4, 8)
    loops = {"columns": 2, "emit_period": 1, "write_row_stride": 10, "write_stride": 1}
    settings = {"low": -128, "high": 127, "out_low": -128, "out_high": 127, "pack": 1, "plane": 2}
    for opcode, fields in (
        (Opcode.VECTOR_LOOPS, loops),
        (Opcode.VECTOR_REQUANTIZE, settings),
        (Opcode.VECTOR, {"rows": 2, "write_addr": 5, "part": 3}),
    ):
        execute(machine, Instruction(opcode, fields))
    for pixel, word in enumerate((5, 6, 15, 16)):
        bits = [value >> 2 & 1 for value in range(8 * pixel, 8 * pixel + 8)]
        assert machine.activation[word, 3] == sum(bit << k for k, bit in enumerate(bits))
    machine.activation[[5, 6, 15, 16], 3] = 0xAA
    assert (machine.activation == 0xAA).all()


LOOPS = {"bitwise": 1, "blocks": 1, "groups": 1, "kernel_rows": 1, "kernel_columns": 1}
LOOPS |= {"columns": 1, "lanes": 1, "height": 1, "width": 1}


@pytest.mark.parametrize(
    ("config", "changes", "addr", "message"),
    [
        (load_config("small"), {}, 0, "no bit array"),
        (SMALL, {"folded": 1}, 0, "not folded"),
        (SMALL, {"groups": 2}, 0, "one group"),
        (SMALL, {"lanes": 65}, 0, "1…64, not 65"),
        (SMALL, {"lanes": 0}, 0, "1…64, not 0"),
        (SMALL, {"bipolar_inputs": 1, "bipolar_weights": 1}, 0, "even, not 1"),
        (SMALL, {}, 3, "whole words"),
    ],
)
def test_what_the_machine_refuses(config, changes, addr, message):
    machine = Machine(config, [])
    execute(machine, Instruction(Opcode.MAC_LOOPS, LOOPS | changes))
    with pytest.raises(ValueError, match=message):
        execute(machine, Instruction(Opcode.MAC, {"rows": 1, "addr": addr}))


@pytest.mark.parametrize("fields", [{"bitwise": 0, "accumulate": 1}, {"accumulate": 0}])
def test_only_what_bitwise_tiles_add_to_is_doubled(fields):
    machine = Machine(SMALL, [])
    machine.accumulators[0, 0] = 77
    loops = {**LOOPS, "bitwise": fields.get("bitwise", 1)}
    execute(machine, Instruction(Opcode.MAC_LOOPS, loops))
    work = {"rows": 1, "double": 1, "accumulate": fields["accumulate"]}
    execute(machine, Instruction(Opcode.MAC, work))
    assert (machine.accumulators[0, 0] == 77 * fields["accumulate"]).all()


def test_doubled_accumulators_wrap():
    machine = Machine(SMALL, [])
    machine.accumulators[0, 0] = (1 << 30) + 5
    execute(machine, Instruction(Opcode.MAC_LOOPS, LOOPS))
    execute(machine, Instruction(Opcode.MAC, {"rows": 1, "double": 1, "accumulate": 1}))
    assert (machine.accumulators[0, 0] == 10 - (1 << 31)).all()
