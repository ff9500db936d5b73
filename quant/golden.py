"""Golden execution of a quantized graph: the integers that every other level must reproduce."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import row_conv
from .errors import ModelError
from .golden_nodes import NodeRunner
from .graph import Node, QuantGraph
from .layout import decode_layout, encode_layout

__all__ = ["decode_output", "encode_input", "predict", "run", "run_node"]

Array = NDArray[Any]

#: Samples that travel through the network together, by the largest number of elements of a tensor.
BLOCK = 1 << 19


def run(graph: QuantGraph, inputs: Mapping[str, Array], keep: bool = False) -> dict[str, Array]:
    """Execute a quantized graph on a batch.

    Parameters
    ----------
    graph : QuantGraph
        The network.
    inputs : mapping
        For each input codes ``(batch, channels, height, width)``, of any integer type.
    keep : bool
        Return every tensor, not only the outputs.

    Returns
    -------
    dict
        By tensor name: int16 codes ``(batch, channels, height, width)``; float32 values in the
        model's own layout for tensors that the host made and that did not return to codes.

    Raises
    ------
    ModelError
        An input is missing, has another shape, or holds codes outside its format.
    """
    for name in graph.inputs:
        _check_input(graph, name, inputs)
    batch = min(len(inputs[name]) for name in graph.inputs)
    largest = max(int(np.prod(tensor.shape)) for tensor in graph.tensors.values())
    step = max(1, BLOCK // largest)
    step = -(-batch // max(1, -(-batch // step)))  # blocks of about one size
    runner = NodeRunner(graph, again=batch > step)
    blocks = []
    for start in range(0, batch, max(1, step)):
        part = {name: inputs[name][start : start + step] for name in graph.inputs}
        blocks.append(_run_block(runner, part, keep))
    names = blocks[0] if blocks else {}
    return {name: np.concatenate([block[name] for block in blocks]) for name in names}


def _check_input(graph: QuantGraph, name: str, inputs: Mapping[str, Array]) -> None:
    tensor = graph.tensors[name]
    if name not in inputs:
        raise ModelError("SL-Q111", "no codes for this input", node=name)
    codes = inputs[name]
    if codes.ndim != 4 or codes.shape[1:] != tensor.shape or codes.dtype.kind not in "iu":
        raise ModelError(
            "SL-Q111",
            f"{codes.dtype} codes of shape {codes.shape}",
            node=name,
            allowed=f"integers of shape (samples, {', '.join(str(s) for s in tensor.shape)})",
        )
    if codes.size and not tensor.low <= codes.min() <= codes.max() <= tensor.high:
        raise ModelError(
            "SL-Q111",
            f"codes {codes.min()} to {codes.max()}",
            node=name,
            allowed=f"{tensor.low} to {tensor.high}",
        )


def _run_block(runner: NodeRunner, inputs: Mapping[str, Array], keep: bool) -> dict[str, Array]:
    graph = runner.graph
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(graph.outputs)
    values = {name: _maps(codes) for name, codes in inputs.items()}
    results: dict[str, Array] = {}
    for node in graph.nodes:
        values[node.output] = runner(node, [values[name] for name in node.inputs])
        for name in node.inputs:
            uses[name] -= 1
            if not uses[name]:
                results.update({name: _public(graph, name, values[name])} if keep else {})
                del values[name]  # and with it the memory, for the next node
    kept = values if keep else graph.outputs
    results.update({name: _public(graph, name, values[name]) for name in kept})
    return results


def _maps(codes: Array) -> Array:
    """Return codes ``(batch, channels, height, width)`` as nodes take them."""
    maps = codes.swapaxes(0, 1)
    if len(codes) < row_conv.LEAST_BATCH:
        return np.ascontiguousarray(maps, dtype=np.float32)
    return row_conv.row_order(maps.astype(np.float32))


def _public(graph: QuantGraph, name: str, value: Array) -> Array:
    if name not in graph.tensors:
        return value
    return np.ascontiguousarray(value.swapaxes(0, 1), dtype=np.int16)


def run_node(graph: QuantGraph, node: Node, inputs: list[Array]) -> Array:
    """Return what a node makes of codes in float32, ``(channels, batch, height, width)``."""
    return NodeRunner(graph)(node, inputs)


def encode_input(graph: QuantGraph, name: str, values: Array) -> NDArray[np.int16]:
    """Return a batch of the model's own inputs as codes.

    Parameters
    ----------
    values : float array
        In the model's layout, with any batch as first axis.

    Raises
    ------
    ModelError
        The shape is not the model's, or a value is not finite.
    """
    tensor = graph.tensors[name]
    maps = encode_layout(np.asarray(values, dtype=np.float32), graph.edges[name], tensor.shape)
    if not np.isfinite(maps).all():
        raise ModelError("SL-Q111", "values that are NaN or infinite", node=name)
    codes = np.rint(np.ldexp(maps, -tensor.exponent))
    return np.clip(codes, tensor.low, tensor.high).astype(np.int16)


def decode_output(graph: QuantGraph, name: str, result: Array) -> NDArray[np.float32]:
    """Return an output of :func:`run` as values in the model's own layout."""
    tensor = graph.tensors.get(name)
    if tensor is None:
        return result.astype(np.float32, copy=False)
    values = np.ldexp(result.astype(np.float32), tensor.exponent)
    return decode_layout(values, graph.edges[name])


def predict(graph: QuantGraph, inputs: Mapping[str, Array]) -> dict[str, NDArray[np.float32]]:
    """Return the outputs for a batch, both in the model's own layouts."""
    codes = {name: encode_input(graph, name, inputs[name]) for name in graph.inputs}
    results = run(graph, codes)
    return {name: decode_output(graph, name, results[name]) for name in graph.outputs}
