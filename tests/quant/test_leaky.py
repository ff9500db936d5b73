"""LeakyRelu on the machine, where its slope is a power of two; on the host otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.quant import golden
from shiftloom.quant.check import check
from shiftloom.quant.float_run import run_float
from shiftloom.quant.graph import Add, Conv, Host
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.transforms import prepare
from tests.quant.builders import Net


def model(slope):
    net = Net(["n", 3, 8, 8])
    x = net.node("LeakyRelu", net.conv("x", 6, 3, pads=[1, 1, 1, 1]), alpha=slope)
    return net.model(net.conv(x, 5, 6))


@pytest.mark.parametrize("slope", [0.5, 0.125, 2.0**-8])
def test_float_meaning_is_kept(slope):
    graph = prepare(import_onnx(model(slope)))
    x = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
    (conv, *_) = graph.nodes
    sums = run_float(replaced_outputs(graph, conv.output), {"x": x})[conv.output]
    (add,) = [node for node in graph.nodes if type(node).__name__ == "Add"]
    found = run_float(replaced_outputs(graph, add.output), {"x": x})[add.output]
    assert (found == np.maximum(sums, np.float32(slope) * sums)).all()


def replaced_outputs(graph, name):
    return replace(graph, outputs=(name,))


def test_integers_run_on_the_machine_alone():
    x = np.random.default_rng(0).standard_normal((20, 3, 8, 8)).astype(np.float32)
    graph = quantize_model(model(0.125), x)
    assert not [node for node in graph.nodes if isinstance(node, Host)]
    assert len([node for node in graph.nodes if isinstance(node, Add)]) == 1
    (result,) = golden.predict(graph, {"x": x}).values()
    (wanted,) = run_float(prepare(import_onnx(model(0.125))), {"x": x}).values()
    assert np.abs(result - wanted).max() < 0.05 * np.abs(wanted).max()
    scaled = [n for n in graph.nodes if isinstance(n, Conv) and n.groups == 6]
    assert len(scaled) == 2


@pytest.mark.parametrize("slope", [0.1, 0.01, 1.0, -0.5])
def test_other_slopes_are_named(slope):
    (finding,) = [f for f in check(model(slope)) if f.op == "LeakyRelu"]
    assert finding.fate in ("host", "refused")
    assert f"slope {slope:g} is not a power of two" in finding.reason
    assert "train with" in finding.reason
