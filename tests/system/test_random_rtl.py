"""Random networks through compiler, golden model and RTL, with a bus that stalls."""

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.engine import run_segment as run_cycles
from tests.compiler.test_random_networks import CRAMPED, sample
from tests.sim.cases import DEEP
from tests.support.bit_graphs import prefer_bits, wide_bit_graph
from tests.support.bit_graphs import random_bit_graph as bits
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


@pytest.mark.parametrize("config", [load_config("tiny"), CRAMPED, DEEP], ids=lambda c: c.name)
def test_random_networks(config, engine_of):
    run(config, engine_of(config), range(60 if config is DEEP else 100))


def test_random_chains_with_little_memory(engine_of):
    run(CRAMPED, engine_of(CRAMPED), range(1, 100, 4), random_chain)


def test_random_networks_of_few_bits(engine_of):
    run(load_config("bits"), engine_of(load_config("bits")), range(30), lambda s, _: bits(s))


def check_wide(engine_of, monkeypatch, seeds):
    """Check values and cycles of networks of up to eight bits, all on the bit array."""
    prefer_bits(monkeypatch)
    config = load_config("bits")
    for seed in seeds:
        graph = wide_bit_graph(seed)
        program = compile_graph(graph, config)
        runs = check_rtl(graph, program, sample(graph, seed), engine_of(config))
        for segment, run in zip(program.segments, runs, strict=True):
            assert run.cycles == run_cycles(program, segment).cycles


def test_random_networks_of_up_to_eight_bits(engine_of, monkeypatch):
    check_wide(engine_of, monkeypatch, range(100, 104))


@pytest.mark.slow
def test_many_random_networks_of_up_to_eight_bits(engine_of, monkeypatch):
    check_wide(engine_of, monkeypatch, range(200, 300))


@pytest.mark.slow
@pytest.mark.parametrize("config", ["odd", "small", "base"])
def test_random_networks_on_larger_arrays(config, engine_of):
    config = load_config(config)
    run(config, engine_of(config), range(1000, 1200))
