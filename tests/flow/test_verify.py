"""Verification finds every difference, and says where it is; a stand-in plays the RTL engine."""

import dataclasses
import json

import numpy as np
import pytest

from shiftloom.flow import verify as module
from shiftloom.flow.difference import compare_tensors
from shiftloom.flow.layers import layer_times, short_name
from shiftloom.flow.verify import verify
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Engine, Instruction, Opcode, encode
from shiftloom.isa.program import Layer, Program, Segment, load_program
from shiftloom.sim.cycle.engine import run_segment as cycles_of
from shiftloom.sim.golden import run_segment
from shiftloom.sim.result import Run


def stand_in(damage=None, delay=None):
    """Return an engine that may damage what it writes, or change its times."""

    def run(program, segment, regions):
        result, timed = run_segment(program, segment, regions), cycles_of(program, segment)
        data = result.data.copy()
        if damage:
            damage(data, regions)
        times = {name: getattr(timed, name) for name in ("cycles", "counters", "starts", "dones")}
        times["dones"] = {engine: stamps.copy() for engine, stamps in timed.dones.items()}
        if delay:
            delay(times)
        return dataclasses.replace(result, engine="rtl", data=data, **times)

    return run


@pytest.fixture
def rtl(monkeypatch):
    """Return a function that puts an engine in the place of RTL."""

    def install(engine):
        engines = {"golden": run_segment, "rtl": engine}
        monkeypatch.setattr(module, "make_runner", lambda name, *_: engines[name])

    return install


def test_equal(files, rtl, tmp_path):
    rtl(stand_in())
    found = verify(files / "model.program", inputs=files / "images.npy", report=tmp_path / "report")
    assert found.equal
    assert (found.samples, found.random, found.tensors) == (6, False, 2)
    assert found.integers == 6 * 8 * 8 + 5 * 3 * 3
    program = load_program(files / "model.program")
    assert found.times.cycles == cycles_of(program, program.segments[0]).cycles
    assert f"; {found.times.cycles:,} cycles, as the cycle model says" in found.verdict()
    assert found.outputs["t2"].shape == (6, 5, 3, 3)
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written == json.loads(json.dumps(found.to_dict()))
    page = (tmp_path / "report" / "report.md").read_text()
    assert "equal: 429 integers in 2 feature maps" in page
    assert "| Conv_t0 | conv 3x3 | array | 10,368 |" in page
    rows = (tmp_path / "report" / "layers.csv").read_text().splitlines()
    assert len(rows) == 1 + 2


def test_equal_on_the_command_line(files, rtl, shiftloom):
    rtl(stand_in())
    status, out, _ = shiftloom("verify", files / "model.q.onnx", "--config", "tiny")
    assert status == 0
    assert "2 random samples" in out
    status, out, _ = shiftloom("verify", files / "model.program", "--samples", "1", "--json")
    assert status == 0
    assert json.loads(out)["equal"] is True


def test_different_writes(files, rtl, shiftloom, tmp_path):
    def damage(data, regions):
        data[70, 1] ^= 1

    rtl(stand_in(damage))
    words = ("--report", tmp_path / "report")
    status, out, err = shiftloom("verify", files / "model.program", *words)
    assert (status, out) == (1, "")
    for part in ("not equal", "sample 0", "Conv_t0", "channel", "golden program", "rtl"):
        assert part in err
    assert "not equal" in (tmp_path / "report" / "report.md").read_text()


def test_different_memory(files, rtl):
    def damage(data, regions):
        regions[2][0] ^= 1

    rtl(stand_in(damage))
    found = verify(files / "model.program").difference
    assert found.levels == ("golden network", "rtl")
    assert (found.layer, found.tensor, found.count) == ("Conv_t2", "t2", 1)
    assert "in memory, element channel 0, row 0, column 0" in found.place
    assert abs(found.expected - found.actual) == 1


def test_different_time(files, rtl, shiftloom):
    def delay(times):
        times["dones"][Engine.VECTOR][1] += 1

    rtl(stand_in(delay=delay))
    found = verify(files / "model.program")
    assert not found.equal
    assert (found.difference, found.samples) == (None, 1)
    assert "VECTOR work 1, completes at" in found.time_difference
    assert found.to_dict()["time_difference"] == found.time_difference
    status, out, err = shiftloom("verify", files / "model.program")
    assert (status, out) == (1, "")
    assert "all integers are, but not time: in the generated Verilog, instruction" in err
    assert "as the cycle model says" in err


def test_different_total(files, rtl):
    def delay(times):
        times["cycles"] += 1

    rtl(stand_in(delay=delay))
    assert "all work agrees, but the run takes" in verify(files / "model.program").time_difference


def test_different_program(files, rtl):
    """A network that is not the program's own: what the compiler made is wrong."""
    rtl(stand_in())
    program = load_program(files / "model.program")
    constants = bytearray(program.constants)
    constants[0] ^= 64
    found = verify(dataclasses.replace(program, constants=bytes(constants)))
    assert not found.equal
    assert found.difference.levels == ("golden network", "golden program")
    assert "tile of instruction" in found.difference.place


def test_difference_is_the_first_of_the_network(files):
    program = load_program(files / "model.program")
    right = {"t1": np.zeros((6, 8, 8)), "t2": np.zeros((5, 3, 3))}
    wrong = {name: values.copy() for name, values in right.items()}
    wrong["t2"][0, 0, 0] = 1
    wrong["t1"][5, 7, 2:4] = -2
    found = compare_tensors(program, ("a", "b"), right, wrong).at(3)
    assert (found.sample, found.tensor, found.count) == (3, "t1", 2)
    assert "channel block 1" in found.place
    assert "element channel 5, row 7, column 2" in found.place
    assert (found.expected, found.actual) == (0, -2)
    assert compare_tensors(program, ("a", "b"), right, right) is None


def test_names_in_tables_are_short():
    assert short_name("conv1") == "conv1"
    assert short_name("model/activation/Relu;model/batch_norm/Fused;model/conv") == (
        "model/activation/Relu"
    )
    long = short_name("a" * 30 + "/" + "b" * 30)
    assert (len(long), long[0], long[-1]) == (36, "…", "b")


def small_program():
    """Return a program of three layers: array, vector unit, array."""
    codes = [Opcode.CONFIG, Opcode.LOAD, Opcode.MAC, Opcode.VECTOR, Opcode.MAC, Opcode.END]
    instructions = b"".join(encode(Instruction(code, {})) for code in codes)
    engines = {"a": "array", "b": "vector", "c": "array"}
    return Program(
        name="small",
        config=load_config("tiny"),
        code=instructions,
        constants=b"",
        region_bytes=(0, 0, 0, 0),
        places=(),
        inputs=(),
        outputs=(),
        steps=(Segment(first=0, count=6, inputs=(), outputs=()),),
        layers=tuple(
            Layer(name=n, operator="", engine=e, output=n, macs=160) for n, e in engines.items()
        ),
        layer_of=np.array([-1, 0, 0, 1, 2, -1], np.int32),
        tensors=(),
        tiles=np.zeros((0, 7), np.int32),
    )


@pytest.mark.parametrize(
    ("array", "vector", "cycles"),
    [
        # One after the other, with gaps: waiting belongs to who comes next.
        (([10, 60], [30, 80]), ([30], [50]), (30, 20, 30)),
        # The array hides a part of what the vector unit does.
        (([10, 40], [30, 80]), ([20], [50]), (30, 10, 40)),
        # Work enters the pipeline before earlier work has left it.
        (([10, 11], [30, 80]), ([50], [70]), (30, 0, 50)),
    ],
)
def test_cycles_of_layers(array, vector, cycles):
    stamps = {
        name: {Engine.MAC: np.array(array[n]), Engine.VECTOR: np.array(vector[n])}
        for n, name in enumerate(("starts", "dones"))
    }
    nothing = np.zeros(0, np.int32)
    run = Run(
        engine="rtl",
        addresses=nothing,
        data=np.zeros((0, 4), np.uint8),
        counts=nothing,
        cycles=100,
        **stamps,
    )
    times = layer_times(small_program(), [run])
    assert tuple(layer.cycles for layer in times.layers) == cycles
    assert (times.rest, times.cycles) == (20, 100)
    assert times.layers[0].utilization == 160 / (16 * cycles[0])
    assert times.layers[1].utilization is None
    assert times.array_utilization == 480 / (16 * 100)
    assert times.multiplier_utilization == 480 / (28 * 100)
