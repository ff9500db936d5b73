"""Timelines that Perfetto opens."""

import dataclasses
import json

import pytest

from shiftloom.isa.instructions import ENGINES, Engine
from shiftloom.sim.chrome_trace import chrome_trace
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.result import Run
from tests.cycle.programs import random_program
from tests.sim.cases import NARROW, TINY, first_segment, relay


def traced(program):
    run = run_segment(program, first_segment(program))
    return run, json.loads(json.dumps(chrome_trace(program, [run])))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_every_piece_of_work_is_a_slice(config, seed):
    program = random_program(config, seed)
    run, trace = traced(program)
    slices = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] != "fetch"]
    for engine in ENGINES:
        own = [event for event in slices if event["tid"] == engine + 1]
        assert [event["args"]["entered"] for event in own] == run.starts[engine].tolist()
        assert [event["ts"] + event["dur"] for event in own] == run.dones[engine].tolist()
        assert all(event["args"]["waited for"] for event in own)
    opcodes = {
        i: program.instructions[i].opcode.name.lower() for i in range(len(program.instructions))
    }
    assert all(opcodes[e["args"]["instruction"]] == e["cat"] for e in slices)


@pytest.mark.parametrize("seed", range(6))
def test_slices_of_a_track_do_not_overlap(seed):
    _, trace = traced(random_program(TINY, seed))
    ends = {}
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            assert event["ts"] >= ends.get(event["tid"], 0)
            assert event["dur"] >= 0
            ends[event["tid"]] = event["ts"] + event["dur"]
    assert len(ends) == len(ENGINES) + 1


@pytest.mark.parametrize("seed", range(6))
def test_arrows_go_from_slice_to_slice_and_forward(seed):
    _, trace = traced(random_program(NARROW, seed))
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    begins = {e["id"]: e for e in trace["traceEvents"] if e["ph"] == "s"}
    ends = [event for event in trace["traceEvents"] if event["ph"] == "f"]
    assert len(begins) == len(ends) > 3
    for end in ends:
        begin = begins[end["id"]]
        assert begin["ts"] < end["ts"]
        for arrow in (begin, end):
            inside = [
                e
                for e in slices
                if e["tid"] == arrow["tid"] and e["ts"] <= arrow["ts"] <= e["ts"] + e["dur"]
            ]
            assert inside


def test_names_and_segments():
    program = relay(TINY)
    run = run_segment(program, first_segment(program))
    twice = dataclasses.replace(program, steps=program.steps * 2)
    trace = chrome_trace(twice, [run, run])
    slices = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] != "fetch"]
    half = len(slices) // 2
    assert [e["ts"] + run.cycles for e in slices[:half]] == [e["ts"] for e in slices[half:]]
    assert trace["otherData"]["cycles"] == 2 * run.cycles
    names = {e["name"] for e in slices if e["cat"] == "vector"}
    assert names == {"first #5", "second #7"}
    threads = [e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"]
    assert threads == ["fetch", "load", "mac", "vector", "store"]
    vector = next(e for e in slices if e["cat"] == "vector")
    assert vector["args"]["waited for"] == "LOAD of instruction 2 to complete"
    assert vector["args"]["cycles waited"] == run.waited[Engine.VECTOR][0]
    fetches = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] == "fetch"]
    assert sum(e["args"]["beats"] for e in fetches) == 2 * run.counters["FETCH_BEATS"]
    assert all(e["dur"] == e["args"]["beats"] for e in fetches)


def test_engines_without_reasons_and_without_time():
    program = relay(TINY)
    run = run_segment(program, first_segment(program))
    values = {f.name: getattr(run, f.name) for f in dataclasses.fields(Run)}
    trace = chrome_trace(program, [Run(**values)])
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(slices) == sum(len(run.starts[engine]) for engine in Engine)
    assert not any("waited for" in event["args"] for event in slices)
    with pytest.raises(ValueError, match="does not know time"):
        chrome_trace(program, [Run(**values | {"starts": None})])
