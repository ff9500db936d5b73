"""Cycles beside SCALE-Sim's: what is measured, and what the command prints."""

import json
import mmap
import sys
from dataclasses import replace

import pytest

from benchmarks import scalesim, scalesim_compare
from benchmarks.command import BenchmarkError
from benchmarks.model_cost import ModelCost, measure_model
from benchmarks.peak import peak_bytes
from benchmarks.scalesim_peer import run_peer, smallest
from benchmarks.topologies import graph_of, parse_topology
from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

LIST = "heading\nA,12,12,3,3,16,16,1,\nB,6,6,1,1,16,32,1,\nC,12,12,3,3,16,16,1,\n"
LAYERS = parse_topology(LIST, "list.csv")
TINY = load_config("tiny")


def cycles_of(program, memory):
    runs = [run_segment(program, segment, memory=memory) for segment in program.segments]
    return sum(found.cycles for found in runs)


def in_process(program, memory):
    cycles = cycles_of(program, memory)
    return ModelCost(cycles=cycles, seconds=1.0, wall_seconds=1.0, peak_bytes=1 << 20)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Lay the small list where ResNet-50's belongs, and keep the model in this process."""
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "Resnet50.csv").write_text(LIST)
    monkeypatch.setenv("SHIFTLOOM_DATA", str(tmp_path))
    monkeypatch.setattr(scalesim_compare, "measure_model", in_process)


def test_cost_is_that_of_a_process_of_its_own():
    program = compile_graph(graph_of("list", LAYERS), TINY)
    ballast = bytearray(1 << 28)
    ballast[:: 1 << 12] = bytes([1]) * (1 << 16)
    cost = measure_model(program, Memory(latency=7))
    assert cost.cycles == cycles_of(program, Memory(latency=7)) != cycles_of(program, Memory())
    assert cost.seconds > 0
    assert 1 << 24 < cost.peak_bytes < len(ballast)


def test_memory_that_was_never_touched_does_not_count():
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, 1 << 36, flags=flags, prot=mmap.PROT_READ):
        assert peak_bytes() < 1 << 36


def test_a_program_that_cannot_run_is_named():
    program = compile_graph(graph_of("list", LAYERS), TINY)
    (segment,) = program.segments
    cut = replace(program, steps=(replace(segment, count=segment.count - 1),))
    with pytest.raises(BenchmarkError, match="the cycle model failed"):
        measure_model(cut, Memory())


def test_every_machine_is_measured(monkeypatch):
    monkeypatch.setattr(scalesim_compare, "measure_model", in_process)
    found = scalesim_compare.compare("list", LAYERS, TINY)
    assert list(found.ours) == list(scalesim_compare.MACHINES)
    standard, ideal, wide = (cost.cycles for cost in found.ours.values())
    assert standard > ideal != wide
    size = TINY.rows
    assert found.peer == {d: sum(entry.cycles(d, size) for entry in LAYERS) for d in ("ws", "os")}
    assert found.utilization(found.macs // size**2) == 1
    assert found.utilization(ideal) < 1


def test_a_program_with_less_work_is_not_compared(monkeypatch):
    shorter = graph_of("list", LAYERS[1:])
    monkeypatch.setattr(scalesim_compare, "graph_of", lambda *_, **__: shorter)
    with pytest.raises(BenchmarkError, match=r"list: 248,832 .* instead of 479,232"):
        scalesim_compare.compare("list", LAYERS, TINY)


def test_arrays_that_are_not_square_are_refused():
    with pytest.raises(BenchmarkError, match="must be square"):
        scalesim_compare.compare("list", LAYERS, load_config("odd"))


def test_the_command_prints_goals(data, capsys):
    assert scalesim.main(["--names", "resnet50", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [goal["met"] for goal in found["goals"]] == [False, True, True]
    assert found["peer"] == []
    assert scalesim.main(["--names", "resnet50"]) == 1
    printed = capsys.readouterr().out
    assert f"{found['lists'][0]['peer']['os']:,}" in printed
    assert "closed form alone" in printed
    assert "MISSED" in printed


def test_only_resnet50_has_goals(monkeypatch):
    monkeypatch.setattr(scalesim_compare, "measure_model", in_process)
    assert scalesim.goals_of([scalesim_compare.compare("list", LAYERS, TINY)]) == []


def test_the_smallest_layers_are_chosen_once_each():
    assert [entry.name for entry in smallest(LAYERS, 3, 16)] == ["B", "C"]
    assert [entry.name for entry in smallest(LAYERS, 1, 16)] == ["B"]


def peer(tmp_path, answer):
    """Return a program that answers as SCALE-Sim's Python would."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/request\necho '{json.dumps(answer)}'\n")
    script.chmod(0o755)
    return script


def test_the_peer_is_held_against_the_closed_form(tmp_path):
    cycles = [entry.cycles("os", 16) for entry in LAYERS]
    answer = {"version": "1.2", "cycles": cycles, "seconds": 2.0, "peak_bytes": 5}
    found = run_peer(peer(tmp_path, answer), LAYERS, "os", 16)
    assert found.cycles_per_second == sum(cycles) / 2
    request = json.loads((tmp_path / "request").read_text())
    assert request["layers"][1] == ["B", 6, 6, 1, 1, 16, 32, 1]
    assert (request["dataflow"], request["size"]) == ("os", 16)
    answer["cycles"][1] += 1
    with pytest.raises(BenchmarkError, match=r"B, os: SCALE-Sim reports \d+ cycles, the closed"):
        run_peer(peer(tmp_path, answer), LAYERS, "os", 16)


@pytest.mark.parametrize(
    ("python", "message"),
    [(sys.executable, "No module named 'scalesim'"), ("/no/such/python", "cannot be run")],
)
def test_a_python_without_the_peer_is_named(python, message):
    with pytest.raises(BenchmarkError, match=message):
        run_peer(python, LAYERS, "ws", 16)
