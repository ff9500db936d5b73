"""Layers that cannot fit a configuration, found from their shapes alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..isa.config import Config
from ..isa.reach import longest_side
from ..isa.thresholds import threshold_bits
from ..quant import float_graph as fg
from ..quant import graph as qg
from .weights import MAX_KERNEL

__all__ = ["Misfit", "misfits"]


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A layer that cannot run on a configuration, why, and what would help."""

    node: str
    reason: str
    remedy: str


def misfits(graph: fg.FloatGraph | qg.QuantGraph, config: Config) -> list[Misfit]:
    """Return all layers that cannot fit.

    Parameters
    ----------
    graph : FloatGraph or QuantGraph
        A prepared network, whose tensors are feature maps, or a quantized one.
    config : Config
        The accelerator.
    """
    found = []
    for node in graph.nodes:
        if isinstance(node, fg.Host | qg.Host):
            continue
        names = (*node.inputs, node.output)
        for reason, remedy in _reasons([_shape(graph, name) for name in names], node, config):
            found.append(Misfit(node=node.name, reason=reason, remedy=remedy))
    return found


def _shape(graph: fg.FloatGraph | qg.QuantGraph, name: str) -> tuple[int, ...]:
    """Return channels, rows and columns of a tensor; fewer where it is no feature map."""
    if isinstance(graph, qg.QuantGraph):
        return graph.tensors[name].shape
    return graph.shapes[name][-3:]


def _reasons(
    shapes: Sequence[tuple[int, ...]], node: fg.FloatNode | qg.Node, config: Config
) -> Iterator[tuple[str, str]]:
    if any(len(shape) < 3 for shape in shapes):
        return
    largest = max(max(shape[1:]) for shape in shapes)
    limit = longest_side(config)
    if largest > limit:
        yield f"a feature map of {largest} rows or columns", f"at most {limit}"
    kernel, dilation = _kernel(node)
    if max(kernel) > MAX_KERNEL:
        yield f"a kernel of {kernel[0]}x{kernel[1]}", f"at most {MAX_KERNEL}x{MAX_KERNEL}"
    rows = min(shapes[0][1], (kernel[0] - 1) * dilation + 1)
    words = sum(rows * _row(shape, config) for shape in shapes[:-1]) + _row(shapes[-1], config)
    if words > config.activation_words:
        need = words * config.word_bytes
        yield (
            f"one row of its input and output takes {need} bytes of {config.activation_bytes}",
            "raise activation_bytes",
        )
    weights = kernel[1] * config.rows
    if isinstance(node, fg.Conv | qg.Conv) and weights > config.weight_words // 4:
        need = 4 * weights * config.word_bytes
        yield f"a kernel row needs {need} bytes of {config.weight_bytes}", "raise weight_bytes"
    if isinstance(node, qg.Conv) and node.thresholds:
        bits = threshold_bits(node.thresholds.values.shape[1])
        if bits > config.threshold_bits:
            reason = f"codes of {bits} bits by thresholds, of {config.threshold_bits}"
            yield reason, "raise threshold_bits"


def _kernel(node: fg.FloatNode | qg.Node) -> tuple[tuple[int, int], int]:
    """Return a node's kernel and its vertical dilation."""
    if isinstance(node, fg.Conv | qg.Conv):
        return (node.weight.shape[2], node.weight.shape[3]), node.dilation[0]
    if isinstance(node, fg.MaxPool | fg.AveragePool | qg.MaxPool):
        return node.kernel, node.dilation[0]
    if isinstance(node, qg.AveragePool):
        return node.kernel, 1
    return (1, 1), 1


def _row(shape: tuple[int, ...], config: Config) -> int:
    return -(-shape[0] // config.columns) * shape[2]
