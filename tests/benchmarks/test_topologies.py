"""SCALE-Sim's lists of layers: reading, its closed form, and the networks made of them."""

import numpy as np
import pytest

from benchmarks.topologies import Layer, TopologyError, graph_of, parse_topology
from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.engines import make_runner
from shiftloom.flow.execute import execute
from shiftloom.isa.config import load_config
from shiftloom.quant import golden

HEADING = "Layer name, IFMAP Height, IFMAP Width, ...\n"
SMALL = HEADING + "A, 7, 8, 3, 2, 5, 6, 2,\n,,,,,,,,\nB,6,6,1,1,4,3,2,,,110\nC, 5,5,3,3,4, 1, 1,\n"


def layer(size, kernel, channels, filters, stride):
    return Layer(
        name="layer",
        height=size,
        width=size,
        kernel=(kernel, kernel),
        channels=channels,
        filters=filters,
        stride=stride,
    )


@pytest.mark.parametrize(
    ("shape", "ws", "os"),  # as SCALE-Sim 3.0.0 reports them for a 16x16 array
    [
        ((14, 3, 32, 40, 1), 10_259, 8_585),
        ((28, 1, 16, 8, 2), 270, 689),
        ((1, 1, 512, 100, 1), 10_527, 3_793),
    ],
)
def test_closed_form_is_what_scale_sim_reports(shape, ws, os):
    assert layer(*shape).cycles("ws", 16) == ws
    assert layer(*shape).cycles("os", 16) == os


def test_lists_are_read_whatever_stands_behind_the_numbers():
    first, second, third = parse_topology(SMALL, "small.csv")
    assert (first.name, first.height, first.width, first.kernel) == ("A", 7, 8, (3, 2))
    assert (first.channels, first.filters, first.stride) == (5, 6, 2)
    assert first.size == (3, 4)
    assert first.macs == 3 * 4 * 6 * 3 * 2 * 5
    assert second.size == (4, 4)  # rounded up: the last pixel lies outside the input
    assert [entry.depthwise for entry in (first, second, third)] == [False, False, True]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A, 7, 8, 3, x, 5, 6, 2", "list.csv, line 2: invalid literal"),
        ("A, 7, 8, 3", "list.csv, line 2: needs a name and 7 numbers"),
        ("A, 7, 8, 3, 2, 0, 6, 2", "list.csv, line 2: needs a name and 7 numbers above 0"),
        ("A, 2, 8, 3, 2, 5, 6, 2", "list.csv, line 2: the kernel is larger"),
        ("", "list.csv: no layers"),
    ],
)
def test_what_is_no_list_is_refused(line, message):
    with pytest.raises(TopologyError, match=message):
        parse_topology(HEADING + line, "list.csv")


@pytest.mark.parametrize("depthwise", [False, True])
def test_programs_do_the_work_of_the_list_and_compute_right(depthwise):
    layers = parse_topology(SMALL, "small.csv")
    graph, config = graph_of("small", layers, depthwise=depthwise), load_config("tiny")
    program = compile_graph(graph, config)
    assert sum(entry.macs for entry in program.layers) == sum(entry.macs for entry in layers)
    assert [node.padding for node in graph.nodes] == [(0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 0, 0)]
    sizes = [graph.tensors[name].shape for name in graph.outputs]
    filters = [6, 3, 4 if depthwise else 1]
    assert sizes == [(n, *entry.size) for n, entry in zip(filters, layers, strict=True)]
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(-128, 128, graph.tensors[name].shape) for name in graph.inputs}
    found = execute(program, graph, codes, make_runner("golden", config)).outputs
    wanted = golden.run(graph, {name: values[None] for name, values in codes.items()})
    for name in graph.outputs:
        assert np.array_equal(found[name], wanted[name][0])
