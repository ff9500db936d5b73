"""Programs for simulators, and engines to run them."""

from dataclasses import replace

import numpy as np

from shiftloom.isa.config import Config, load_config
from shiftloom.isa.instructions import Buffer, Instruction, Opcode, VectorSource, encode
from shiftloom.isa.layout import blocked_words, pack_parameters, pack_taps
from shiftloom.isa.program import Layer, Place, Program, Segment
from shiftloom.sim.memory import make_regions
from tests.support.programs import config_instruction

__all__ = [
    "BITS",
    "DEEP",
    "DEEP_WIDE",
    "END",
    "NARROW",
    "TINY",
    "WIDE",
    "as_program",
    "fill",
    "first_segment",
    "relay",
    "work",
]

TINY = load_config("tiny")

#: Odd sizes, words narrower than the next power of two, a bus narrower than a word.
NARROW = Config(
    name="narrow",
    rows=3,
    columns=5,
    bus_bytes=4,
    activation_bytes=1920,
    weight_bytes=2688,
    parameter_bytes=16384,
    accumulator_pixels=29,
    vector_taps=2,
    burst_beats=8,
    threshold_bits=2,
)

#: Beats of eight words and of two instructions, in short bursts.
WIDE = Config(
    name="wide",
    rows=4,
    columns=8,
    bus_bytes=64,
    activation_bytes=1 << 14,
    weight_bytes=1 << 12,
    parameter_bytes=1 << 12,
    accumulator_pixels=64,
    activation_banks=8,
    burst_beats=4,
)

#: A bit array, with fewer rows than columns.
BITS = Config(
    name="bits",
    rows=7,
    columns=8,
    bus_bytes=8,
    activation_bytes=3072,
    weight_bytes=4096,
    parameter_bytes=32768,
    accumulator_pixels=64,
    burst_beats=16,
    bit_lanes=64,
)

#: More registers, and later; with parts of instructions in a beat, and with two of them.
DEEP = replace(BITS, name="deep", pipeline=1)
DEEP_WIDE = replace(WIDE, name="deep_wide", pipeline=1)

END = Instruction(Opcode.END, {})


def as_program(config, instructions, constants=b"", **parts):
    """Return a program of one segment; instructions may be given as bytes."""
    code = b"".join(i if isinstance(i, bytes) else encode(i) for i in instructions)
    segment = Segment(first=0, count=len(instructions), inputs=(), outputs=())
    given = {
        "region_bytes": (1 << 16,) * 4,
        "places": (),
        "layers": (),
        "layer_of": np.full(len(instructions), -1, np.int32),
        "tensors": (),
        "tiles": np.zeros((0, 7), np.int32),
        "steps": (segment,),
        **parts,
    }
    return Program(
        name="case",
        config=config,
        code=code,
        constants=constants,
        inputs=(),
        outputs=(),
        **given,
    )


def first_segment(program):
    """Return the only segment."""
    return program.segments[0]


def fill(program, contents=(), seed=0):
    """Return regions with random bytes, apart from the constants and the given contents."""
    regions, rng = make_regions(program), np.random.default_rng(seed)
    for number, region in enumerate(regions[1:], start=1):
        region[:] = rng.integers(0, 256, region.size, np.uint8)
        given = contents[number] if number < len(contents) else b""
        region[: len(given)] = np.frombuffer(given, np.uint8)
    return regions


def work(opcode, **fields):
    """Return an instruction."""
    return Instruction(opcode, fields)


SHAPE_Y, SHAPE_X = 3, 4


def relay(config):
    """Return a program that passes a feature map of two blocks through the vector unit.

    The first block in rows, the second in columns; the second is not full.
    """
    shape = (2 * config.columns - 1, SHAPE_Y, SHAPE_X)
    count, pixels, taps = blocked_words(shape, config), SHAPE_Y * SHAPE_X, config.vector_taps
    zeros = np.zeros(config.columns, np.int64)
    tap = np.zeros((config.columns, 1, taps), np.int64)
    tap[:, 0, -1] = 1  # the newest column
    parameters = pack_parameters(zeros, zeros, zeros, config).tobytes()
    constants = parameters + pack_taps(tap, config).tobytes()
    words = len(constants) // config.word_bytes
    filled = {"wait_load": 2}
    instructions = [
        config_instruction(config),
        work(Opcode.LOAD, buffer=Buffer.PARAMETER, words=words, runs=1),
        work(Opcode.LOAD, region=1, offset=1024, words=count, runs=1),
        work(Opcode.VECTOR_REQUANTIZE, low=-256, high=255, out_low=-128, out_high=127),
        _loops(SHAPE_X, SHAPE_X, 1),
        work(Opcode.VECTOR, rows=SHAPE_Y, write_addr=count, **filled),
        _loops(SHAPE_Y, 1, SHAPE_X),
        work(Opcode.VECTOR, rows=SHAPE_X, addr=pixels, write_addr=count + pixels, **filled),
        work(Opcode.STORE, wait_vector=2, region=2, addr=count, words=count, runs=1),
        END,
    ]
    memory = {"shape": shape, "layout": "blocked", "signed": True, "row_words": SHAPE_X}
    layer = {"operator": "copy", "engine": "vector", "output": "b", "macs": 0}
    return as_program(
        config,
        instructions,
        constants,
        places=(
            Place(tensor="a", region=1, offset=1024, **memory),
            Place(tensor="b", region=2, offset=0, **memory),
        ),
        layers=(Layer(name="first", **layer), Layer(name="second", **layer)),
        layer_of=np.array([-1, -1, -1, 0, 0, 0, 1, 1, 1, -1], np.int32),
        tensors=("a", "b"),
        tiles=np.array([[5, 1, 0, 0, 0, 0, 0], [7, 1, 1, 0, 0, 1, 0]], np.int32),
    )


def _loops(columns, row_stride, column_stride):
    return work(
        Opcode.VECTOR_LOOPS,
        source=VectorSource.ACTIVATION,
        columns=columns,
        kernel_rows=1,
        kernel_columns=1,
        row_stride=row_stride,
        column_stride=column_stride,
        height=1,
        width=1,
        emit_period=1,
        write_row_stride=row_stride,
        write_stride=column_stride,
    )
