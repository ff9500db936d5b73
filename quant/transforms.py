"""Transforms of float graphs: each is a function from graph to graph with the same meaning."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np

from .feature_maps import feature_maps
from .float_graph import Add, Affine, Clip, Concat, Conv, FloatGraph, FloatNode, Format, Pad, Slice
from .rewrite import absorb_quantizers, drop_dead, use_counts

__all__ = [
    "collapse_concats",
    "convolve",
    "fold_affine",
    "fold_pads",
    "fuse_clips",
    "join_slices",
    "prepare",
]


def fold_affine(graph: FloatGraph) -> FloatGraph:
    """Return the graph with batch norms and constant factors folded into convolutions."""
    return _merge(graph, Affine, _with_affine)


def _with_affine(node: FloatNode, affine: FloatNode) -> FloatNode | None:
    if not isinstance(affine, Affine) or (isinstance(node, Conv) and node.high != inf):
        return None
    if isinstance(node, Affine):
        return replace(
            node,
            scale=node.scale * affine.scale,
            shift=node.shift * affine.scale + affine.shift,
        )
    if not isinstance(node, Conv) or node.low != -inf:
        return None
    plain = bool((affine.scale == 1).all())
    return replace(
        node,
        weight=node.weight if plain else node.weight * affine.scale.reshape(-1, 1, 1, 1),
        bias=node.bias * affine.scale + affine.shift,
        weight_format=node.weight_format if plain else None,
    )


def fuse_clips(graph: FloatGraph) -> FloatGraph:
    """Return the graph with clamps fused into the convolution or addition before them."""
    return _merge(graph, Clip, _with_clip)


def _with_clip(node: FloatNode, clip: FloatNode) -> FloatNode | None:
    if not isinstance(node, Conv | Add | Clip) or not isinstance(clip, Clip):
        return None
    low, high = max(node.low, clip.low), max(clip.low, min(node.high, clip.high))
    return replace(node, low=min(low, high), high=high)


def fold_pads(graph: FloatGraph) -> FloatGraph:
    """Return the graph with zero padding of height and width moved into convolutions."""
    pads = {node.output: node for node in graph.nodes if isinstance(node, Pad)}
    nodes: list[FloatNode] = []
    for node in graph.nodes:
        pad = pads.get(node.inputs[0]) if node.inputs else None
        inside = pad is None or pad.before[1] or pad.after[1] or pad.output in graph.formats
        if pad is None or inside or not isinstance(node, Conv):
            nodes.append(node)
            continue
        sides = (*pad.before[2:], *pad.after[2:])
        top, left, bottom, right = (a + b for a, b in zip(node.padding, sides, strict=True))
        padding = (top, left, bottom, right)
        nodes.append(replace(node, inputs=pad.inputs, padding=padding))
    return drop_dead(replace(graph, nodes=tuple(nodes)))


def join_slices(graph: FloatGraph) -> FloatGraph:
    """Return the graph with slices of slices as one."""
    return _merge(graph, Slice, _with_slice)


def _with_slice(node: FloatNode, outer: FloatNode) -> FloatNode | None:
    if not isinstance(node, Slice) or not isinstance(outer, Slice):
        return None
    places = zip(node.start, node.stop, node.step, strict=True)
    chosen = zip(outer.start, outer.stop, outer.step, strict=True)
    ranges = [range(*a)[slice(*b)] for a, b in zip(places, chosen, strict=True)]
    return replace(
        node,
        start=tuple(r.start for r in ranges),
        stop=tuple(r.stop for r in ranges),
        step=tuple(r.step for r in ranges),
    )


def collapse_concats(graph: FloatGraph) -> FloatGraph:
    """Return the graph with concatenations of concatenations as one."""
    uses = use_counts(graph)
    inner = {
        node.output: node
        for node in graph.nodes
        if isinstance(node, Concat) and uses[node.output] == 1 and node.output not in graph.formats
    }
    nodes = []
    for node in graph.nodes:
        if not isinstance(node, Concat):
            nodes.append(node)
            continue
        inputs = [inner[n].inputs if n in inner else (n,) for n in node.inputs]
        flat = replace(node, inputs=tuple(name for part in inputs for name in part))
        inner[node.output] = flat if node.output in inner else node
        nodes.append(flat)
    return drop_dead(replace(graph, nodes=tuple(nodes)))


def convolve(graph: FloatGraph, kind: type[FloatNode]) -> FloatGraph:
    """Return the graph with the factors or clamps that are left as depthwise convolutions."""
    nodes = tuple(_as_conv(graph, n) if isinstance(n, kind) else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def _as_conv(graph: FloatGraph, node: FloatNode) -> Conv:
    channels = graph.shapes[node.output][1]
    scale = node.scale if isinstance(node, Affine) else np.ones(1, np.float32)
    shift = node.shift if isinstance(node, Affine) else np.zeros(1, np.float32)
    unit = Format(bits=2, signed=True, exponents=(0,), low=-2, high=1)
    return Conv(
        name=node.name,
        inputs=node.inputs,
        output=node.output,
        weight=np.broadcast_to(scale, (channels,)).reshape(channels, 1, 1, 1).copy(),
        bias=np.broadcast_to(shift, (channels,)).copy(),
        groups=channels,
        low=node.low if isinstance(node, Clip) else -inf,
        high=node.high if isinstance(node, Clip) else inf,
        weight_format=unit if isinstance(node, Clip) else None,
    )


def _merge(
    graph: FloatGraph,
    kind: type[FloatNode],
    join: Callable[[FloatNode, FloatNode], FloatNode | None],
) -> FloatGraph:
    """Join nodes of a kind with the node before them, where that feeds nothing else."""
    uses = use_counts(graph)
    place = {node.output: index for index, node in enumerate(graph.nodes)}
    nodes: dict[int, FloatNode] = dict(enumerate(graph.nodes))
    for index, node in enumerate(graph.nodes):
        source = node.inputs[0] if node.inputs else ""
        alone = uses[source] == 1 and source not in graph.formats
        if not isinstance(node, kind) or source not in place or not alone:
            continue
        merged = join(nodes[place[source]], node)
        if merged is not None:
            del nodes[index]
            nodes[place[source]] = replace(merged, output=node.output)
            place[node.output] = place.pop(source)
    return drop_dead(replace(graph, nodes=tuple(nodes[index] for index in sorted(nodes))))


def prepare(graph: FloatGraph) -> FloatGraph:
    """Return an imported graph as feature maps, with everything fused that can be."""
    graph = feature_maps(absorb_quantizers(drop_dead(graph)))
    graph = convolve(fold_affine(fold_pads(graph)), Affine)
    graph = convolve(fuse_clips(graph), Clip)
    return collapse_concats(join_slices(graph))
