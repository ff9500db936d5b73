"""Published networks of one and two bits on all levels, on the bit array."""

import numpy as np
import pytest

import shiftloom as sl
from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from tests.compiler.test_planes import bitwise_jobs
from tests.support.data import data_path
from tests.support.levels import check_rtl

pytestmark = [pytest.mark.rtl, pytest.mark.data, pytest.mark.slow]

MODELS = {
    "lfc_w1a1": (("bnn_pynq_lfc", "lfc_w1a1.npz"), 100, 1),
    "tfc_1w1a": (("qonnx_tfc", "TFC_1W1A.onnx"), 20, 255),
    "tfc_1w2a": (("qonnx_tfc", "TFC_1W2A.onnx"), 20, 255),
    "tfc_2w2a": (("qonnx_tfc", "TFC_2W2A.onnx"), 20, 255),
}


@pytest.mark.parametrize("name", MODELS)
def test_digits_on_the_bit_array(name, engine_of):
    path, samples, white = MODELS[name]
    graph = sl.quantize(data_path("models", *path))
    config = load_config("base_bits")
    program = compile_graph(graph, config)
    assert bitwise_jobs(program)
    with np.load(data_path("mnist", "test.npz")) as data:
        images = (data["images"][:samples] / np.float32(white)).astype(np.float32)
    (source,) = graph.inputs
    images = images.reshape(samples, *graph.edges[source].shape[1:])
    for sample in golden.encode_input(graph, source, images):
        check_rtl(graph, program, {source: sample}, engine_of(config))
