"""Whole networks take as many cycles, and each instruction its cycles, as on RTL."""

import time

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from shiftloom.quant.quantize import quantize_model
from shiftloom.sim.cycle.engine import run_segment
from tests.cycle.equality import LATENCIES, assert_equal
from tests.support.data import data_path
from tests.support.graphs import random_graph
from tests.support.networks import NETWORKS, quantized_network


@pytest.mark.rtl
def test_random_networks(engine_of):
    config, refused = load_config("tiny"), 0
    for seed in range(90):
        try:
            program = compile_graph(random_graph(seed, 1 + seed % 6), config)
        except CompileError:
            refused += 1
            continue
        assert_equal(engine_of(config), program, latency=LATENCIES[seed % 3])
    assert refused < 90 // 5


@pytest.mark.rtl
@pytest.mark.data
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_tiny(engine_of, name):
    config = load_config("tiny")
    program = compile_graph(quantized_network(name, 1)[0], config)
    assert_equal(engine_of(config), program)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::shiftloom.quant.errors.QuantizationWarning")
@pytest.mark.parametrize(("compiled", "most"), [(False, 5), (True, 1)])
def test_resnet50_takes_seconds(compiled, most):
    model = data_path("onnx_node_tests", "light", "light_resnet50.onnx")
    program = compile_graph(quantize_model(model), load_config("base"))
    (segment,) = program.segments
    before = time.process_time()
    run = run_segment(program, segment, compiled=compiled)
    assert time.process_time() - before < most
    assert run.counters["MAC_CYCLES"] / run.cycles > 0.9
