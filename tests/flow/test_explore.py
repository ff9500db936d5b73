"""Explorations: every point once, the right ones marked, and nothing lost when they are stopped."""

import importlib.util
import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shiftloom.flow import explore as module
from shiftloom.flow.compile import compile
from shiftloom.flow.errors import FlowError
from shiftloom.flow.explore import Candidate, explore, pareto
from shiftloom.flow.points import append_point, read_points
from shiftloom.flow.sweep import parse_sweep, swept
from shiftloom.isa.config import load_config
from shiftloom.quant.export import load_graph
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

TINY = load_config("tiny")
SWEEP = {"rows": (2, 4), "vector_taps": (1, 3)}


@pytest.fixture
def threads():
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def counted(monkeypatch):
    """Return a list of the tasks that are computed."""
    tasks, original = [], module.evaluate

    def evaluate(task):
        tasks.append(task)
        return original(task)

    monkeypatch.setattr(module, "evaluate", evaluate)
    return tasks


def found_in(files, threads, **options):
    return explore([files / "model.q.onnx"], base=TINY, executor=threads, **options)


def test_figures_are_those_of_the_cycle_model(files, threads):
    memory = Memory(latency=50)
    found = found_in(files, threads, sweep=SWEEP, memory=memory)
    assert len(found.candidates) == found.computed == 4
    for candidate in found.candidates:
        config = candidate.config
        program = compile(load_graph(files / "model.q.onnx"), config)
        run = run_segment(program, program.segments[0], memory=memory)
        assert candidate.cycles == {"model": run.cycles}
        assert candidate.mean_cycles == pytest.approx(run.cycles)
        assert candidate.dsps == config.rows * 4 + 4 * config.vector_taps
        assert candidate.memory_bits == config.memory_bits
        macs = sum(layer.macs for layer in program.layers)
        assert candidate.utilization == {"model": macs / (config.macs_per_cycle * run.cycles)}
    cycles = [candidate.mean_cycles for candidate in found.candidates]
    assert cycles == sorted(cycles)


def test_points_are_computed_once(files, threads, counted, tmp_path):
    first = found_in(files, threads, sweep=SWEEP, output=tmp_path)
    again = found_in(files, threads, sweep=SWEEP, output=tmp_path)
    assert (first.computed, again.computed, len(counted)) == (4, 0, 4)
    assert again.candidates == first.candidates
    other = {"sweep": SWEEP, "output": tmp_path, "memory": Memory(latency=5)}
    assert found_in(files, threads, **other).computed == 4
    renamed = replace(first.candidates[0].config, name="renamed")
    assert found_in(files, threads, configs=[renamed], output=tmp_path).computed == 0
    assert len(read_points(tmp_path / "points.jsonl")) == 8


@pytest.mark.parametrize("left", [0, 1, 40, -1])
def test_broken_last_line(files, threads, counted, tmp_path, left):
    path = tmp_path / "points.jsonl"
    first = found_in(files, threads, sweep=SWEEP, output=tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-1][:left])
    counted.clear()
    again = found_in(files, threads, sweep=SWEEP, output=tmp_path)
    assert len(counted) == 1
    assert again.candidates == first.candidates
    assert sorted(path.read_bytes().splitlines()) == sorted(b"".join(lines).splitlines())


def test_equal_configurations_are_tried_once(files, threads):
    found = found_in(files, threads, configs=[TINY, replace(TINY, name="same")])
    assert [candidate.config.name for candidate in found.candidates] == ["tiny"]
    with pytest.raises(FlowError, match="two different configurations are named tiny"):
        found_in(files, threads, configs=[TINY, replace(TINY, vector_taps=1)])


def test_last_line_without_its_end_is_kept(tmp_path):
    path = tmp_path / "points.jsonl"
    path.write_text('{"key": "a", "cycles": 1}')
    assert list(read_points(path)) == ["a"]


@pytest.mark.parametrize("line", ["", "nothing", "[]", '{"key": 3}', '{"key": "b", "cycles": "x"}'])
def test_broken_lines_elsewhere_are_refused(tmp_path, line):
    path = tmp_path / "points.jsonl"
    path.write_text(f'{line}\n{{"key": "a", "cycles": 1}}\n')
    with pytest.raises(FlowError, match="line 1 is no point"):
        read_points(path)


def test_append_makes_folders(tmp_path):
    path = tmp_path / "new" / "points.jsonl"
    for number in range(3):
        append_point(path, {"key": str(number), "cycles": number})
    assert [p["cycles"] for p in read_points(path).values()] == [0, 1, 2]


def test_configurations_that_are_too_small_are_left_out(files, threads, tmp_path):
    sweep = {"activation_bytes": (8, 65536), "rows": (4, 8)}
    found = found_in(files, threads, sweep=sweep, output=tmp_path)
    assert [c.config.name for c in found.candidates] == ["activation_bytes65536_rows4"]
    assert "raise activation_bytes" in found.failed["activation_bytes8_rows4"]
    assert "columns must be rows (8)…64" in found.failed["activation_bytes65536_rows8"]
    assert found_in(files, threads, sweep=sweep, output=tmp_path).failed == found.failed
    with pytest.warns(UserWarning, match="no configuration runs all networks"):
        found = found_in(files, threads, sweep={"activation_bytes": (8,)})
    assert found.candidates == ()


def test_several_networks(files, threads, tmp_path):
    graph = load_graph(files / "model.q.onnx")
    networks = [files / "model.q.onnx", replace(graph, name="other")]
    found = explore(networks, ["tiny"], executor=threads)
    (candidate,) = found.candidates
    assert candidate.cycles["model"] == candidate.cycles["other"] == round(candidate.mean_cycles)
    with pytest.raises(FlowError, match="two networks are named model"):
        explore([networks[0]] * 2, ["tiny"], executor=threads)
    with pytest.raises(FlowError, match="no network"):
        explore([], ["tiny"])
    with pytest.raises(FlowError, match="give --configs or --sweep"):
        explore(networks)


def costs(*values):
    cycles, dsps, luts, bits = values
    return Candidate(
        config=TINY,
        cycles={},
        utilization={},
        mean_cycles=cycles,
        dsps=dsps,
        luts=luts,
        memory_bits=bits,
    )


def test_pareto():
    best = [(1, 9, 9, 9), (2, 8, 9, 9), (2, 9, 8, 9), (9, 9, 9, 1), (3, 3, 3, 3), (3, 3, 3, 3)]
    beaten = [(1, 9, 9, 10), (3, 3, 3, 4), (10, 9, 9, 1), (9, 9, 9, 9)]
    found = pareto([costs(*values) for values in beaten + best])
    assert sorted(c.costs for c in found if c.best) == sorted(best)
    assert sorted(c.costs for c in found if not c.best) == sorted(beaten)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rowz=4"], "no field rowz; known: rows, columns"),
        (["name=4"], "no field name"),
        (["rows"], "write whole numbers, as in rows=8,16"),
        (["rows=4,x"], "write whole numbers"),
        (["rows=4", "rows=8"], "rows is given twice"),
    ],
)
def test_bad_sweeps(words, message):
    with pytest.raises(FlowError, match=message):
        parse_sweep(words)


def test_sweeps():
    sweep = parse_sweep(["rows=2,4,2", "vector_taps=1"])
    assert sweep == {"rows": (2, 4), "vector_taps": (1,)}
    configs, refused = swept(TINY, {**sweep, "columns": (2, 4)})
    assert [(c.rows, c.columns) for c in configs] == [(2, 2), (2, 4), (4, 4)]
    assert len({c.name for c in configs}) == 3
    assert refused == ["rows4_vector_taps1_columns2: columns must be rows (4)…64, not 2"]
    with pytest.raises(FlowError, match="no combination can be built; the first: rows99"):
        swept(TINY, {"rows": (99,)})
    with pytest.raises(FlowError, match="1,000,000 configurations; 100,000 are allowed"):
        swept(TINY, {"rows": range(1000), "columns": range(1000)})


def test_command(files, tmp_path, shiftloom):
    words = ("explore", files / "model.q.onnx", "--config", "tiny", "--jobs", 1)
    sweep = ("--sweep", "rows=2,4,8", "vector_taps=1,3", "-o", tmp_path)
    status, out, _ = shiftloom(*words, *sweep)
    assert status == 0
    for part in (
        "rows4_vector_taps3",
        "DSPs",
        "cycles, model",
        "left out: rows8",
        "estimated from",
    ):
        assert part in out
    names = {path.name for path in tmp_path.iterdir()}
    plot = {"explore.png"} if importlib.util.find_spec("matplotlib") else set()
    assert names == {"points.jsonl", "explore.json", "explore.md"} | plot
    data = json.loads((tmp_path / "explore.json").read_text())
    status, out, _ = shiftloom(*words, *sweep, "--json")
    found = json.loads(out)
    assert found["computed"] == 0 < data["computed"] == 4
    assert found["candidates"] == data["candidates"]
    status, _, err = shiftloom(*words, "--sweep", "rows=x")
    assert status == 2
    assert "write whole numbers" in err
    status, _, err = shiftloom("explore", files / "model.q.onnx")
    assert status == 2
    assert "give --configs or --sweep" in err


def test_dask_is_optional(monkeypatch, files, shiftloom):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    words = ("--configs", "tiny", "--dask", "tcp://localhost:1")
    status, _, err = shiftloom("explore", files / "model.q.onnx", *words)
    assert status == 2
    assert "pip install 'shiftloom[dask]'" in err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_workers(files, threads, tmp_path, shiftloom):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    expected = found_in(files, threads, sweep=SWEEP)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        address = cluster.scheduler_address
        words = ("--sweep", "rows=2,4", "vector_taps=1,3", "--config", "tiny", "--json")
        status, out, err = shiftloom(
            "explore", files / "model.q.onnx", *words, "--dask", address, "-o", tmp_path
        )
        assert status == 0, err
    found = json.loads(out)
    cycles = {c["config"]["name"]: c["cycles"] for c in found["candidates"]}
    assert cycles == {c.config.name: dict(c.cycles) for c in expected.candidates}
    assert len(read_points(tmp_path / "points.jsonl")) == 4
