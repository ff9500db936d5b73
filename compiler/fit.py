"""Layers that cannot fit a configuration, found from their shapes alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..isa.config import Config
from ..quant import float_graph as fg
from .compile import MAX_SIZE
from .weights import MAX_KERNEL

__all__ = ["Misfit", "misfits"]


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A layer that cannot run on a configuration, why, and what would help."""

    node: str
    reason: str
    remedy: str


def misfits(graph: fg.FloatGraph, config: Config) -> list[Misfit]:
    """Return all layers that cannot fit.

    Parameters
    ----------
    graph : FloatGraph
        A prepared network: its tensors are feature maps.
    config : Config
        The accelerator.
    """
    found = []
    for node in graph.nodes:
        if isinstance(node, fg.Host):
            continue
        for reason, remedy in _reasons(graph, node, config):
            found.append(Misfit(node=node.name, reason=reason, remedy=remedy))
    return found


def _reasons(graph: fg.FloatGraph, node: fg.FloatNode, config: Config) -> Iterator[tuple[str, str]]:
    shapes = [graph.shapes[name][-3:] for name in (*node.inputs, node.output)]
    if any(len(shape) < 3 for shape in shapes):
        return
    largest = max(max(shape[1:]) for shape in shapes)
    if largest > MAX_SIZE:
        yield f"a feature map of {largest} rows or columns", f"at most {MAX_SIZE}"
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
    if isinstance(node, fg.Conv) and weights > config.weight_words // 4:
        need = 4 * weights * config.word_bytes
        yield f"a kernel row needs {need} bytes of {config.weight_bytes}", "raise weight_bytes"


def _kernel(node: fg.FloatNode) -> tuple[tuple[int, int], int]:
    """Return a node's kernel and its vertical dilation."""
    if isinstance(node, fg.Conv):
        return (node.weight.shape[2], node.weight.shape[3]), node.dilation[0]
    if isinstance(node, fg.MaxPool | fg.AveragePool):
        return node.kernel, node.dilation[0]
    return (1, 1), 1


def _row(shape: tuple[int, ...], config: Config) -> int:
    return -(-shape[0] // config.columns) * shape[2]
