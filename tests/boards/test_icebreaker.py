"""A convolution on the iCEBreaker's own accelerator and memory, as compiled Verilog."""

import numpy as np
import pytest

from shiftloom.boards.board import load_board
from shiftloom.boards.system import System, system_verilog
from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.board_engine import BoardEngine
from shiftloom.flow.execute import execute
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Engine
from shiftloom.isa.requantize import Requantize
from shiftloom.quant import golden
from shiftloom.quant.graph import Conv
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.rtl_serial import build_port
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes

#: Channels in and out, and rows and columns, of a layer that fills 64 KiB with its program.
INPUTS, OUTPUTS, SIZE = 112, 36, 11

#: Cycles of a bit on the simulated line: as few as the receiver takes.
_DIVISOR = 4


def layer():
    """Return a 3x3 convolution with random weights, its map padded by one."""
    builder = Builder(1)
    source = builder.input((INPUTS, SIZE, SIZE))
    output = builder.tensor((OUTPUTS, SIZE, SIZE))
    low, high = builder.tensors[output].low, builder.tensors[output].high
    weight = builder.generator.integers(-128, 128, (OUTPUTS, INPUTS, 3, 3), np.int8)
    bias = builder.generator.integers(-5000, 5000, OUTPUTS).astype(np.int32)
    limits = {"low": low, "high": high, "out_low": low, "out_high": high}
    builder.nodes.append(
        Conv(
            name="layer",
            inputs=(source,),
            output=output,
            weight=weight,
            weight_exponent=(0,),
            bias=bias,
            mid_bias=np.zeros(OUTPUTS, np.int16),
            requantize=Requantize(shift=(11,), **limits),
            padding=(1, 1, 1, 1),
        )
    )
    return builder.graph([output])


def test_fifteen_of_sixteen_multipliers_are_busy():
    board, program = load_board("icebreaker"), compile_graph(layer(), load_config("icebreaker"))
    (segment,) = program.segments
    found = run_segment(program, segment, memory=Memory(latency=2))
    pixels = SIZE * SIZE * len(found.starts[Engine.MAC]) // 2  # a tile's weights come in two parts
    assert found.counters["MAC_CYCLES"] == pixels * INPUTS // 4 * 9
    assert found.counters["MAC_CYCLES"] * 16 >= 15 * found.cycles
    assert sum(program.region_bytes) + 32 * len(program.instructions) <= board.memory_bytes


@pytest.mark.rtl
@pytest.mark.slow
def test_fifteen_of_sixteen_multipliers_are_busy_on_the_board():
    board, config = load_board("icebreaker"), load_config("icebreaker")
    clock_hz = _DIVISOR * board.baud
    system = System(config, memory_bytes=board.memory_bytes, clock_hz=clock_hz, baud=board.baud)
    engine = BoardEngine(build_port(system_verilog(system), divisor=_DIVISOR))
    graph = layer()
    program, ((source, codes),) = compile_graph(graph, config), random_codes(graph, 1).items()
    (name,) = graph.outputs
    found = execute(program, graph, {source: codes[0]}, engine.run_segment)
    np.testing.assert_array_equal(found.outputs[name], golden.run(graph, {source: codes})[name][0])
    (run,) = found.runs
    busy = run.counters["MAC_CYCLES"]
    print(f"{INPUTS} to {OUTPUTS} channels on {SIZE}x{SIZE}: {busy:,} of {run.cycles:,} cycles")
    assert busy * 16 >= 15 * run.cycles
