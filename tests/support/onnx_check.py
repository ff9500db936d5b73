"""Exported files against onnxruntime, which knows nothing of us."""

import numpy as np
import onnxruntime
from numpy.testing import assert_array_equal

from shiftloom.quant import golden
from shiftloom.quant.export import save_graph

__all__ = ["assert_onnxruntime_agrees"]


def assert_onnxruntime_agrees(graph, inputs, path):
    """Write a network of one input, and compare outputs on all inputs: exactly.

    Its own optimizations would reorder float arithmetic, so they are switched off.
    """
    save_graph(graph, path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options)
    expected = [session.run(None, {graph.inputs[0]: one[None]})[0] for one in inputs]
    found = golden.predict(graph, {graph.inputs[0]: inputs})[graph.outputs[0]]
    assert_array_equal(found, np.concatenate(expected))
    assert len(np.unique(found)) > 20  # not a network that answers the same to everything
