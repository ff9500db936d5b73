"""Nodes that only move codes: concatenation, padding, slices."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..quant.graph import Concat, Node, Pad, Slice
from .context import Context, zeros
from .ops import ArrayOp, Source, Window

__all__ = ["concat", "pad", "slice_"]


def concat(context: Context, node: Concat) -> None:
    """Add a concatenation: nothing for parts that are written in place, copies for others."""
    copies = [name for name in node.inputs if context.alias.get(name, ("",))[0] != node.output]
    offset, selections, aligned = 0, [], True
    outputs = context.graph.tensors[node.output].shape[0]
    for name in node.inputs:
        channels = context.graph.tensors[name].shape[0]
        aligned = aligned and not offset % context.config.columns
        selections.append((name, offset, channels))
        offset += channels
    if not aligned:
        sources = tuple(_selection(context, n, c, o, outputs) for n, o, c in selections)
        context.ops.append(ArrayOp(**context.common(node, "concat"), sources=sources))
        return
    for name, first, channels in selections:
        if name in copies:
            common = context.common(node, "copy")
            block = common["out"].block + first // context.config.columns
            common["tensor"] = name
            common["out"] = replace(common["out"], block=block, channels=channels)
            common |= {"bias": zeros(channels), "mid_bias": zeros(channels)}
            context.vector(replace(node, inputs=(name,)), common, np.ones((1, 1, 1), np.int64))


def _selection(context: Context, name: str, channels: int, first: int, outputs: int) -> Source:
    """Return a source whose channels appear from output ``first`` on; negative: sliced."""
    weight = np.zeros((outputs, channels, 1, 1), np.int8)
    for channel in range(max(0, -first), min(channels, outputs - first)):
        weight[first + channel, channel] = 1
    return Source(tensor=name, view=context.view(name), weight=weight)


def pad(context: Context, node: Pad) -> None:
    """Add padding by zeros."""
    common = context.common(node, "pad")
    common["window"] = Window(origin=(-node.before[1], -node.before[2]))
    _move(context, node, common, node.before[0])


def slice_(context: Context, node: Slice) -> None:
    """Add a slice, unless it is a view."""
    if context.alias.get(node.output, ("", 0))[0] == node.inputs[0]:
        return
    common = context.common(node, "slice")
    common["window"] = Window(
        origin=(node.start[1], node.start[2]), stride=(node.step[1], node.step[2])
    )
    if node.step[0] == 1:
        _move(context, node, common, -node.start[0])
        return
    channels = context.graph.tensors[node.inputs[0]].shape[0]
    outputs = context.graph.tensors[node.output].shape[0]
    source = _selection(context, node.inputs[0], channels, channels, outputs)
    for index in range(outputs):
        source.weight[index, node.start[0] + index * node.step[0]] = 1
    context.ops.append(ArrayOp(**common, sources=(source,)))


def _move(context: Context, node: Node, common: dict[str, Any], first: int) -> None:
    """Copy channels so that they appear from output channel ``first`` on."""
    channels = context.graph.tensors[node.inputs[0]].shape[0]
    outputs = context.graph.tensors[node.output].shape[0]
    if first == 0 and channels == outputs:
        context.vector(node, common, np.ones((1, 1, 1), np.int64))
        return
    source = _selection(context, node.inputs[0], channels, first, outputs)
    context.ops.append(ArrayOp(**common, sources=(source,)))
