"""A network that compares with thresholds, from its file to the command line's verdict."""

import json
from dataclasses import replace

import pytest

from shiftloom.flow import verify
from shiftloom.isa.config import load_config
from shiftloom.quant.export import load_graph, save_graph
from shiftloom.sim.golden import run_segment
from tests.support.graphs import random_thresholds


@pytest.fixture(scope="module")
def network(files, tmp_path_factory):
    """Return the file of a quantized network whose first layer makes codes of four bits."""
    graph = load_graph(files / "model.q.onnx")
    first, *rest = graph.nodes
    form = replace(graph.tensors[first.output], bits=4)
    bank = random_thresholds(first, form, 1, bits=4)
    graph = replace(
        graph,
        tensors={**graph.tensors, first.output: form},
        nodes=(replace(first, thresholds=bank), *rest),
    )
    path = tmp_path_factory.mktemp("thresholds") / "model.q.onnx"
    save_graph(graph, path)
    return path


@pytest.mark.rtl
def test_verify_finds_all_levels_equal(network, tmp_path, engine_of, shiftloom, monkeypatch):
    engines = {"golden": run_segment, "rtl": engine_of(load_config("tiny")).run_segment}
    monkeypatch.setattr(verify, "make_runner", lambda name, *_: engines[name])
    assert shiftloom("compile", network, "--config", "tiny", "-o", tmp_path / "program")[0] == 0
    status, out, _ = shiftloom("verify", tmp_path / "program", "--samples", 2, "--json")
    found = json.loads(out)
    assert (status, found["equal"], found["tensors"]) == (0, True, 2)


def test_check_says_what_compares(network, shiftloom):
    status, out, _ = shiftloom("check", network, "--config", "tiny", "--json")
    assert status == 0
    reasons = {f["node"]: f["reason"] for f in json.loads(out)["findings"]}
    assert reasons["Conv_t0"].startswith("compares with 1")
    assert reasons["Conv_t2"] == ""


def test_an_accelerator_with_fewer_bits_is_refused(network, tmp_path, shiftloom):
    config = replace(load_config("tiny"), threshold_bits=3)
    (tmp_path / "three.toml").write_text(config.to_toml())
    words = network, "--config", tmp_path / "three.toml"
    status, out, _ = shiftloom("check", *words)
    assert status == 1
    assert "raise threshold_bits" in out
    status, _, err = shiftloom("compile", *words, "-o", tmp_path / "program")
    assert status != 0
    assert "Conv_t0" in err
    assert "of 4 bits, but tiny has 3; raise threshold_bits" in err
    assert not (tmp_path / "program").exists()
