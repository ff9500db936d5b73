"""A layer of bit-planes with random codes: its program, its data, and what it must give."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shiftloom.isa.instructions import encode
from shiftloom.isa.layout import pack_bit_weights, pack_parameters, pack_planes
from shiftloom.isa.program import Program, Segment
from shiftloom.sim.cycle.engine import run_segment as run_cycles
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import make_regions

from .bit_program import KERNEL, BitShape, bit_instructions
from .command import BenchmarkError

__all__ = ["BitLayer", "bit_layer", "checked_cycles"]

_Ints = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class BitLayer:
    """A program, and its data.

    Parameters
    ----------
    program : Program
        One segment: loads weights and planes, computes, packs, stores planes.
    inputs, outputs : uint8 array
        Contents of regions INPUT and OUTPUT; the latter must be there at the end.
    """

    program: Program
    inputs: NDArray[np.uint8]
    outputs: NDArray[np.uint8]


def bit_layer(shape: BitShape) -> BitLayer:
    """Return a layer of random codes and weights."""
    rng, channels = np.random.default_rng(1), shape.channels
    codes = rng.integers(0, 1 << shape.bits, (channels, shape.size, shape.size))
    kernel = (channels, channels, KERNEL, KERNEL)
    weights = rng.integers(0, 1 << shape.weight_bits, kernel)
    sums = _sums(shape, codes, weights)
    if shape.bits == 1:
        shift, results = 0, (sums >= 0).astype(int)
    else:  # the upper bits
        shift = max(0, int(sums.max()).bit_length() - shape.bits)
        results = np.clip(sums >> shift, 0, (1 << shape.bits) - 1)
    lanes = np.zeros(channels, np.int64)
    parameters = pack_parameters(lanes, lanes + shift, lanes + (shape.bits == 1), shape.config)
    tiles = [pack_bit_weights(bits, shape.config) for bits in _planes(weights, shape.weight_bits)]
    constants = parameters.tobytes() + np.stack(tiles, axis=1).tobytes()
    return BitLayer(
        program=_program(shape, constants, parameters.size),
        inputs=pack_planes(_planes(codes, shape.bits), shape.config).ravel(),
        outputs=pack_planes(_planes(results, shape.bits), shape.config).ravel(),
    )


def checked_cycles(layer: BitLayer) -> int:
    """Return the cycles of a layer from start to done.

    Raises
    ------
    BenchmarkError
        What the program leaves in memory is not the layer's result.
    """
    (segment,) = layer.program.segments
    regions = make_regions(layer.program)
    regions[1][:] = layer.inputs
    run_segment(layer.program, segment, regions, trace=False)
    wrong = int(np.count_nonzero(regions[2] != layer.outputs))
    if wrong:
        raise BenchmarkError(f"{wrong:,} bytes of {layer.program.name} differ from the layer's")
    cycles = run_cycles(layer.program, segment).cycles
    assert cycles is not None
    return cycles


def _planes(codes: _Ints, bits: int) -> NDArray[np.uint8]:
    """Return the planes of codes, the lowest first."""
    return np.stack([codes >> n & 1 for n in range(bits)]).astype(np.uint8)


def _sums(shape: BitShape, codes: _Ints, weights: _Ints) -> _Ints:
    """Return the convolution ``(channels, rows, columns)`` of what codes and weights mean."""
    sign = 1 << (shape.weight_bits - 1)
    meant = 2 * weights - 1 if shape.bipolar_weights else (weights ^ sign) - sign
    values = 2 * codes - 1 if shape.bipolar_inputs else codes
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), (1, 2))
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(-1, shape.size**2)
    # Far below 2**53, and so exact.
    sums = meant.reshape(shape.channels, -1).astype(float) @ columns.astype(float)
    exact: _Ints = sums.astype(np.int64).reshape(shape.channels, shape.size, shape.size)
    return exact


def _program(shape: BitShape, constants: bytes, weights_at: int) -> Program:
    """Return the program, with nothing that says what its instructions are for."""
    instructions = bit_instructions(shape, weights_at)
    planes = shape.bits * shape.plane_words * shape.config.word_bytes
    count = len(instructions)
    return Program(
        name=f"w{shape.weight_bits}a{shape.bits}",
        config=shape.config,
        code=b"".join(map(encode, instructions)),
        constants=constants,
        region_bytes=(len(constants), planes, planes, 0),
        places=(),
        inputs=(),
        outputs=(),
        steps=(Segment(first=0, count=count, inputs=(), outputs=()),),
        layers=(),
        layer_of=np.full(count, -1, np.int32),
        tensors=(),
        tiles=np.zeros((0, 7), np.int32),
    )
