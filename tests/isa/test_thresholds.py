"""Threshold requantization, and the words that hold thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import VectorSource
from shiftloom.isa.layout import pack_thresholds
from shiftloom.isa.thresholds import NEVER, Thresholds, apply_thresholds, threshold_bits
from tests.isa.test_semantics_vector import Bench

TINY, ODD = load_config("tiny"), load_config("odd")


def bank(rows, low=0):
    return Thresholds(values=np.array(rows, np.int32), low=low)


def test_codes_count_the_thresholds_reached():
    acc = np.array([[-6, 10], [-5, 9], [0, 11], [7, 12]])
    codes = apply_thresholds(acc, bank([[-5, 0, 7], [10, 10, 12]], low=-2))
    assert codes.tolist() == [[-2, 0], [-1, -2], [0, 0], [1, 1]]


def test_a_threshold_that_occurs_twice_makes_bipolar_codes():
    codes = apply_thresholds(np.array([[2], [3]]), bank([[3, 3]], low=-1))
    assert codes.ravel().tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("values", "low", "message"),
    [
        (np.zeros((2, 16), np.int32), 0, "1…15"),
        (np.zeros((2, 0), np.int32), 0, "1…15"),
        (np.zeros(3, np.int32), 0, "channels"),
        (np.zeros((1, 3)), 0, "int32, not float64"),
        (np.array([[1, 0]], np.int32), 0, "sorted"),
        (np.zeros((1, 3), np.int32), 253, "253…256"),
        (np.zeros((1, 3), np.int32), -129, "-129…-126"),
    ],
)
def test_banks_that_cannot_be(values, low, message):
    with pytest.raises(ValueError, match=message):
        Thresholds(values=values, low=low)


@pytest.mark.parametrize(("count", "bits"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4)])
def test_width_of_a_bank(count, bits):
    assert threshold_bits(count) == bits


def test_words_hold_two_thresholds_per_lane():
    values = np.arange(12 * 5, dtype=np.int32).reshape(12, 5)
    words = pack_thresholds(values, 3, ODD)
    assert words.shape == (2, 4, 8 * ODD.word_bytes)
    lanes = words.view("<i4").reshape(2, 4, ODD.word_bytes, 2)
    assert lanes[0, 0, 3].tolist() == [15, 16]
    assert lanes[0, 2, 9].tolist() == [49, NEVER]
    assert lanes[1, 1, 1].tolist() == [57, 58]
    assert (lanes[1, :, 2:10] == NEVER).all()


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("config", [TINY, ODD])
def test_vector_work_compares(config, bits):
    bench = Bench(config)
    generator, lanes = np.random.default_rng(bits), config.columns
    count = (1 << bits) - 1
    values = np.sort(generator.integers(-9000, 9000, (lanes, count)), axis=1).astype(np.int32)
    bench._put(40, pack_thresholds(values, bits, config)[0])
    sums = generator.integers(-9000, 9000, (6, lanes))
    sums[:count] = values.T[:6] - bench.bias  # thresholds are met exactly
    bench.machine.accumulators[1, :6] = sums
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 3, "emit_period": 1}
    loops |= {"write_row_stride": 3, "write_stride": 1}
    settings = {"threshold_bits": bits, "out_low": -3}
    work = {"half": 1, "rows": 2, "write_addr": 9, "threshold_addr": 40}
    written = bench.run(loops, settings, work)
    codes = bench.machine.activation[written, :lanes].view(np.int8)
    reached = (sums + bench.bias)[:, :, None] >= values
    assert (codes == reached.sum(axis=2) - 3).all()


def test_thresholds_never_reached_may_lie_above_the_largest_code():
    bench = Bench(TINY)
    bench._put(40, pack_thresholds(np.array([[-5], [0], [5], [9]], np.int32), 2, TINY)[0])
    bench.machine.accumulators[0, 0] = [-5, -1, 5, 8] - bench.bias
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 1, "emit_period": 1}
    work = {"rows": 1, "write_addr": 9, "threshold_addr": 40}
    written = bench.run(loops, {"threshold_bits": 2, "out_low": 254}, work)
    assert bench.machine.activation[written].tolist() == [[255, 254, 255, 254]]


def test_what_the_machine_refuses():
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 1, "emit_period": 1}
    work = {"rows": 1, "threshold_addr": 40}
    bench = Bench(TINY)
    bench.machine.parameter[:] = 0
    with pytest.raises(ValueError, match="residual"):
        bench.run(loops, {"threshold_bits": 2, "residual": 1}, work)
    with pytest.raises(ValueError, match="this configuration has 1"):
        Bench(replace(TINY, threshold_bits=1)).run(loops, {"threshold_bits": 2}, work)
    bench.machine.parameter[8 * 40 + 1] = 0xFF  # the second of lane 0 is -1, below the first
    with pytest.raises(ValueError, match="not sorted"):
        bench.run(loops, {"threshold_bits": 2}, work)
