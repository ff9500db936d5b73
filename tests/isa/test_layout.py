"""Layouts against their description, byte by byte."""

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.layout import (
    blocked_words,
    folded_pitch_words,
    pack_blocked,
    pack_folded,
    pack_parameters,
    pack_taps,
    pack_weights,
    pack_weights_folded,
    unpack_blocked,
)

CONFIGS = [load_config("tiny"), load_config("odd")]
SHAPES = [(1, 1, 1), (3, 4, 5), (10, 2, 3), (11, 3, 2), (21, 1, 4)]


def codes(shape, low=-128, high=127, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True)


def same(packed, expected):
    """Compare what was packed with a mapping from index to byte; all others are zero."""
    whole = np.zeros(packed.shape, np.uint8)
    for index, value in expected.items():
        whole[index] = value % 256
    return packed.dtype == np.uint8 and np.array_equal(packed, whole)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_blocked_map_has_a_word_per_block_and_pixel(config, shape):
    values, (_, height, width) = codes(shape), shape
    packed = pack_blocked(values, config)
    assert packed.shape == (blocked_words(shape, config), config.word_bytes)
    assert same(
        packed,
        {
            ((c // config.columns * height + y) * width + x, c % config.columns): value
            for (c, y, x), value in np.ndenumerate(values)
        },
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocked_map_and_back(config, shape, signed):
    values = codes(shape) if signed else codes(shape, 0, 255)
    words = pack_blocked(values, config)
    assert np.array_equal(unpack_blocked(words, shape, config, signed=signed), values)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("shape", [(1, 3, 5), (3, 4, 7), (2, 1, 8)])
def test_folded_map_has_rows_of_pixels(config, shape):
    values, (channels, height, width) = codes(shape), shape
    packed, pitch = pack_folded(values, config), folded_pitch_words(channels, width, config)
    assert packed.shape == (height * pitch, config.word_bytes)
    assert same(
        packed.reshape(height, -1),
        {(y, x * channels + c): value for (c, y, x), value in np.ndenumerate(values)},
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 7, 3, 2), (12, 11, 1, 3), (10, 20, 2, 2)])
def test_weights_lie_in_the_order_of_the_loops(config, shape):
    weight, (_, inputs, height, width) = codes(shape), shape
    columns, rows, groups = config.columns, config.rows, config.row_groups
    expected = {}
    for (o, i, ky, kx), value in np.ndenumerate(weight):
        block, channel = divmod(i, columns)
        group, row = divmod(channel, rows)
        tile = ((block * groups + group) * height + ky) * width + kx
        expected[o // columns, tile * rows + row, o % columns] = value
    packed = pack_weights(weight, config)
    assert packed.shape[1] == -(-inputs // columns) * groups * height * width * rows
    assert same(packed, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 3, 3, 3), (12, 3, 2, 7), (10, 1, 1, 9)])
def test_folded_weights_lie_in_chunks_of_kernel_rows(config, shape):
    weight, (_, inputs, height, width) = codes(shape), shape
    expected = {}
    for (o, i, ky, kx), value in np.ndenumerate(weight):
        chunk, row = divmod(kx * inputs + i, config.rows)
        word = (chunk * height + ky) * config.rows + row
        expected[o // config.columns, word, o % config.columns] = value
    packed = pack_weights_folded(weight, config)
    assert packed.shape[1] == -(-inputs * width // config.rows) * height * config.rows
    assert same(packed, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("channels", [1, 4, 10, 23])
def test_parameter_word_has_eight_bytes_per_lane(config, channels):
    bias = codes(channels, -(1 << 31), (1 << 31) - 1)
    shift, mid_bias = codes(channels, 0, 31), codes(channels, -(1 << 15), (1 << 15) - 1)
    expected = {}
    for n in range(channels):
        word, lane = divmod(n, config.columns)
        entry = int(bias[n]) % (1 << 32) | int(shift[n]) << 32 | int(mid_bias[n]) % (1 << 16) << 48
        for byte in range(8):
            expected[word, 8 * lane + byte] = entry >> (8 * byte)
    packed = pack_parameters(bias, shift, mid_bias, config)
    assert packed.shape[1] == config.parameter_word_bytes
    assert same(packed, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (23, 9, 1), (10, 2, 4)])
def test_tap_word_has_four_taps_per_lane(config, shape):
    taps = codes(shape, -256, 255)
    expected = {}
    for (channel, step, tap), value in np.ndenumerate(taps):
        block, lane = divmod(channel, config.columns)
        for byte in range(2):
            index = block, step, 8 * lane + 2 * tap + byte
            expected[index] = int(value) % (1 << 16) >> (8 * byte)
    packed = pack_taps(taps, config)
    assert packed.shape[1:] == (shape[1], config.parameter_word_bytes)
    assert same(packed, expected)
