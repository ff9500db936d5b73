"""Rates, ratios and goals of the engines' benchmark."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import cocotb_run
from benchmarks.engines_report import Measured, data_of, goals_of, tables_of
from benchmarks.goals import Goal, all_met
from benchmarks.images import GoldenTime, RtlTime, narrowed
from benchmarks.rates import Rate, make_case, rtl_rate
from benchmarks.subjects import convolution
from shiftloom.flow.console import Shown
from shiftloom.flow.engines import simulation_text
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from shiftloom.sim.rtl_engine import build_engine

TINY = load_config("tiny")
FOUND = Measured(
    config="base",
    rates=[
        Rate(engine="RTL engine", pauses=0.0, cycles=9000, seconds=0.03),
        Rate(engine="RTL engine", pauses=0.3, cycles=9900, seconds=0.033),
        Rate(engine="cocotb on verilator", pauses=0.0, cycles=8000, seconds=0.8),
        Rate(engine="cocotb on verilator, tuned", pauses=0.3, cycles=8000, seconds=0.4),
    ],
    images=[RtlTime(network="resnet8", cycles=50_000, seconds=0.5)],
    golden=[
        GoldenTime(
            network="resnet8",
            images=4,
            exact=4,
            fused=3,
            golden_seconds=7e-4,
            onnx_seconds=1e-4,
        )
    ],
    skipped={"cocotb on icarus": "not installed: iverilog"},
)


def test_ratios_compare_equal_pauses():
    assert FOUND.rates[0].cycles_per_second == pytest.approx(300_000)
    ratios = [FOUND.times_faster(rate) for rate in FOUND.rates]
    assert ratios == pytest.approx([1, 1, 30, 15])


def test_goals_of_known_numbers():
    found = {goal.what: goal.met for goal in goals_of(FOUND)}
    assert found == {
        "cycles per second, RTL engine by cocotb on verilator": True,
        "cycles per second, RTL engine by cocotb on verilator, tuned": None,
        "ResNet-8 on the RTL engine once it is built": True,
        "golden by onnxruntime int8, time for an image, ResNet-8": False,
        "golden by onnxruntime int8, time for an image, ResNet-20": None,
    }
    assert not all_met(goals_of(FOUND))


@pytest.mark.parametrize(("least", "met"), [(True, False), (False, True)])
def test_a_goal_is_met_on_its_bound(least, met):
    goal = Goal(what="x", limit=5, least=least)
    assert replace(goal, measured=5).met
    assert replace(goal, measured=4).met is met
    assert goal.met is None


def test_json_and_tables(capsys):
    goals = goals_of(FOUND)
    Shown(json=True).show(data_of(FOUND, goals), *tables_of(FOUND, goals))
    data = json.loads(capsys.readouterr().out)
    assert data["rates"][2]["times_faster"] == pytest.approx(30)
    assert data["golden"][0]["ratio"] == pytest.approx(7)
    assert [goal["met"] for goal in data["goals"]] == [True, None, True, False, None]
    Shown().show(data_of(FOUND, goals), *tables_of(FOUND, goals))
    printed = capsys.readouterr().out
    for text in ("30.0 x", "7.00 x", "MISSED", "not installed: iverilog", "100,000"):
        assert text in printed


def test_narrowed_networks_have_only_bytes():
    graph = convolution(6, 5).graph
    wide = replace(
        graph,
        tensors={**graph.tensors, "y": replace(graph.tensors["y"], bits=16)},
        nodes=(
            replace(
                graph.nodes[0],
                requantize=replace(graph.nodes[0].requantize, out_low=-32768, out_high=32767),
            ),
        ),
    )
    narrow = narrowed(wide)
    codes = {"x": np.random.default_rng(0).integers(-128, 128, (2, 6, 5, 5))}
    expected = np.clip(golden.run(wide, codes)["y"], -128, 127)
    np.testing.assert_array_equal(golden.run(narrow, codes)["y"], expected)


@pytest.mark.rtl
def test_the_program_is_checked_and_timed_on_rtl(tmp_path):
    case = make_case(convolution(6, 5), TINY)
    rate = rtl_rate(build_engine(simulation_text(TINY)), case)
    assert rate.cycles > 100
    assert rate.cycles_per_second > 1000
    case.save(tmp_path / "case.npz")
    with np.load(tmp_path / "case.npz") as saved:
        assert saved["PROGRAM_LENGTH"] == len(case.program.instructions)
        start = int(saved["PROGRAM"])
        code = saved["memory"][start : start + len(case.program.code)]
        assert code.tobytes() == case.program.code
        base = int(saved["BASE2"])
        outputs = saved["expected"][base : base + case.after[2].size]
        assert np.array_equal(outputs, case.after[2])
        assert outputs.any()


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("way", cocotb_run.WAYS)
def test_cocotb_runs_the_same_program(way, tmp_path):
    if cocotb_run.missing(way):
        pytest.skip(f"{cocotb_run.missing(way)} is not installed")
    case = make_case(convolution(6, 5), TINY)
    plain, paused = cocotb_run.cocotb_rates(way, case, (0.0, 0.3), tmp_path)
    assert 100 < plain.cycles < paused.cycles
    assert min(plain.cycles_per_second, paused.cycles_per_second) > 100
