"""The report on a model before anything runs."""

import time

import numpy as np
import pytest

from shiftloom.quant.check import FATES, check
from tests.support.data import data_path

from .builders import Net, small_net


def fates(model):
    return {finding.node: finding for finding in check(model)}


def test_every_node_has_a_fate():
    model = small_net(softmax=True)
    findings = check(model)
    assert [f.node for f in findings] == [n.name for n in model.graph.node]
    assert {f.fate for f in findings} == {"array", "vector", "fused", "edge", "host"} <= set(FATES)
    softmax = findings[-1]
    assert (softmax.fate, softmax.op) == ("host", "Softmax")
    assert softmax.reason
    assert softmax.remedy


def test_all_problems_are_listed_at_once():
    net = Net([1, 3, 8, 8])
    a = net.node("Mystery", "x")
    b = net.node("Relu", a)
    bad = net.constant(np.full((2, 3, 1, 1), np.nan, np.float32))
    c = net.node("Conv", "x", bad)
    d = net.node("Relu", net.conv("x", 2, 3))
    findings = list(fates(net.model(b, c, d)).values())
    assert [f.fate for f in findings[:3]] == ["refused"] * 3
    assert "follows Mystery" in findings[1].reason
    assert "NaN" in findings[2].reason
    assert findings[3].fate == "array"


def test_layout_changes_inside_are_listed():
    net = Net([1, 3, 4, 6])
    x = net.node("Transpose", net.conv("x", 4, 3, kernel=1), perm=[0, 1, 3, 2])
    findings = check(net.model(net.conv(x, 2, 4)))
    assert [f.fate for f in findings] == ["array", "edge", "array", "host"]
    assert findings[-1].remedy


def test_depthwise_layers_run_on_the_vector_unit():
    net = Net([1, 4, 8, 8])
    x = net.conv("x", 4, 4, group=4)
    assert [f.fate for f in check(net.model(net.conv(x, 4, 4, group=2)))] == ["vector", "array"]


@pytest.mark.data
def test_resnet50_takes_less_than_two_seconds():
    path = data_path("onnx_node_tests", "light", "light_resnet50.onnx")
    start = time.process_time()
    findings = check(path)
    assert time.process_time() - start < 2
    assert [f.op for f in findings if f.fate == "host"] == ["Softmax"]
    assert sum(f.fate == "array" for f in findings) == 54
