"""ResNet-8 on the ULX3S's own accelerator and memory, as compiled Verilog behind a serial line."""

import numpy as np
import pytest

from shiftloom.boards.board import load_board
from shiftloom.boards.system import System, system_verilog
from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.board_engine import BoardEngine
from shiftloom.flow.execute import execute
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from shiftloom.sim.rtl_serial import build_port
from tests.support.networks import quantized_network

pytestmark = [pytest.mark.rtl, pytest.mark.slow, pytest.mark.data]

#: Cycles of a bit on the simulated line: as few as the receiver takes.
_DIVISOR = 4


@pytest.fixture(scope="module")
def engine():
    board, config = load_board("ulx3s"), load_config("ulx3s")
    clock_hz = _DIVISOR * board.baud
    system = System(config, memory_bytes=board.memory_bytes, clock_hz=clock_hz, baud=board.baud)
    return BoardEngine(build_port(system_verilog(system), divisor=_DIVISOR))


def test_resnet8_runs_from_block_memory(engine):
    graph, inputs = quantized_network("resnet8", 2)
    program = compile_graph(graph, load_config("ulx3s"))
    (source,), (name,) = graph.inputs, graph.outputs
    codes = golden.encode_input(graph, source, inputs)
    right = golden.run(graph, {source: codes})[name]
    found = [execute(program, graph, {source: c}, engine.run_segment) for c in codes]
    for execution, values in zip(found, right, strict=True):
        np.testing.assert_array_equal(execution.outputs[name], values)
    (cycles,) = {sum(run.cycles for run in execution.runs) for execution in found}
    print(f"ResNet-8 on ulx3s: {cycles:,} cycles")
    assert cycles < 101_000
