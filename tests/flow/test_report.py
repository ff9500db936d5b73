"""Reports: the same figures as the cycle model's, as tables, files and a page."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

from shiftloom.flow import report_files
from shiftloom.flow.energy import energy_of, energy_table
from shiftloom.flow.errors import MissingExtraWarning
from shiftloom.flow.layers import layer_times
from shiftloom.flow.report import SCHEMA, report
from shiftloom.flow.report_files import write_report
from shiftloom.isa.config import load_config
from shiftloom.isa.program import load_program
from shiftloom.sim.cycle.accesses import Access
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

ROOT = Path(__file__).parents[2]
MEMORY = Memory(latency=70, interval=2)


@pytest.fixture(scope="module")
def found(files):
    return report(files / "model.program", memory=MEMORY)


def renamed(found, name):
    """Return a report whose first layer has another name."""
    layers = (dataclasses.replace(found.layers[0], name=name), *found.layers[1:])
    own = dataclasses.replace(found.program.layers[0], name=name)
    program = dataclasses.replace(found.program, layers=(own, *found.program.layers[1:]))
    return dataclasses.replace(found, layers=layers, program=program)


def test_figures_are_those_of_the_cycle_model(found):
    program = found.program
    run = run_segment(program, program.segments[0], memory=MEMORY)
    times = layer_times(program, [run])
    assert found.total.cycles == run.cycles == times.cycles
    assert [layer.cycles for layer in found.layers] == [layer.cycles for layer in times.layers]
    assert [layer.array_utilization for layer in found.layers] == [
        layer.utilization for layer in times.layers
    ]
    assert found.rest.cycles == times.rest
    assert found.total.array_utilization == times.array_utilization
    assert found.total.multiplier_utilization == times.multiplier_utilization
    beats = run.counters["READ_BEATS"]
    assert found.total.bytes["external_read"] == beats * program.config.bus_bytes
    assert found.total.least_bytes == 2 * beats
    assert found.total.least_compute == run.counters["MAC_CYCLES"]


def test_parts_add_up(found):
    usages = [*found.layers, found.rest]
    for part in ("causes", "bytes"):
        for name, value in getattr(found.total, part).items():
            assert sum(getattr(usage, part)[name] for usage in usages) == value
    for name, value in found.total.energy_uj.items():
        assert sum(usage.energy_uj[name] for usage in usages) == pytest.approx(value)
    for usage in (*usages, found.total):
        assert sum(usage.causes.values()) == usage.cycles
        assert usage.causes.get(usage.bound, 0) == max(usage.causes.values())
    for layer in found.layers:
        assert layer.cycles >= max(layer.least_compute // 2, 1)


def test_lower_bounds_hold_for_the_whole(found):
    assert found.total.cycles >= found.total.least_compute > 0
    assert found.total.cycles >= found.total.least_bytes > 0


def test_slow_memory_bounds(files):
    quick, slow = (
        report(files / "model.program", memory=Memory(latency=latency)).total
        for latency in (1, 2000)
    )
    assert quick.bound == "compute"
    assert slow.bound == "latency"
    narrow = report(files / "model.program", memory=Memory(latency=1, interval=40)).total
    assert narrow.bound == "bandwidth"
    assert quick.bytes == slow.bytes
    assert quick.energy_uj == slow.energy_uj


def test_energy_is_that_of_the_table():
    config, uses = load_config("base"), np.zeros(len(Access), np.int64)
    uses[Access.EXTERNAL_READ], uses[Access.EXTERNAL_WRITE] = 600, 400
    uses[Access.ARRAY_STEPS], uses[Access.TAP_STEPS] = 10, 5
    uses[Access.ACTIVATION_WRITE], uses[Access.PARAMETER_READ] = 160, 800
    found = {name: value * 1e6 for name, value in energy_of(uses, config).items()}
    assert found["external"] == pytest.approx(1000 * 244)
    products = 10 * 256 + 5 * 16 * 3
    assert found["arithmetic"] == pytest.approx(products * 0.3 + 10 * 16 * 0.2)
    assert found["parameter"] == pytest.approx(800 / 8 * 20)  # 32 KiB, as in the source
    between = 20 * 5 ** (1 / 5)  # 64 KiB: a fifth of the way from 32 KiB to 1 MiB
    assert found["activation"] == pytest.approx(160 / 8 * between)
    assert (found["weight"], found["accumulator"]) == (0, 0)
    table = energy_table()
    assert "Horowitz" in table.source
    assert [table.byte(size) * 8 for size in (100, 8192, 1 << 24)] == pytest.approx([10, 10, 100])


def test_files(found, tmp_path):
    pytest.importorskip("matplotlib")
    names = {path.name for path in write_report(found, tmp_path)}
    assert names == {"report.json", "report.md", "layers.csv", "timeline.html", "roofline.png"}
    data = json.loads((tmp_path / "report.json").read_text())
    assert data == json.loads(json.dumps(found.to_dict()))
    assert data["schema"] == SCHEMA
    assert data["memory"] == {"latency": 70, "interval": 2, "outstanding": 16}
    assert data["config"]["name"] == "tiny"
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "layers.csv").read_text())))
    assert [int(row["cycles"]) for row in rows[:-1]] == [
        usage.cycles for usage in (*found.layers, found.rest)
    ]
    assert int(rows[-1]["external_read_bytes"]) == found.total.bytes["external_read"]
    page = (tmp_path / "report.md").read_text()
    assert "| Conv_t0 | conv 3x3 | 10,368 |" in page
    assert f"- cycles: {found.total.cycles:,}" in page
    assert "an estimate" in page


@pytest.mark.filterwarnings("ignore::shiftloom.flow.errors.MissingExtraWarning")
def test_pages_survive_any_name(found, tmp_path):
    evil = "a|b</script>\n<script>alert(1)"
    write_report(renamed(found, evil), tmp_path)
    page = (tmp_path / "timeline.html").read_text()
    assert page.count("</script>") == 4
    assert "<script>alert" not in page
    row = next(r for r in (tmp_path / "report.md").read_text().splitlines() if "a\\|b" in r)
    assert row.count(" | ") == 10


def test_plot_needs_matplotlib(found, tmp_path, monkeypatch):
    monkeypatch.setattr(report_files.importlib.util, "find_spec", lambda name: None)
    with pytest.warns(MissingExtraWarning, match=r"no roofline.png: .*shiftloom\[plots\]"):
        paths = write_report(found, tmp_path)
    assert "roofline.png" not in {path.name for path in paths}


def test_command(files, tmp_path, shiftloom):
    folder = tmp_path / "report"
    status, out, _ = shiftloom("report", files / "model.q.onnx", "--config", "tiny", "-o", folder)
    assert status == 0
    for part in (
        "Conv_t0",
        "conv 3x3",
        "bound",
        "array utilization",
        "lower bounds",
        "an estimate",
    ):
        assert part in out
    assert str(folder / "timeline.html") in out
    assert (folder / "report.json").is_file()
    words = ("report", files / "model.program", "--latency", 70, "--interval", 2, "--json")
    status, out, _ = shiftloom(*words)
    assert status == 0
    expected = report(files / "model.program", memory=MEMORY).to_dict()
    assert json.loads(out) == json.loads(json.dumps(expected))


def test_network_without_configuration(files, shiftloom):
    status, out, err = shiftloom("report", files / "model.q.onnx")
    assert (status, out) == (2, "")
    assert "give --config base" in err


def test_several_segments(files):
    program = load_program(files / "model.program")
    twice = dataclasses.replace(program, steps=program.steps * 2)
    once, both = report(program), report(twice)
    assert both.total.cycles == 2 * once.total.cycles
    assert both.total.bytes == {name: 2 * value for name, value in once.total.bytes.items()}
    assert both.total.macs == once.total.macs
