"""Files that the commands work on: a small network on its way from floats to a program."""

import numpy as np
import onnx
import pytest

from shiftloom.flow.cli import main
from shiftloom.flow.compile import compile
from shiftloom.flow.quantize import quantize
from tests.quant.builders import Net


def network(middle="Relu"):
    """Return a model of two convolutions with an operator between them; input 3x8x8."""
    net = Net(["n", 3, 8, 8])
    x = net.node(middle, net.conv("x", 6, 3, pads=[1, 1, 1, 1]))
    return net.model(net.conv(x, 5, 6, strides=[2, 2]))


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Return a folder with a model, samples, the quantized model and a program for tiny."""
    folder = tmp_path_factory.mktemp("files")
    onnx.save(network(), folder / "model.onnx")
    np.save(folder / "images.npy", np.random.default_rng(0).normal(size=(6, 3, 8, 8)))
    graph = quantize(folder / "model.onnx", folder / "images.npy", folder / "model.q.onnx")
    compile(graph, "tiny", folder / "model.program")
    return folder


@pytest.fixture
def shiftloom(capfd):
    """Return a function that runs a command: its exit status, output and messages."""

    def run(*words):
        status = main([str(word) for word in words])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out, printed.err

    return run
