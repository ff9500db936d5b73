"""Benchmark of boards: one row each, and what could not be built does not hide the others."""

import json
from pathlib import Path

from benchmarks import boards as benchmark
from benchmarks.command import ERROR, run
from shiftloom.boards.tools import ToolError
from shiftloom.flow.build import Build


def built(board, achieved_mhz):
    return Build(
        board=board,
        config=board,
        folder=Path(),
        bitstream=Path("top.fs"),
        clock_mhz=60.0,
        achieved_mhz=achieved_mhz,
        blocks={},
        total={"LUT": 16_000, "FF": 13_000, "DSP": 72},
        memory_bits=1000,
        macs_per_cycle=64,
        untimed="multipliers",
        path=[],
        path_logic_ns=0.0,
        path_routing_ns=0.0,
        seconds={},
        loader="",
    )


def answer(monkeypatch, results):
    def build(name, *_args, **_options):
        if isinstance(results[name], Exception):
            raise results[name]
        return results[name]

    monkeypatch.setattr(benchmark, "build", build)
    return run(benchmark.boards, ["--names", *results, "--json"])


def test_a_row_for_each_board(monkeypatch, capsys):
    assert answer(monkeypatch, {"a": built("a", 61.0), "b": built("b", 90.0)}) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["board"] for row in rows] == ["a", "b"]
    assert rows[0]["reached MHz"] == "61.0" and rows[0]["not timed"] == "multipliers"
    assert rows[0]["peak GOPS"] == "7.7" and rows[0]["memory bits"] == 1000


def test_a_clock_that_was_not_reached_is_a_failure(monkeypatch):
    assert answer(monkeypatch, {"a": built("a", 59.9), "b": built("b", 90.0)}) == 1


def test_a_board_that_fails_does_not_hide_the_others(monkeypatch, capsys):
    results = {"a": ToolError("nextpnr failed (1):\nno place"), "b": built("b", 90.0)}
    assert answer(monkeypatch, results) == ERROR
    found = capsys.readouterr()
    assert [row["board"] for row in json.loads(found.out)] == ["b"]
    assert "a: nextpnr failed (1):" in found.err
