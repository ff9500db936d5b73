"""From a model's own tensors to feature maps: transposes and reshapes disappear.

A dense layer becomes a convolution whose kernel covers its input, whatever layout was flattened.
Where an operator needs an order that the machine does not make, the host makes it.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from . import float_graph as fg
from .errors import ModelError, UnsupportedError
from .feature_emitter import Emitter
from .float_graph import FloatGraph, FloatNode
from .staircases import Bank
from .views import View, find_permutation, view_of

__all__ = ["feature_maps"]

Shape = tuple[int, ...]

_LAYOUT = (fg.Reshape, fg.Transpose)


def feature_maps(graph: FloatGraph) -> FloatGraph:
    """Return a graph of feature maps ``(1, channels, height, width)`` with the same meaning.

    Raises
    ------
    ModelError
        The model's batch is not one.
    """
    for name in graph.inputs:
        if not graph.shapes[name] or graph.shapes[name][0] != 1:
            raise ModelError(
                "SL-Q107",
                f"input of shape {graph.shapes[name]}",
                node=name,
                allowed="a batch of one, or a free batch, as first axis",
                fix="export the model with batch 1",
            )
    return _Lowering(graph).run()


class _Lowering:
    """One walk through a graph; ``views`` holds where each of its tensors lies."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.emitter = Emitter(graph, _coded(graph))
        self.views = self.emitter.views

    def run(self) -> FloatGraph:
        for node in self.graph.nodes:
            on_host = any(name in self.emitter.floats for name in node.inputs)
            if isinstance(node, fg.Host):
                self.emitter.host(node)
            elif on_host or not self._lower(node):
                self.emitter.host_of(node)
        return self.emitter.finish()

    def _lower(self, node: FloatNode) -> bool:
        """Emit a node for the machine; return False when the host has to do it."""
        lower: dict[type[FloatNode], Callable[[Any], bool]] = {
            fg.Reshape: self._layout,
            fg.Transpose: self._layout,
            fg.Clip: self._elementwise,
            fg.Affine: self._elementwise,
            fg.Staircase: self._staircase,
            fg.Conv: self._windowed,
            fg.MaxPool: self._windowed,
            fg.AveragePool: self._windowed,
            fg.Dense: self._dense,
            fg.Add: self._add,
            fg.Concat: self._along_axes,
            fg.Pad: self._along_axes,
            fg.Slice: self._along_axes,
        }
        return lower[type(node)](node)

    def _windowed(self, node: fg.Conv | fg.MaxPool | fg.AveragePool) -> bool:
        if isinstance(node, fg.AveragePool) and not node.include_padding:
            return False
        base = self.emitter.plain(node.inputs[0], self.graph.shapes[node.inputs[0]][1:])
        self._emit(replace(node, inputs=(base,)))
        return True

    def _emit(self, node: FloatNode, index: View | None = None) -> None:
        shape = self.graph.shapes[node.output]
        view = index or View(base=node.output, shape=shape[1:])
        base = shape if index is None else self.emitter.shapes[node.inputs[0]]
        self.emitter.emit(node, base, view)

    def _layout(self, node: FloatNode) -> bool:
        view = self.views[node.inputs[0]]
        shape = self.graph.shapes[node.output]
        if isinstance(node, fg.Transpose):
            if node.permutation[0] != 0:
                return False
            view = view.transposed(tuple(axis - 1 for axis in node.permutation[1:]))
        elif shape[:1] != (1,):
            return False
        else:
            view = view.reshaped(shape[1:])
        self.emitter.set_view(node.output, view)
        return True

    def _elementwise(self, node: fg.Clip | fg.Affine) -> bool:
        view = self.emitter.placed(node.inputs[0])
        if isinstance(node, fg.Affine):
            found = self._per_channel(node, view)
            if found is None:
                return False
            node = found
        node = replace(node, inputs=(view.base,))
        self._emit(node, view.on(node.output))
        return True

    def _staircase(self, node: fg.Staircase) -> bool:
        """Emit a quantizer; its rows become those of the feature map's channels."""
        view, rule = self.emitter.placed(node.inputs[0]), node.rule
        if isinstance(rule, Bank) and len(rule.thresholds) > 1:
            rows = np.arange(len(rule.thresholds), dtype=np.float32)
            places = fg.Affine(
                name="", inputs=(), output="", scale=rows, shift=rows, axis=node.axis
            )
            found = self._per_channel(places, view)
            if found is None:
                raise UnsupportedError(
                    "SL-Q107", "thresholds that vary within a feature map", node=node.name
                )
            rule = rule.picked([int(row) for row in found.scale])
        node = replace(node, inputs=(view.base,), rule=rule, axis=1)
        self._emit(node, view.on(node.output))
        return True

    def _per_channel(self, node: fg.Affine, view: View) -> fg.Affine | None:
        """Return a node with factors per channel of the feature map, if that is what they are."""
        channels = self.emitter.shapes[view.base][1]
        if node.scale.size == 1 and node.shift.size == 1:
            return replace(node, axis=1)
        if node.axis == 0:
            return None
        values = []
        for array in (node.scale, node.shift):
            spread = [1] * len(view.shape)
            spread[node.axis - 1] = array.size
            full = np.broadcast_to(array.reshape(spread), view.shape)
            flat = np.empty(full.size, np.float32)
            flat[view.indices().ravel()] = full.ravel()
            values.append(flat.reshape(channels, -1))
        if any((v != v[:, :1]).any() for v in values):
            return None
        return replace(node, scale=values[0][:, 0], shift=values[1][:, 0], axis=1)

    def _dense(self, node: fg.Dense) -> bool:
        view = self.emitter.placed(node.inputs[0])
        outputs, depth = node.weight.shape
        if len(view.shape) == 1:
            shape = self.emitter.shapes[view.base][1:]
            weight = node.weight
            if view.index is not None:
                weight = np.empty(node.weight.shape, np.float32)
                weight[:, view.index.ravel()] = node.weight
            self._emit_conv(node, view.base, weight.reshape(outputs, *shape), (outputs, 1, 1))
            return True
        if len(view.shape) != 3:
            return False
        height, width = view.shape[:2]
        base = self.emitter.plain_view(view.transposed((2, 0, 1)), (depth, height, width))
        weight = node.weight.reshape(outputs, depth, 1, 1)
        self._emit_conv(node, base, weight, (outputs, height, width))
        return True

    def _emit_conv(self, node: fg.Dense, base: str, weight: fg.Floats, shape: Shape) -> None:
        conv = fg.Conv(
            name=node.name,
            inputs=(base,),
            output=node.output,
            weight=weight,
            bias=node.bias,
            weight_format=node.weight_format,
            weight_step=node.weight_step,
        )
        index = np.arange(prod(shape)).reshape(shape)
        view = view_of(node.output, index.transpose(1, 2, 0) if prod(shape[1:]) > 1 else index)
        self.emitter.emit(conv, (1, *shape), view.reshaped(self.graph.shapes[node.output][1:]))

    def _add(self, node: fg.Add) -> bool:
        shapes = [self.graph.shapes[name] for name in node.inputs]
        if shapes[0] != shapes[1]:
            return False
        views = [self.emitter.placed(name) for name in node.inputs]
        bases = [self.emitter.shapes[view.base] for view in views]
        same = bases[0] == bases[1] and np.array_equal(views[0].indices(), views[1].indices())
        if same:
            moved = replace(node, inputs=(views[0].base, views[1].base))
            self._emit(moved, views[0].on(node.output))
            return True
        target = _as_feature_map(shapes[0][1:])
        if target is None:
            return False
        inputs = tuple(self.emitter.plain(name, target) for name in node.inputs)
        view = View(base=node.output, shape=shapes[0][1:])
        self.emitter.emit(replace(node, inputs=inputs), (1, *target), view)
        return True

    def _along_axes(self, node: fg.Concat | fg.Pad | fg.Slice) -> bool:
        """Emit a node that is defined axis by axis, in the order of its feature maps' axes."""
        views = [self.emitter.placed(name) for name in node.inputs]
        turns = {find_permutation(view.indices()) for view in views}
        turn = turns.pop()
        if turns or turn is None or len(turn) > 3:
            return False
        axes = (0, *(axis + 1 for axis in turn), *range(len(turn) + 1, 4))
        bases = tuple(
            self.emitter.plain_view(v.transposed(turn), _padded(v.shape, turn)) for v in views
        )
        lowered = _turned(node, bases, axes)
        if lowered is None:
            return False
        result = self.graph.shapes[node.output][1:]
        shape = _padded(result, turn)
        ordered = np.arange(prod(shape)).reshape([result[axis] for axis in turn])
        view = view_of(node.output, ordered.transpose(np.argsort(turn)))
        self.emitter.emit(lowered, (1, *shape), view)
        return True


def _turned(
    node: fg.Concat | fg.Pad | fg.Slice, bases: Shape | tuple[str, ...], axes: Shape
) -> FloatNode | None:
    inputs = tuple(str(base) for base in bases)
    if isinstance(node, fg.Concat):
        axis = axes.index(node.axis)
        return replace(node, inputs=inputs, axis=1) if axis == 1 else None
    if isinstance(node, fg.Pad):
        before, after = _picked(node.before, axes, 0), _picked(node.after, axes, 0)
        usable = before[0] == after[0] == 0 and min(*before, *after) >= 0
        return replace(node, inputs=inputs, before=before, after=after) if usable else None
    start, stop = _picked(node.start, axes, 0), _picked(node.stop, axes, 1)
    step = _picked(node.step, axes, 1)
    if (start[0], stop[0]) != (0, 1):
        return None
    return replace(node, inputs=inputs, start=start, stop=stop, step=step)


def _picked(values: Shape, axes: Shape, default: int) -> Shape:
    return tuple(values[axis] if axis < len(values) else default for axis in axes)


def _padded(shape: Shape, turn: Shape) -> Shape:
    return (*(shape[axis] for axis in turn), *(1,) * (3 - len(turn)))


def _as_feature_map(shape: Shape) -> Shape | None:
    return (*shape, *(1,) * (3 - len(shape))) if 1 <= len(shape) <= 3 else None


def _coded(graph: FloatGraph) -> set[str]:
    """Return tensors that operators of the machine need, maybe in another layout.

    Where the host makes one of them, its values have to return to codes.
    """
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if isinstance(node, fg.Host) or (isinstance(node, _LAYOUT) and node.output not in wanted):
            continue
        wanted.update(node.inputs)
    return wanted
