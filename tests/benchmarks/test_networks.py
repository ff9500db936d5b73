"""Whole networks by the cycle model: what is counted, and what the command prints."""

import json

import pytest

from benchmarks import networks
from benchmarks.model_count import count_program
from benchmarks.shapes import SHAPES, network
from benchmarks.subjects import convolution
from shiftloom.flow.compile import compile
from shiftloom.isa.config import load_config


@pytest.mark.parametrize(
    ("name", "macs"),  # of the published architectures, without biases
    [
        ("ds_cnn", 2_656_768),
        ("resnet8", 12_501_632),
        ("mobilenet_v1_025_96", 7_489_664),
        ("mobilenet_v2", 300_774_272),
    ],
)
def test_networks_have_their_published_work(name, macs):
    assert sum(work(network(name)).values()) == macs


def work(graph):
    found = {}
    for node in graph.nodes:
        if hasattr(node, "weight"):
            _, height, width = graph.tensors[node.output].shape
            found[node.name] = node.weight.size * height * width
    return found


def test_bounds_are_below_what_is_counted():
    subject = convolution(10, 6)
    program = compile(subject.graph, load_config("tiny"))
    count = count_program("small", program, 0.0)
    assert count.macs == 10 * 10 * 9 * 36
    assert count.compute_bound == count.macs // 16
    assert count.bytes_bound <= count.moved_bytes // 8
    assert count.bound < count.cycles
    assert count.multiplier_utilization < count.array_utilization < 1


def test_the_command_prints_goals(capsys):
    words = ["--names", "ds_cnn", "mobilenet_v1_025_96"]
    assert networks.main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [goal["met"] for goal in data["goals"]] == [True, True]
    assert [found["config"] for found in data["networks"]] == ["base", "small"]
    assert networks.main(words) == 0
    printed = capsys.readouterr().out
    assert f"{data['networks'][0]['cycles']:,}" in printed
    assert "Gemmini" in printed


def test_a_missed_goal_is_an_exit_status(monkeypatch, capsys):
    monkeypatch.setitem(networks._UTILIZATION, "ds_cnn", 0.99)
    assert networks.main(["--names", "ds_cnn"]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_every_network_can_be_measured():
    assert set(networks.ALL) == set(SHAPES)
