"""Everything a quantized graph holds, as text and arrays, and back without loss."""

import base64
import json
from dataclasses import fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.requantize import Requantize, Rounding
from ..isa.thresholds import Thresholds
from . import graph as qg
from .errors import ModelError
from .graph import EdgeLayout, Node, QuantGraph, TensorType

__all__ = ["VERSION", "from_description", "to_description"]

Array = NDArray[Any]
Arrays = dict[str, Array]

#: Of the description's format.
VERSION = 1

_KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        qg.Conv,
        qg.Add,
        qg.MaxPool,
        qg.AveragePool,
        qg.Concat,
        qg.Pad,
        qg.Slice,
        qg.Host,
    )
}
_ARRAYS = {"weight": np.int8, "bias": np.int32, "mid_bias": np.int16}


def to_description(graph: QuantGraph) -> tuple[str, Arrays]:
    """Return a graph as JSON and the arrays that it refers to by name."""
    arrays: Arrays = {}
    nodes = [_node_out(node, arrays) for node in graph.nodes]
    description = {
        "version": VERSION,
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "tensors": {
            name: [*t.shape, t.bits, t.signed, t.exponent, *t.bipolar]
            for name, t in graph.tensors.items()
        },
        "edges": {name: [e.shape, e.permutation] for name, e in graph.edges.items()},
        "nodes": nodes,
    }
    return json.dumps(description, separators=(",", ":")), arrays


def _node_out(node: Node, arrays: Arrays) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": type(node).__name__}
    for item in fields(node):
        value = getattr(node, item.name)
        if item.name in _ARRAYS:
            if item.name == "weight" or value.any():  # zeros need no array
                arrays[f"{node.output}/{item.name}"] = value
        elif isinstance(value, Thresholds):
            arrays[f"{node.output}/{item.name}"] = value.values
            entry[item.name] = value.low
        elif isinstance(value, Requantize):
            entry[item.name] = {f.name: getattr(value, f.name) for f in fields(value)}
        elif isinstance(value, bytes):
            entry[item.name] = base64.b64encode(value).decode("ascii")
        else:
            entry[item.name] = value
    return entry


def from_description(text: str, arrays: Arrays) -> QuantGraph:
    """Return the graph that a description and its arrays hold.

    Raises
    ------
    ModelError
        The description is damaged.
    """
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ModelError("SL-Q113", f"version {data['version']}", allowed=f"version {VERSION}")
        graph = QuantGraph(
            name=str(data["name"]),
            inputs=tuple(data["inputs"]),
            outputs=tuple(data["outputs"]),
            tensors={name: _tensor_in(values) for name, values in data["tensors"].items()},
            nodes=tuple(_node_in(entry, arrays) for entry in data["nodes"]),
            edges={
                n: EdgeLayout(shape=tuple(e[0]), permutation=tuple(e[1]))
                for n, e in data["edges"].items()
            },
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        text = f"{type(error).__name__}: {error}"[:200]
        raise ModelError("SL-Q113", text, fix="quantize the model again") from None
    _check(graph)
    return graph


def _tensor_in(values: list[Any]) -> TensorType:
    channels, height, width, bits, signed, exponent, *bipolar = values
    return TensorType(
        shape=(int(channels), int(height), int(width)),
        bits=int(bits),
        signed=bool(signed),
        exponent=int(exponent),
        bipolar=tuple(int(value) for value in bipolar),
    )


def _node_in(entry: dict[str, Any], arrays: Arrays) -> Node:
    kind = _KINDS[entry["kind"]]
    values: dict[str, Any] = {}
    for item in fields(kind):
        if item.name in _ARRAYS:
            values[item.name] = _array_in(item.name, entry["output"], arrays)
        elif item.name == "thresholds":
            values[item.name] = _thresholds_in(entry, arrays)
        elif item.name == "requantize":
            values[item.name] = _requantize_in(entry[item.name])
        elif item.name == "model":
            values[item.name] = base64.b64decode(entry[item.name], validate=True)
        elif isinstance(entry[item.name], list):
            values[item.name] = tuple(entry[item.name])
        else:
            values[item.name] = entry[item.name]
    return kind(**values)


def _array_in(name: str, output: str, arrays: Arrays) -> Array:
    weight = arrays[f"{output}/weight"]
    if name == "weight":
        return np.ascontiguousarray(weight, dtype=np.int8)
    array = arrays.get(f"{output}/{name}", np.zeros(len(weight)))
    return np.ascontiguousarray(array.reshape(-1), dtype=_ARRAYS[name])


def _requantize_in(entry: dict[str, Any]) -> Requantize:
    rest = {k: int(v) for k, v in entry.items() if k not in ("shift", "rounding")}
    shift = tuple(int(s) for s in entry["shift"])
    return Requantize(shift=shift, rounding=Rounding(entry["rounding"]), **rest)


def _thresholds_in(entry: dict[str, Any], arrays: Arrays) -> Thresholds | None:
    if entry.get("thresholds") is None:
        return None
    values = np.ascontiguousarray(arrays[f"{entry['output']}/thresholds"], dtype=np.int32)
    return Thresholds(values=values, low=int(entry["thresholds"]))


def _check(graph: QuantGraph) -> None:
    """Refuse a graph whose tensors do not fit together."""
    known = set(graph.inputs)
    for node in graph.nodes:
        missing = [name for name in node.inputs if name not in known]
        coded = not isinstance(node, qg.Host) or node.requantized
        if missing or (coded and node.output not in graph.tensors) or node.output in known:
            raise ModelError("SL-Q113", "its tensors do not fit together", node=node.name)
        known.add(node.output)
        if isinstance(node, qg.Conv):
            _check_conv(graph, node)
    for name in (*graph.inputs, *graph.outputs):
        if name not in known or name not in graph.edges:
            raise ModelError("SL-Q113", "an input or output is missing", node=name)
        tensor = graph.tensors.get(name)
        if tensor is not None and prod(tensor.shape) != prod(graph.edges[name].shape[1:]):
            raise ModelError("SL-Q113", "its shapes do not fit", node=name)


def _check_conv(graph: QuantGraph, node: qg.Conv) -> None:
    source, target = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    channels = target.shape[0]
    fits = (
        node.weight.ndim == 4
        and node.weight.shape[0] == channels
        and node.weight.shape[1] * node.groups == source.shape[0]
        and node.bias.shape == node.mid_bias.shape == (channels,)
        and len(node.weight_exponent) in (1, channels)
        and len(node.requantize.shift) in (1, channels)
    )
    if node.thresholds is not None:
        fits = fits and len(node.thresholds.values) in (1, channels)
        fits = fits and target.low <= node.thresholds.low <= node.thresholds.high <= target.high
    if not fits:
        raise ModelError("SL-Q113", "its weights do not fit its tensors", node=node.name)
