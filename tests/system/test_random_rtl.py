"""Random networks through compiler, golden model and RTL, with a bus that stalls."""

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from tests.compiler.test_random_networks import CRAMPED, sample
from tests.support.graphs import random_chain, random_graph
from tests.support.levels import check_rtl

pytestmark = pytest.mark.rtl


def run(config, engine, seeds, make=random_graph):
    refused = 0
    for seed in seeds:
        graph = make(seed, 1 + seed % 6)
        try:
            program = compile_graph(graph, config)
        except CompileError:
            refused += 1
            continue
        stalls = 0.3 if seed % 3 == 0 else 0.0
        check_rtl(
            graph,
            program,
            sample(graph, seed),
            engine,
            stalls=stalls,
            seed=seed,
            latency=1 + seed % 50,
        )
    assert refused < len(seeds) // 5


@pytest.mark.parametrize("config", [load_config("tiny"), CRAMPED], ids=lambda c: c.name)
def test_random_networks(config, engine_of):
    run(config, engine_of(config), range(100))


def test_random_chains_with_little_memory(engine_of):
    run(CRAMPED, engine_of(CRAMPED), range(1, 100, 4), random_chain)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["odd", "small", "base"])
def test_random_networks_on_larger_arrays(config, engine_of):
    config = load_config(config)
    run(config, engine_of(config), range(1000, 1200))
