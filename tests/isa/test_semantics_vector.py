"""VECTOR work against windows and requantization written down naively."""

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode, VectorOperation, VectorSource
from shiftloom.isa.layout import pack_blocked, pack_parameters, pack_taps, unpack_blocked
from shiftloom.isa.requantize import Rounding
from shiftloom.isa.semantics import Machine, execute
from tests.isa.exact import exact_requantize

TINY, ODD = load_config("tiny"), load_config("odd")
SETTINGS = {
    "rounding": Rounding.HALF_EVEN,
    "low": -(1 << 15),
    "high": (1 << 15) - 1,
    "out_shift": 0,
    "out_low": -128,
    "out_high": 127,
}


class Bench:
    """A machine with random contents, and parameters for one block of channels.

    Parameters
    ----------
    config : Config
        The machine's.
    most : int
        Largest shift of a channel.
    """

    parameter_addr = 3

    def __init__(self, config, most=12):
        self.config, self.machine = config, Machine(config, [])
        self.generator = generator = np.random.default_rng(5)
        lanes = config.columns
        self.machine.activation[:] = generator.integers(0, 256, self.machine.activation.shape)
        self.bias = generator.integers(-5000, 5000, lanes) >> (12 - most)
        self.shift = generator.integers(0, most + 1, lanes)
        self.mid_bias = generator.integers(-50, 50, lanes)
        self._put(
            self.parameter_addr, pack_parameters(self.bias, self.shift, self.mid_bias, config)
        )

    def _put(self, addr, words):
        flat = words.reshape(-1, self.config.word_bytes)
        self.machine.parameter[8 * addr : 8 * addr + len(flat)] = flat

    def put_map(self, first, codes):
        """Put a feature map of one block of channels at a word."""
        words = pack_blocked(codes, self.config)
        self.machine.activation[first : first + len(words)] = words

    def put_taps(self, taps):
        """Put taps ``(channels, steps, vector_taps)`` behind the parameter word."""
        self._put(self.parameter_addr + 1, pack_taps(taps, self.config)[0])

    def run(self, loops, requantize, work):
        """Return the addresses that VECTOR work wrote."""
        work = {"parameter_addr": self.parameter_addr, **work}
        for opcode, fields in (
            (Opcode.VECTOR_LOOPS, loops),
            (Opcode.VECTOR_REQUANTIZE, requantize),
            (Opcode.VECTOR, work),
        ):
            written = execute(self.machine, Instruction(opcode, fields))
        return written

    def expected(self, sums, settings, residual=None):
        """Return the codes of sums ``(channels, height, width)``, value by value."""
        codes = np.zeros(sums.shape, np.int64)
        for (c, y, x), total in np.ndenumerate(sums):
            added = self.mid_bias[c] + (0 if residual is None else residual[c, y, x])
            codes[c, y, x] = exact_requantize(total, self.shift[c], settings, self.bias[c], added)
        return codes


@pytest.mark.parametrize("config", [TINY, ODD], ids=lambda c: c.name)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("residual", ["none", "signed", "unsigned"])
def test_drain_with_residual(config, rounding, residual):
    bench, shape = Bench(config), (config.columns, 3, 4)
    sums = bench.generator.integers(-(1 << 20), 1 << 20, (12, config.columns))
    bench.machine.accumulators[1, 2:14] = sums
    low = 0 if residual == "unsigned" else -128
    codes = bench.generator.integers(low, low + 256, shape)
    bench.put_map(100, codes)
    settings = {**SETTINGS, "rounding": rounding, "low": -900, "high": 800, "out_shift": 2}
    options = {
        "residual": int(residual != "none"),
        "residual_unsigned": int(residual == "unsigned"),
        "residual_shift": 3,
        "residual_row_stride": 4,
        "residual_stride": 1,
    }
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 4, "emit_period": 1}
    loops |= {"write_row_stride": 4, "write_stride": 1}
    work = {"half": 1, "pixel": 2, "rows": 3, "write_addr": 50, "residual_addr": 100}
    written = bench.run(loops, {**settings, **options}, work)
    added = None if residual == "none" else codes << 3
    expected = bench.expected(sums.T.reshape(shape), settings, added)
    assert written.tolist() == list(range(50, 62))
    assert np.array_equal(bench.machine.activation[50:62], pack_blocked(expected, config))


def test_results_may_go_anywhere_and_only_there():
    """Some columns emit; rows run backwards, results of a row lie apart."""
    bench = Bench(TINY)
    sums = bench.generator.integers(-3000, 3000, (14, 4))
    bench.machine.accumulators[0, :14] = sums
    before = bench.machine.activation.copy()
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 7, "emit_first": 1, "emit_period": 3}
    loops |= {"write_row_stride": -20, "write_stride": 5}
    written = bench.run(loops, SETTINGS, {"rows": 2, "write_addr": 60})
    assert written.tolist() == [60, 65, 40, 45]
    emitted = sums.reshape(2, 7, 4)[:, [1, 4]].transpose(2, 0, 1)
    before[written] = pack_blocked(bench.expected(emitted, SETTINGS), TINY)
    assert np.array_equal(bench.machine.activation, before)


def window_loops(size, stride, taps, start):
    """Return loops and place of a 3x3 window with padding 1.

    With three taps, a column of the loops is a column of the input, beginning at ``x = -start``;
    what lies before is padding that is never read. Otherwise it is a column of the output.
    """
    (height, width), together = size, taps == 3
    out_height, out_width = ((n - 1) // stride + 1 for n in size)
    column, emit_first, emit_period = (1, 1 + start, stride) if together else (stride, 0, 1)
    x = -start if together else -1
    loops = {
        "source": VectorSource.ACTIVATION,
        "kernel_rows": 3,
        "kernel_columns": 1 if together else 3,
        "columns": emit_first + (out_width - 1) * emit_period + 1,
        "row_stride": stride * width,
        "column_stride": column,
        "kernel_row_stride": width,
        "kernel_column_stride": 1,
        "row_y": stride,
        "column_x": column,
        "kernel_row_y": 1,
        "kernel_column_x": 1,
        "height": height,
        "width": width,
        "emit_first": emit_first,
        "emit_period": emit_period,
        "write_row_stride": out_width,
        "write_stride": 1,
    }
    return loops, {"rows": out_height, "addr": 10 - width + x, "y": -1, "x": x}


def naive_window(codes, stride, padding, combine):
    """Return ``combine`` of each padded 3x3 window ``(channels, 3, 3)``."""
    padded = np.pad(codes, [(0, 0), (1, 1), (1, 1)], constant_values=padding)
    height, width = ((n - 1) // stride + 1 for n in codes.shape[1:])
    result = np.zeros((len(codes), height, width), np.int64)
    for y, x in np.ndindex(height, width):
        window = padded[:, y * stride : y * stride + 3, x * stride : x * stride + 3]
        result[:, y, x] = combine(window)
    return result


def run_window(bench, codes, kernel, *, stride=1, start=1, **fields):
    """Return the feature map that a 3x3 window makes; fields are of loops and requantization."""
    config, (channels, height, width) = bench.config, codes.shape
    bench.put_map(10, codes)
    if config.vector_taps == 3:
        taps = kernel
    else:  # one kernel column at a time, at the last tap
        taps = np.zeros((channels, 9, config.vector_taps), np.int64)
        taps[:, :, -1] = kernel.reshape(channels, 9)
    bench.put_taps(taps)
    loops, work = window_loops((height, width), stride, config.vector_taps, start)
    settings = {name: fields.pop(name, value) for name, value in SETTINGS.items()}
    written = bench.run({**loops, **fields}, settings, {**work, "write_addr": 200})
    shape = channels, work["rows"], (width - 1) // stride + 1
    assert written.tolist() == list(range(200, 200 + shape[1] * shape[2]))
    words, signed = bench.machine.activation[written], settings["out_low"] < 0
    return unpack_blocked(words, shape, config, signed=signed)


@pytest.mark.parametrize("unsigned", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("config", "start"), [(TINY, 0), (TINY, 1), (ODD, 0)])
def test_depthwise(config, start, stride, unsigned):
    bench, low = Bench(config), 0 if unsigned else -128
    codes = bench.generator.integers(low, low + 256, (config.columns, 5, 6))
    kernel = bench.generator.integers(-256, 256, (config.columns, 3, 3))
    sums = naive_window(codes, stride, 0, lambda w: (w * kernel).sum((1, 2)))
    walk = {"stride": stride, "start": start}
    result = run_window(bench, codes, kernel, **walk, unsigned=unsigned, out_shift=3)
    assert np.array_equal(result, bench.expected(sums, {**SETTINGS, "out_shift": 3}))


@pytest.mark.parametrize("unsigned", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("config", [TINY, ODD], ids=lambda c: c.name)
def test_max_pool(config, stride, unsigned):
    bench, low = Bench(config, most=1), 0 if unsigned else -128
    # Small codes, so that padding with zeros would win among signed ones.
    codes = bench.generator.integers(low, low + 100, (config.columns, 6, 7))
    codes[:, :2, :2] = low  # the corner's largest code is no larger than padding
    kernel = np.ones((config.columns, 3, 3), np.int64)
    limits = {"out_low": 0, "out_high": 255} if unsigned else {}
    maxima = naive_window(codes, stride, low, lambda w: w.max((1, 2)))
    options = {"unsigned": unsigned, "operation": VectorOperation.MAX, **limits}
    result = run_window(bench, codes, kernel, stride=stride, **options)
    assert np.array_equal(result, bench.expected(maxima, {**SETTINGS, **limits}))


def test_maximum_takes_only_where_a_tap_is_set():
    bench = Bench(TINY, most=0)
    codes = bench.generator.integers(-128, 128, (4, 4, 4))
    kernel = np.zeros((4, 3, 3), np.int64)
    kernel[:, 1, 1], kernel[:, 0, 2] = -7, 1
    maxima = naive_window(codes, 1, -128, lambda w: np.maximum(w[:, 1, 1], w[:, 0, 2]))
    result = run_window(bench, codes, kernel, operation=VectorOperation.MAX)
    assert np.array_equal(result, bench.expected(maxima, SETTINGS))


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ({"write_addr": TINY.activation_words - 1}, "VECTOR write .* lies outside"),
        ({"parameter_addr": TINY.parameter_words}, "lies outside the parameter buffer"),
        ({"pixel": TINY.accumulator_pixels - 1}, "VECTOR pixel 63…64 lies outside 0…63"),
    ],
)
def test_access_outside_is_refused(work, message):
    loops = {"columns": 2, "emit_period": 1, "write_stride": 1}
    with pytest.raises(ValueError, match=message):
        Bench(TINY).run(loops, SETTINGS, {"rows": 1, **work})
