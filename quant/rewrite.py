"""Renaming, dead nodes and number formats: rewrites that keep every computation."""

from collections import Counter
from dataclasses import replace

from .errors import UnsupportedError
from .float_graph import FloatGraph, Format, Quantize

__all__ = ["absorb_quantizers", "drop_dead", "rename", "use_counts"]


def use_counts(graph: FloatGraph) -> Counter[str]:
    """Return how often each tensor is used, as an input of a node or an output of the graph."""
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(graph.outputs)
    return uses


def rename(graph: FloatGraph, names: dict[str, str]) -> FloatGraph:
    """Return the graph with tensors renamed."""
    if not names:
        return graph

    def new(name: str) -> str:
        return names.get(name, name)

    nodes = tuple(
        replace(node, inputs=tuple(new(n) for n in node.inputs), output=new(node.output))
        for node in graph.nodes
    )
    return replace(
        graph,
        inputs=tuple(new(n) for n in graph.inputs),
        outputs=tuple(new(n) for n in graph.outputs),
        shapes={new(n): shape for n, shape in graph.shapes.items()},
        formats={new(n): form for n, form in graph.formats.items()},
        edges={new(n): edge for n, edge in graph.edges.items()},
        nodes=nodes,
    )


def drop_dead(graph: FloatGraph) -> FloatGraph:
    """Return the graph without nodes that no output depends on."""
    needed = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    alive = needed | set(graph.inputs)
    shapes = {name: shape for name, shape in graph.shapes.items() if name in alive}
    return replace(graph, nodes=tuple(reversed(kept)), shapes=shapes)


def absorb_quantizers(graph: FloatGraph) -> FloatGraph:
    """Return the graph with pairs of QuantizeLinear and DequantizeLinear as number formats.

    Raises
    ------
    UnsupportedError
        One tensor is quantized in two ways.
    """
    formats: dict[str, Format] = dict(graph.formats)
    names: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(names.get(name, name) for name in node.inputs)
        if not isinstance(node, Quantize):
            nodes.append(replace(node, inputs=inputs))
            continue
        if formats.setdefault(inputs[0], node.format) != node.format:
            raise UnsupportedError(
                "SL-Q114", f"{inputs[0]} is quantized in two ways", node=node.name
            )
        names[node.output] = inputs[0]
    outputs = {names[name]: name for name in graph.outputs if name in names}
    kept = replace(
        graph,
        nodes=tuple(nodes),
        formats=formats,
        outputs=tuple(names.get(name, name) for name in graph.outputs),
        shapes={n: shape for n, shape in graph.shapes.items() if n not in names},
    )
    return rename(kept, {k: v for k, v in outputs.items() if k not in graph.inputs})
