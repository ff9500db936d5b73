"""Random legal jobs: instructions, the parameters they need, and what the engines take."""

import random

import numpy as np

from shiftloom.isa.instructions import FORMATS, Instruction, Opcode, VectorOperation, VectorSource
from shiftloom.isa.semantics import Machine
from shiftloom.isa.serial import weight_words_at_once
from tests.support.job_parameters import Parameters

__all__ = ["Jobs", "payload", "random_machine", "tiles_of", "written_bytes"]


def random_machine(config, seed):
    """Return a machine with random bytes in its activation and weight buffers."""
    machine = Machine(config, [])
    generator = np.random.default_rng(seed)
    for buffer in (machine.activation, machine.weight):
        buffer[:] = generator.integers(0, 256, buffer.shape, np.uint8)
    return machine


def payload(index, job):
    """Return what an engine takes: the fields of its instructions by part, and an index."""
    parts = {
        Opcode.MAC_LOOPS: "loops",
        Opcode.VECTOR_LOOPS: "loops",
        Opcode.VECTOR_REQUANTIZE: "requantize",
        Opcode.MAC: "work",
        Opcode.VECTOR: "work",
    }
    fields = {parts[i.opcode]: {"opcode": int(i.opcode), **i.fields} for i in job}
    return {**fields, "index": index}


def written_bytes(machine, work, addresses):
    """Return the words that VECTOR work wrote; bytes that it left alone are 0."""
    config, words = machine.config, machine.activation[addresses].copy()
    if machine.settings[Opcode.VECTOR_REQUANTIZE]["pack"]:
        byte = np.arange(config.word_bytes)
        words[:, byte * 8 // config.columns != work["part"]] = 0
    return words


def tiles_of(loops):
    """Return the weight tiles of a MAC job."""
    return loops["blocks"] * loops["groups"] * loops["kernel_rows"] * loops["kernel_columns"]


def _extent(counts, strides):
    """Return the lowest and highest distance from the start that loops reach."""
    ends = [(count - 1) * stride for count, stride in zip(counts, strides, strict=True)]
    return sum(min(e, 0) for e in ends), sum(max(e, 0) for e in ends)


class Jobs:
    """Source of random jobs that are legal on a machine.

    Parameters
    ----------
    machine : Machine
        Gets the parameters that vector jobs need.
    seed : int
        Of everything random.
    """

    def __init__(self, machine, seed):
        self.machine = machine
        self.config = machine.config
        self.rng = random.Random(seed)
        self.parameters = Parameters(machine, seed)
        whole = range(self.config.activation_words)
        self.halves = whole[: len(whole) // 2], whole[len(whole) // 2 :]

    def _instruction(self, opcode, fields, fixed):
        names = {field.name for field in FORMATS[opcode]}
        return Instruction(opcode, fields | {k: v for k, v in fixed.items() if k in names})

    def _start(self, region, counts, strides):
        """Return a start from which loops stay in a region, or None."""
        low, high = _extent(counts, strides)
        starts = region[-low : max(0, len(region) - high)]
        return self.rng.choice(starts) if starts else None

    def _place(self, region, counts, limit):
        """Return a start and strides, positive or negative, that stay in a region."""
        while True:
            strides = [self.rng.randint(-limit, limit) for _ in counts]
            start = self._start(region, counts, strides)
            if start is not None:
                return start, strides
            limit = max(0, limit - 1)

    def _place_apart(self, region, counts, limit):
        """Return a start and two strides that lead to different words."""
        while True:
            start, strides = self._place(region, counts, limit)
            words = np.add.outer(*(np.arange(c) * s for c, s in zip(counts, strides, strict=True)))
            if len(np.unique(words)) == words.size:
                return start, strides

    def mac(self, region=None, **fixed):
        """Return MAC_LOOPS and MAC; with a region of words, they read nothing else."""
        rng, config = self.rng, self.config
        size = config.activation_bytes
        wraps = region is None and size & (size - 1) == 0
        region = region or range(config.activation_words)
        reach = len(region) * config.word_bytes // 20

        def stride(width):
            return rng.randrange(1 << width if wraps else min(1 << width, reach))

        loops = {
            "unsigned": rng.randrange(2),
            "folded": rng.randrange(2),
            "blocks": rng.randint(1, 3),
            "groups": rng.randint(1, 2),
            "kernel_rows": rng.randint(1, 3),
            "kernel_columns": rng.randint(1, 3),
            "columns": rng.randint(1, 5),
            "block_stride": stride(26),
            "kernel_row_stride": stride(26),
            "kernel_column_stride": stride(20),
            "row_stride": stride(26),
            "column_stride": stride(14),
            "kernel_row_y": rng.randrange(4),
            "kernel_column_x": rng.randrange(4),
            "row_y": rng.randrange(3),
            "column_x": rng.randrange(5),
            "block_x": rng.randrange(9),
            "height": rng.randint(1, 10),
            "width": rng.randint(1, 20),
        }
        if config.bit_lanes and fixed.get("bitwise", rng.randrange(2)):
            loops |= self._bitwise(loops)
        if config.serial:
            loops |= {"folded": 0, "groups": 1, "block_x": 0, **self._whole_words(loops)}
            fixed |= self._whole_words(fixed)
        loops = self._instruction(Opcode.MAC_LOOPS, loops, fixed)
        rows = fixed.get("rows", rng.randint(1, 4))
        pixels = rows * loops["columns"]
        words = tiles_of(loops) * (config.columns if loops["bitwise"] else config.rows)
        inside = region[0] * config.word_bytes + rng.randrange(reach)
        work = {
            "accumulate": rng.randrange(2),
            "half": rng.randrange(2),
            "pixel": rng.randrange(config.accumulator_pixels - pixels + 1),
            "rows": rows,
            "addr": rng.randrange(-size, size) if wraps else inside,
            "y": rng.randint(-4, 4),
            "x": rng.randint(-8, 8),
            "weight_addr": rng.randrange(config.weight_words - words + 1),
        }
        if loops["bitwise"] or config.serial:
            work["addr"] -= work["addr"] % config.word_bytes
        if config.serial:
            work["weight_addr"] -= work["weight_addr"] % weight_words_at_once(config)
        if loops["bitwise"]:
            work |= {"double": rng.randrange(2), "negative": rng.randrange(2)}
        return loops, self._instruction(Opcode.MAC, work, fixed)

    def _whole_words(self, loops):
        """Return strides that lead from word to word."""
        word = self.config.word_bytes
        return {k: v - v % word for k, v in loops.items() if k.endswith("_stride")}

    def _bitwise(self, loops):
        """Return what bitwise loops have beside, or instead of, others."""
        rng, word = self.rng, self.config.word_bytes
        strides = self._whole_words(loops)
        kinds = {"bipolar_inputs": rng.randrange(2), "bipolar_weights": rng.randrange(2)}
        lanes = rng.choice([2, 8 * word, rng.randint(1, 8 * word)])
        lanes += lanes % 2 if all(kinds.values()) else 0
        fixed = {"bitwise": 1, "folded": 0, "unsigned": 0, "groups": 1, "block_x": 0}
        return {**strides, **kinds, **fixed, "lanes": lanes}

    def vector(self, read, write, *, window=None, **fixed):
        """Return VECTOR_LOOPS, VECTOR_REQUANTIZE and VECTOR that read and write in regions.

        ``window`` says whether taps may meet earlier columns.
        """
        rng = self.rng
        window = rng.random() < 0.7 if window is None else window
        kernel = self._kernel(3 if window else 5, fixed)
        source = fixed.get("source", rng.randrange(2))
        operation = fixed.get("operation", rng.randrange(2))
        narrow = (source, operation) == (VectorSource.ACTIVATION, VectorOperation.MAX)
        columns = fixed.get("columns", rng.randint(1, 7))
        counts = fixed.get("rows", rng.randint(1, 4)), columns, *kernel
        if source == VectorSource.ACCUMULATOR:
            pixel = rng.randrange(self.config.accumulator_pixels - counts[0] * columns + 1)
        else:
            pixel = 0
        addr, strides = self._place(read, counts, 20)
        x = rng.randint(-3, 3)
        column_x, kernel_column_x = rng.randint(0, 3), rng.randint(0, 3)
        emit_first = rng.randint(0, columns - 1 if rng.random() < 0.9 else columns + 1)
        if window and emit_first < self.config.vector_taps - 1:
            if rng.random() < 0.5:  # columns before the first are padding
                x, column_x, kernel_column_x = 0, max(1, column_x), 0
            else:
                emit_first = self.config.vector_taps - 1
        emit_first = fixed.get("emit_first", emit_first)
        emit_period = fixed.get("emit_period", rng.randint(1, 3))
        emitted = counts[0], len(range(emit_first, columns, emit_period))
        write_addr, write_strides = self._place_apart(write, emitted, 9)
        residual_addr, residual_strides = self._place(read, emitted, 9)
        loops = {
            "source": source,
            "operation": operation,
            "unsigned": rng.randrange(2),
            "columns": columns,
            "kernel_rows": kernel[0],
            "kernel_columns": kernel[1],
            "row_stride": strides[0],
            "column_stride": strides[1],
            "kernel_row_stride": strides[2],
            "kernel_column_stride": strides[3],
            "row_y": rng.randint(0, 3),
            "column_x": column_x,
            "kernel_row_y": rng.randint(0, 3),
            "kernel_column_x": kernel_column_x,
            "height": rng.randint(1, 8),
            "width": rng.randint(1, 12),
            "emit_first": emit_first,
            "emit_period": emit_period,
            "write_row_stride": write_strides[0],
            "write_stride": write_strides[1],
        }
        requantize = self._requantize() | {
            "residual_row_stride": residual_strides[0],
            "residual_stride": residual_strides[1],
        }
        compared, table = self.parameters.thresholds(narrow, fixed)
        requantize |= compared
        work = {
            "half": rng.randrange(2),
            "pixel": pixel,
            "rows": counts[0],
            "addr": addr,
            "y": rng.randint(-3, 3),
            "x": x,
            "parameter_addr": self.parameters.words(kernel[0] * kernel[1], window, narrow),
            "write_addr": write_addr,
            "residual_addr": residual_addr,
            **table,
        }
        if self.config.bit_lanes:
            work["part"] = rng.randrange(8)
        return (
            self._instruction(Opcode.VECTOR_LOOPS, loops, fixed),
            self._instruction(Opcode.VECTOR_REQUANTIZE, requantize, fixed),
            self._instruction(Opcode.VECTOR, work, fixed),
        )

    def _kernel(self, limit, fixed):
        """Return kernel rows and columns."""
        rows, columns = self.rng.choice([(1, 1), (3, 1), (limit, limit), (2, limit)])
        return fixed.get("kernel_rows", rows), fixed.get("kernel_columns", columns)

    def _requantize(self):
        rng, pack = self.rng, {}
        if self.config.bit_lanes:
            pack = {"pack": rng.randrange(2), "plane": rng.randrange(8)}
        out_low, out_high = rng.choice([(-128, 127), (0, 255), (-8, 7), (-100, 30)])
        return {
            **pack,
            "rounding": rng.randrange(4),
            "low": rng.choice([-(1 << 15), -300, 0]),
            "high": rng.choice([(1 << 15) - 1, 400]),
            "out_shift": rng.randint(-1, 4),
            "out_low": out_low,
            "out_high": out_high,
            "residual": rng.randrange(2),
            "residual_unsigned": rng.randrange(2),
            "residual_shift": rng.randint(0, 3),
        }
