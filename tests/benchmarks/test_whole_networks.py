"""Networks on the RTL engine, every integer and cycle compared."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import whole_networks
from benchmarks.command import BenchmarkError
from benchmarks.net import Net
from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

pytestmark = pytest.mark.rtl
TINY = load_config("tiny")


@pytest.fixture(scope="module")
def graph():
    net = Net("small", (3, 12, 9))
    x = net.conv(net.conv("image", 8, 3), 8, 3, 2, depthwise=True)
    return net.graph(net.conv(x, 5, relu=False))


def test_everything_is_counted(graph, engine_of):
    program = compile_graph(graph, TINY)
    found = whole_networks.check_network("small", graph, program, engine_of(TINY))
    assert found.integers == 8 * 12 * 9 + 8 * 6 * 5 + 5 * 6 * 5
    assert found.tensors == 3
    assert found.work > len(program.layers)
    assert 0 < found.array_utilization < 1
    assert min(found.rtl_seconds, found.golden_seconds, found.other_seconds) > 0
    assert found.seconds > found.rtl_seconds + found.golden_seconds


def test_a_wrong_weight_is_named(graph, engine_of):
    program = compile_graph(graph, TINY)
    node = graph.nodes[-1]
    weight = node.weight.copy()
    weight[1, 2] = -weight[1, 2] - np.int8(1)
    other = replace(graph, nodes=(*graph.nodes[:-1], replace(node, weight=weight)))
    with pytest.raises(BenchmarkError, match=rf"small: {node.output}\[1, 0, \d\] is -?\d+ instead"):
        whole_networks.check_network("small", other, program, engine_of(TINY))


def test_a_wrong_cycle_is_named(graph, engine_of, monkeypatch):
    program = compile_graph(graph, TINY)
    slower = partial(run_segment, memory=Memory(latency=33))
    monkeypatch.setattr(whole_networks, "run_segment", slower)
    with pytest.raises(BenchmarkError, match=r"small: .* at \d+ instead of \d+"):
        whole_networks.check_network("small", graph, program, engine_of(TINY))
