"""Random networks through the compiler: every tensor equals the golden network's."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import Config, load_config
from tests.support.graphs import random_codes, random_graph
from tests.support.levels import check_program

#: So little memory that most maps move in bands and weights come in pieces.
CRAMPED = Config(
    name="cramped",
    rows=4,
    columns=4,
    bus_bytes=8,
    activation_bytes=1024,
    weight_bytes=1024,
    parameter_bytes=1024,
    accumulator_pixels=8,
    activation_banks=2,
    burst_beats=16,
)


def sample(graph, seed):
    return {name: codes[0] for name, codes in random_codes(graph, seed).items()}


@pytest.mark.parametrize("config", ["tiny", "odd", "base"])
@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 20), nodes=st.integers(1, 6))
@example(seed=922, nodes=5)  # a part of a concatenation that is itself a slice
@example(seed=7, nodes=2)  # a window with leading zero taps in two groups
def test_program_equals_golden_network(config, seed, nodes):
    graph = random_graph(seed, nodes)
    program = compile_graph(graph, load_config(config))
    check_program(graph, program, sample(graph, seed))


@settings(max_examples=100)
@given(seed=st.integers(0, 1 << 20), nodes=st.integers(1, 6))
@example(seed=15, nodes=4)  # a spilled map whose first block is ready before the others
def test_program_equals_golden_network_in_bands(seed, nodes):
    graph = random_graph(seed, nodes)
    try:
        program = compile_graph(graph, CRAMPED)
    except CompileError as error:
        assert "raise" in str(error)  # names what would help
        return
    check_program(graph, program, sample(graph, seed))
