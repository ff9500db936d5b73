"""Quantized graphs as QDQ ONNX files, and back without loss.

The nodes are ordinary ONNX, so that other runtimes get the same integers. What they cannot say
(rounding, two stages, layouts) is in the model's metadata, with a digest of the nodes: a file that
somebody else has changed is refused.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import onnx
from onnx import helper

from .errors import ModelError
from .export_nodes import Exporter
from .graph import QuantGraph
from .model_file import read_model, tensor_array
from .store import from_description, to_description

__all__ = ["from_onnx", "is_quantized", "load_graph", "save_graph", "to_onnx"]

OPSET = 17
GRAPH_KEY, DIGEST_KEY = "shiftloom.graph", "shiftloom.digest"


def to_onnx(graph: QuantGraph) -> onnx.ModelProto:
    """Return a quantized graph as an ONNX model with QuantizeLinear and DequantizeLinear."""
    description, arrays = to_description(graph)
    exporter = Exporter(graph)
    exporter.build()
    model = helper.make_model(
        exporter.finish(),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="shiftloom",
    )
    unused = set(arrays) - {tensor.name for tensor in exporter.constants}
    if unused:
        raise AssertionError(f"arrays that no node uses: {sorted(unused)}")
    helper.set_model_props(
        model, {GRAPH_KEY: description, DIGEST_KEY: _digest(model.graph, description)}
    )
    return model


def _digest(graph: onnx.GraphProto, description: str) -> str:
    digest = hashlib.sha256(graph.SerializeToString(deterministic=True))
    digest.update(description.encode())
    return digest.hexdigest()


def from_onnx(model: onnx.ModelProto | str | Path) -> QuantGraph:
    """Return the quantized graph that a model written by :func:`to_onnx` holds.

    Raises
    ------
    ModelError
        The model was written by something else, or changed since.
    """
    parsed = read_model(model)[0]
    properties = {entry.key: entry.value for entry in parsed.metadata_props}
    place = str(model) if isinstance(model, str | Path) else parsed.graph.name
    if GRAPH_KEY not in properties:
        raise ModelError(
            "SL-Q113",
            "no quantized graph in this file",
            node=place,
            allowed="a file that shiftloom quantize wrote",
            fix="shiftloom quantize MODEL.onnx -o MODEL.q.onnx",
        )
    description = properties[GRAPH_KEY]
    if properties.get(DIGEST_KEY) != _digest(parsed.graph, description):
        raise ModelError(
            "SL-Q113",
            "the file was changed since it was written",
            node=place,
            fix="quantize the float model again",
        )
    arrays = {t.name: tensor_array(t, None) for t in parsed.graph.initializer}
    return from_description(description, arrays)


def is_quantized(model: onnx.ModelProto | str | Path) -> bool:
    """Return whether a model was written by :func:`to_onnx`."""
    parsed, _ = read_model(model)
    return any(entry.key == GRAPH_KEY for entry in parsed.metadata_props)


def load_graph(path: str | Path) -> QuantGraph:
    """Return the quantized graph in a file that :func:`save_graph` wrote."""
    return from_onnx(path)


def save_graph(graph: QuantGraph, path: str | Path) -> None:
    """Write a quantized graph; the file appears whole or not at all."""
    data = to_onnx(graph).SerializeToString()
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
