"""Values and cycles against the RTL engine: everything compared, every way timed."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import speeds, values_and_cycles
from benchmarks.command import BenchmarkError
from benchmarks.net import Net
from benchmarks.shapes import network, small_resnet18
from benchmarks.subjects import MissingDataError
from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

TINY = load_config("tiny")


def small():
    net = Net("small", (3, 9, 8))
    return net.graph(net.conv(net.conv("image", 8, 3), 5, relu=False))


def measured(engine_of, folder, graph=None):
    program = compile_graph(small(), TINY)
    return speeds.measure_speeds("small", graph or small(), program, engine_of(TINY), folder)


@pytest.mark.rtl
def test_every_way_is_timed(engine_of, tmp_path):
    found = measured(engine_of, tmp_path)
    assert found.outputs == 5 * 9 * 8
    program = compile_graph(small(), TINY)
    assert found.cycles == sum(run_segment(program, s).cycles for s in program.segments)
    assert found.further > found.first > 0
    assert found.first == found.rtl_seconds / found.command_seconds
    parts = found.load_seconds + found.network_seconds + found.model_seconds
    assert parts < 2 * found.command_seconds


@pytest.mark.rtl
def test_other_values_are_named(engine_of, tmp_path):
    graph = small()
    node = graph.nodes[0]
    weight = -node.weight - np.int8(1)
    other = replace(graph, nodes=(replace(node, weight=weight), *graph.nodes[1:]))
    with pytest.raises(BenchmarkError, match="small, simulate: output t2 is not the network's"):
        measured(engine_of, tmp_path, other)


@pytest.mark.rtl
def test_other_cycles_are_named(engine_of, tmp_path, monkeypatch):
    slower = partial(run_segment, memory=Memory(latency=33))
    monkeypatch.setattr(speeds, "run_segment", slower)
    with pytest.raises(BenchmarkError, match=r"small, simulate: .* cycles, .* by the model"):
        measured(engine_of, tmp_path)


@pytest.mark.rtl
def test_the_command_compares_and_prints_goals(engine_of, monkeypatch, capsys):
    def no_data(name):
        raise MissingDataError(name)

    monkeypatch.setattr(values_and_cycles, "trained", no_data)
    monkeypatch.setattr(values_and_cycles, "network", lambda name: small())
    monkeypatch.setattr(values_and_cycles, "small_resnet18", lambda size: small())
    monkeypatch.setattr(values_and_cycles, "build_engine", lambda text: engine_of(TINY))
    monkeypatch.setattr(values_and_cycles, "simulation_text", lambda config, progress: "")
    status = values_and_cycles.main(["--config", "tiny", "--size", "9", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in found["checked"]] == ["resnet18 at 9x9"]
    assert found["checked"][0]["integers"] == (8 + 5) * 9 * 8
    met = [goal["met"] for goal in found["goals"]]
    assert status == (0 if all(met) else 1)


def test_small_resnet18_has_the_weights_of_the_large_one():
    large, other = network("resnet18"), small_resnet18(64)
    assert [n.weight.shape for n in large.nodes if hasattr(n, "weight")] == [
        n.weight.shape for n in other.nodes if hasattr(n, "weight")
    ]
    assert other.tensors["image"].shape == (3, 64, 64)
