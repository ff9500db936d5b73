"""Networks trained by each of the four methods: the same integers on every level.

``python examples/train_mnist.py`` made the files: a residual network for MNIST, with batch norms.
"""

from pathlib import Path

import numpy as np
import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.execute import execute
from shiftloom.flow.verify import verify
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from shiftloom.quant.export import load_graph
from shiftloom.quant.graph import Conv
from shiftloom.sim.golden import run_segment

DATA = Path(__file__).resolve().parents[1] / "data"

#: Convolutions whose codes comparators make: two between layers, one of the residual stream.
METHODS = {"tqt": 0, "qil": 3, "lglsq": 3, "lsbq": 3}


def network(method):
    return load_graph(DATA / f"mnist_{method}.q.onnx")


def images():
    with np.load(DATA / "mnist.npz") as data:
        return data["images"].astype(np.float32) / 255, data["labels"]


@pytest.mark.parametrize("method", METHODS)
def test_program_makes_the_network_s_integers(method):
    graph, (pixels, _) = network(method), images()
    comparing = [n for n in graph.nodes if isinstance(n, Conv) and n.thresholds is not None]
    assert len(comparing) == METHODS[method]
    codes = golden.encode_input(graph, "input", pixels)
    want = golden.run(graph, {"input": codes})
    program = compile_graph(graph, load_config("tiny"))
    for index in range(2):
        found = execute(program, graph, {"input": codes[index]}, run_segment)
        for name, values in want.items():
            assert np.array_equal(found.outputs[name], values[index])


@pytest.mark.parametrize("method", METHODS)
def test_digits_are_recognized(method):
    graph, (pixels, labels) = network(method), images()
    (logits,) = golden.predict(graph, {"input": pixels}).values()
    assert np.mean(logits.argmax(axis=1) == labels) >= 0.7


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("method", METHODS)
def test_ten_images_are_equal_on_rtl(method):
    found = verify(network(method), "tiny", images()[0], samples=10)
    assert found.difference is None
    assert found.samples == 10
    assert found.integers > 4000


@pytest.mark.rtl
def test_a_least_squares_binary_network_on_the_bit_array():
    graph = network("lsbq")
    program = compile_graph(graph, load_config("bits"))
    assert [layer.name for layer in program.layers if layer.engine == "bits"]
    found = verify(graph, "bits", images()[0], samples=10)
    assert found.equal, found.verdict()
