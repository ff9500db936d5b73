"""Real networks on all levels: golden network, program by definition, RTL."""

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from tests.support.levels import check_rtl
from tests.support.networks import NETWORKS, quantized_network

pytestmark = [pytest.mark.rtl, pytest.mark.data]


def verify(name, config, engine, samples):
    graph, inputs = quantized_network(name, samples)
    program = compile_graph(graph, config)
    (source,) = graph.inputs
    codes = golden.encode_input(graph, source, inputs)
    assert len(codes) == samples
    for sample in codes:
        check_rtl(graph, program, {source: sample}, engine)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_tiny(name, engine_of):
    config = load_config("tiny")
    verify(name, config, engine_of(config), 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_an_odd_array(name, engine_of):
    config = load_config("odd")
    verify(name, config, engine_of(config), 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_base(name, engine_of):
    config = load_config("base")
    verify(name, config, engine_of(config), 20)
