"""Networks at full size: they compile for ``base``, and their layers are right."""

import numpy as np
import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.quant.graph import Conv, EdgeLayout, QuantGraph
from shiftloom.quant.quantize import quantize_model
from tests.support.data import data_path
from tests.support.levels import check_rtl

pytestmark = [pytest.mark.data, pytest.mark.slow]

BASE = load_config("base")


def light(name):
    return quantize_model(data_path("onnx_node_tests", "light", f"light_{name}.onnx"))


def alone(graph, node):
    """Return a network of one layer."""
    (source,), target = node.inputs, node.output
    tensors = {name: graph.tensors[name] for name in (source, target)}
    edges = {name: EdgeLayout(shape=(1, *tensors[name].shape)) for name in tensors}
    return QuantGraph(
        name=node.name,
        inputs=(source,),
        outputs=(target,),
        tensors=tensors,
        nodes=(node,),
        edges=edges,
    )


@pytest.mark.filterwarnings("ignore::shiftloom.quant.errors.QuantizationWarning")
@pytest.mark.parametrize("name", ["resnet50", "vgg19", "squeezenet", "inception_v1"])
def test_networks_compile(name):
    graph = light(name)
    program = compile_graph(graph, BASE)
    convolutions = sum(isinstance(node, Conv) for node in graph.nodes)
    assert sum(layer.macs > 0 for layer in program.layers) == convolutions


@pytest.mark.rtl
@pytest.mark.filterwarnings("ignore::shiftloom.quant.errors.QuantizationWarning")
def test_layers_of_resnet50_on_rtl(engine_of):
    graph = light("resnet50")
    convolutions = [node for node in graph.nodes if isinstance(node, Conv)]
    layers = [node for node in convolutions if graph.tensors[node.output].bits == 8]
    square = [node for node in layers if node.weight.shape[2] == 3]
    engine = engine_of(BASE)
    for node in (layers[0], square[0], square[-1], layers[-2]):
        part = alone(graph, node)
        program = compile_graph(part, BASE)
        tensor = part.tensors[part.inputs[0]]
        generator = np.random.default_rng(7)
        codes = generator.integers(tensor.low, tensor.high + 1, tensor.shape)
        check_rtl(part, program, {part.inputs[0]: codes}, engine)
