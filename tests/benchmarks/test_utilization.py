"""Counts of a run, and the table of utilization."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import utilization
from benchmarks.command import BenchmarkError
from benchmarks.count import count_network, count_run
from benchmarks.subjects import convolution
from shiftloom.flow.compile import compile
from shiftloom.flow.layers import LayerTime, Times
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.program import Layer

TINY = load_config("tiny")  # 4x4, words of 4 bytes on a bus of 8, three taps
COUNTERS = {
    "CYCLES": 1000,
    "MAC_CYCLES": 700,
    "VECTOR_CYCLES": 90,
    "READ_BEATS": 17 + 16,
    "WRITE_BEATS": 3,
    "FETCH_BEATS": 16,
}


def layer(name, engine, macs):
    return Layer(name=name, operator="Conv", engine=engine, output=name, macs=macs)


def made_up():
    """Return a program and its times: 8,000 products on the array, 2,000 beside it."""
    layers = (layer("array", "array", 8000), layer("depthwise", "vector", 2000))
    instructions = (
        Instruction(Opcode.LOAD, {"words": 5, "runs": 4}),  # 20 bytes are 3 beats, four times
        Instruction(Opcode.LOAD, {"words": 9, "runs": 1}),
        Instruction(Opcode.STORE, {"words": 6, "runs": 1}),
        Instruction(Opcode.END, {}),
    )
    program = SimpleNamespace(
        config=TINY,
        layers=layers,
        instructions=instructions,
        layer_of=SimpleNamespace(tolist=lambda: [0, 1, 1, -1]),
    )
    spent = {"array": 750, "depthwise": 200}
    rows = [
        LayerTime(
            name=x.name,
            operator=x.operator,
            engine=x.engine,
            macs=x.macs,
            cycles=spent[x.name],
            utilization=None,
        )
        for x in layers
    ]
    times = Times(
        layers=tuple(rows),
        rest=50,
        cycles=1000,
        array_utilization=0.0,
        multiplier_utilization=0.0,
    )
    return program, times


def test_shares_of_known_numbers():
    count = count_run("made up", *made_up(), COUNTERS, 7)
    assert count.array_utilization == 8000 / (16 * 1000)
    assert count.network_utilization == 10_000 / (16 * 1000)
    assert count.multiplier_utilization == 10_000 / ((16 + 4 * 3) * 1000)
    assert count.layers[0].utilization == 8000 / (16 * 750)
    assert count.layers[1].utilization is None
    assert sum(layer.cycles for layer in count.layers) == count.cycles == 1000


def test_bytes_of_known_transfers():
    count = count_run("made up", *made_up(), COUNTERS, 7)
    assert [layer.read_bytes for layer in count.layers] == [4 * 3 * 8, 5 * 8, 0]
    assert [layer.written_bytes for layer in count.layers] == [0, 3 * 8, 0]
    assert [layer.instruction_bytes for layer in count.layers] == [32, 64, 32]
    assert (count.read_bytes, count.written_bytes, count.instruction_bytes) == (136, 24, 128)


@pytest.mark.parametrize("name", ["READ_BEATS", "WRITE_BEATS", "CYCLES"])
def test_counters_that_contradict_the_layers_are_refused(name):
    with pytest.raises(BenchmarkError, match="the machine counts"):
        count_run("made up", *made_up(), {**COUNTERS, name: COUNTERS[name] + 1}, 7)


def test_goals_are_judged_by_the_array_alone():
    count = count_run("dscnn", *made_up(), COUNTERS, 7)
    goals = {goal.what: goal for goal in utilization.goals_of([count])}
    found = goals["array utilization, DS-CNN"]
    assert (found.measured, found.met) == (0.5, True)
    assert goals["cycles, ResNet-8"].met is None


@pytest.fixture
def subject():
    return convolution(10, 6)


@pytest.mark.rtl
def test_counts_of_a_run_on_rtl(subject):
    count = count_network("small", compile(subject.graph, TINY), subject.inputs)
    assert count.integers == 10 * 6 * 6
    assert count.macs == count.array_macs == 10 * 10 * 9 * 36
    assert sum(layer.cycles for layer in count.layers) == count.cycles
    assert sum(layer.instruction_bytes for layer in count.layers) == count.instruction_bytes
    assert 0.1 < count.array_utilization < count.mac_cycles / count.cycles < 1
    assert count.multiplier_utilization < count.network_utilization


@pytest.mark.rtl
def test_the_command_prints_json_and_tables(subject, monkeypatch, capsys):
    monkeypatch.setattr(utilization, "convolution", lambda channels, size: subject)
    monkeypatch.setenv("SHIFTLOOM_DATA", "nowhere")
    words = ["--config", "tiny", "--networks", "layer256", "resnet8"]
    assert utilization.main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["networks"][0]["cycles"] == sum(x["cycles"] for x in data["networks"][0]["layers"])
    assert "SHIFTLOOM_DATA" in data["skipped"]["resnet8"]
    assert data["goals"] == []
    assert utilization.main(words) == 0
    printed = capsys.readouterr().out
    assert f"{data['networks'][0]['cycles']:,}" in printed
    assert "skipped resnet8" in printed


def test_bad_options_are_refused_in_a_sentence(capsys):
    assert utilization.main(["--networks", "alexnet"]) == 2
    assert utilization.main(["--config", "huge"]) == 2
    assert "Traceback" not in capsys.readouterr().err
