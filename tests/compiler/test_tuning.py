"""The search for a tuning by what programs cost."""

import pytest

from benchmarks.shapes import network
from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.compiler.tuning import Tuning, search
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.engine import run_segment


def price(tuning):
    """Return a cost with one best tuning, away from the defaults."""
    eighths = {4: 3, 5: 2, 6: 1}[tuning.stream_eighths]
    return 10 * eighths + sum(tuning.vector_cycles) // 100 + tuning.map_parts


def find(make, cost=price):
    seen = []
    return search(make, cost, lambda *step: seen.append(step)), seen


def test_each_number_is_tried_with_the_best_of_those_before():
    best, seen = find(lambda tuning: tuning)
    assert best == Tuning(stream_eighths=6, map_parts=2, vector_cycles=(256, 448))
    assert seen == [(n, 6) for n in range(7)]


def test_of_equal_programs_the_first_is_kept():
    assert find(lambda tuning: tuning, lambda tuning: 7)[0] == Tuning()


def test_what_cannot_be_compiled_is_left_out():
    def make(tuning):
        if tuning.map_parts == 2:
            raise CompileError("too large")
        return tuning

    assert find(make)[0] == Tuning(stream_eighths=6, vector_cycles=(256, 448))


def test_what_cannot_be_compiled_at_all_is_an_error():
    def make(tuning):
        raise CompileError(f"too large for {tuning}")

    with pytest.raises(CompileError, match="too large"):
        find(make)


def test_tuning_changes_cycles():
    graph, config = network("mobilenet_v1_025_96"), load_config("small")

    def cycles(tuning):
        program = compile_graph(graph, config, tuning=tuning)
        return sum(run_segment(program, segment).cycles for segment in program.segments)

    assert cycles(Tuning(vector_cycles=(320, 640))) < cycles(Tuning())
