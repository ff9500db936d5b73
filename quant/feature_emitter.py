"""The graph of feature maps in the making: what lies where, and what the host has to move."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from math import prod

import numpy as np
from numpy.typing import NDArray

from . import float_graph as fg
from .errors import UnsupportedError
from .float_graph import FloatGraph, FloatNode
from .graph import EdgeLayout
from .host_models import host_model, with_layouts
from .rewrite import rename
from .views import View, view_of

__all__ = ["Emitter"]

Shape = tuple[int, ...]


class Emitter:
    """Collects nodes on feature maps.

    Parameters
    ----------
    graph : FloatGraph
        The graph that is being rewritten.
    coded : set of str
        Tensors that have to be codes, even if the host makes them.
    """

    def __init__(self, graph: FloatGraph, coded: set[str]) -> None:
        self.graph = graph
        self.coded = coded
        self.nodes: list[FloatNode] = []
        #: Feature maps, and float tensors of the host.
        self.shapes: dict[str, Shape] = {}
        self.views: dict[str, View] = {}
        self.floats: set[str] = set()
        self.edges: dict[str, EdgeLayout] = {}
        self.free = set(graph.inputs)
        for name in graph.inputs:
            self.views[name] = View(base=name, shape=graph.shapes[name][1:])

    def set_view(self, name: str, view: View) -> None:
        """Record where a tensor of the model lies."""
        self.views[name] = view

    def emit(self, node: FloatNode, shape: Shape, view: View) -> None:
        """Add a node that makes a feature map; ``view`` is its tensor of the model."""
        self.nodes.append(node)
        self.shapes[node.output] = shape
        self.views[node.output] = view

    def placed(self, name: str) -> View:
        """Return where a tensor lies, on a feature map whose shape is settled."""
        view = self.views[name]
        if view.base in self.free:
            shape = view.shape if len(view.shape) <= 3 else (prod(view.shape),)
            self._settle(view, (*shape, *(1,) * (3 - len(shape))))
        return self.views[name]

    def plain(self, name: str, shape: Shape) -> str:
        """Return a feature map of a shape that holds a tensor in plain order."""
        return self.plain_view(self.views[name], shape)

    def plain_view(self, view: View, shape: Shape) -> str:
        """Return a feature map of a shape that holds the elements of a view in its order."""
        if view.base in self.free and self._settle(view, shape):
            return view.base
        if view.index is None and self.shapes[view.base][1:] == shape:
            return view.base
        return self._moved(view, shape)

    def _settle(self, view: View, shape: Shape) -> bool:
        """Choose how an input of the model becomes a feature map; False if it cannot be so."""
        name = view.base
        self.free.remove(name)
        model = self.graph.shapes[name]
        order = view.indices().ravel()
        layout = _layout(model, order)
        settled = layout is not None
        if layout is None:
            layout, order = EdgeLayout(shape=model), np.arange(order.size)
            shape = (order.size, 1, 1)
        self.shapes[name], self.edges[name] = (1, *shape), layout
        place = np.argsort(order)
        for other, seen in list(self.views.items()):
            if seen.base == name:
                self.views[other] = view_of(name, place[seen.indices()])
        return settled

    def _moved(self, view: View, shape: Shape) -> str:
        name = f"{view.base}/moved{len(self.nodes)}"
        channels = _channel_order(view, self.shapes[view.base], shape)
        if channels is not None:
            moved: FloatNode = fg.Shuffle(
                name=name, inputs=(view.base,), output=name, channels=channels
            )
        else:
            blank = fg.Reshape(name=name, inputs=("moved",), output=name)
            data = host_model(blank, {"moved": (1, *view.shape), name: (1, *shape)})
            moved = fg.Host(
                name=name,
                inputs=(view.base,),
                output=name,
                op="Transpose" if view.index is not None else "Reshape",
                reason="the machine keeps the layout of feature maps",
                model=with_layouts(data, {"moved": view}, self.shapes, None),
                requantized=True,
                keeps_format=True,
            )
        self.emit(moved, (1, *shape), View(base=name, shape=shape))
        return name

    def host_of(self, node: FloatNode) -> None:
        """Let the host carry out an operator that the machine has, but not in this form."""
        self.host(
            fg.Host(
                name=node.name,
                inputs=tuple(dict.fromkeys(node.inputs)),
                output=node.output,
                op=type(node).__name__,
                reason=_reason(node, self.floats),
                model=host_model(node, self.graph.shapes),
            )
        )

    def host(self, node: fg.Host) -> None:
        """Add a host node, with the layouts of its feature maps."""
        views = {n: self.placed(n) for n in node.inputs if n not in self.floats}
        shape = self.graph.shapes[node.output]
        coded = node.output in self.coded
        result = _feature_shape(node, shape) if coded else None
        bases = tuple(dict.fromkeys(view.base for view in views.values()))
        host = replace(
            node,
            inputs=(*bases, *(n for n in node.inputs if n in self.floats)),
            model=with_layouts(node.model, views, self.shapes, result),
            requantized=coded,
        )
        self.nodes.append(host)
        self.shapes[node.output] = shape if result is None else result
        if result is None:
            self.floats.add(node.output)
        else:
            self.views[node.output] = View(base=node.output, shape=shape[1:])

    def finish(self) -> FloatGraph:
        """Return the graph, with the model's names for its inputs and outputs."""
        for name in self.graph.inputs:
            self.placed(name)
        names: dict[str, str] = {}
        outputs = tuple(self._output(name, names) for name in self.graph.outputs)
        formats = {n: f for n, f in self._formats().items() if n in self.shapes}
        graph = FloatGraph(
            name=self.graph.name,
            inputs=self.graph.inputs,
            outputs=outputs,
            shapes=self.shapes,
            nodes=tuple(self.nodes),
            formats=formats,
            edges=self.edges,
        )
        return rename(graph, names)

    def _formats(self) -> Mapping[str, fg.Format]:
        """Return prescribed formats by feature map."""
        forms = self.graph.formats
        return {self.views[n].base if n in self.views else n: f for n, f in forms.items()}

    def _output(self, name: str, names: dict[str, str]) -> str:
        shape = self.graph.shapes[name]
        if name in self.floats:
            self.edges[name] = EdgeLayout(shape=shape)
            return name
        view = self.placed(name)
        layout = _layout(shape, np.argsort(view.indices().ravel())) if shape[:1] == (1,) else None
        if layout is None or view.base in self.graph.inputs or view.base in names:
            self._float_copy(name, view)
            return name
        if view.base != name:
            names[view.base] = name
        self.edges[view.base] = layout
        return view.base

    def _float_copy(self, name: str, view: View) -> None:
        blank = fg.Reshape(name=name, inputs=("moved",), output=name)
        shape = self.graph.shapes[name]
        data = host_model(blank, {"moved": (1, *view.shape), name: shape})
        copy = fg.Host(
            name=f"{name}/copy",
            inputs=(view.base,),
            output=name,
            op="Transpose" if view.index is not None else "Reshape",
            reason="the model wants this output in another layout",
            model=with_layouts(data, {"moved": view}, self.shapes, None),
        )
        self.nodes.append(copy)
        self.shapes[name] = shape
        self.edges[name] = EdgeLayout(shape=shape)


def _layout(shape: Shape, order: NDArray[np.int64]) -> EdgeLayout | None:
    """Return how a tensor of the model, in this order of elements, is a feature map."""
    elements = np.arange(order.size).reshape(shape[1:])
    if (order == elements.ravel()).all():
        return EdgeLayout(shape=shape)
    for axes in permutations(range(elements.ndim)) if elements.ndim <= 4 else ():
        if (order == elements.transpose(axes).ravel()).all():
            return EdgeLayout(shape=shape, permutation=axes)
    return None


def _channel_order(view: View, base: Shape, shape: Shape) -> Shape | None:
    """Return the source of each channel, if a view only reorders channels."""
    if base[1:] != shape:
        return None
    channels = view.indices().reshape(shape[0], -1)
    plain = np.arange(channels.shape[1])
    order = channels[:, 0] // channels.shape[1]
    whole = (channels == order[:, None] * channels.shape[1] + plain).all()
    return tuple(int(c) for c in order) if whole else None


def _feature_shape(node: fg.Host, shape: Shape) -> Shape:
    if shape[:1] != (1,):
        raise UnsupportedError(
            "SL-Q107", f"{node.op} makes {shape}", node=node.name, allowed="a batch of one"
        )
    sizes = shape[1:] if len(shape) <= 4 else (prod(shape),)
    return (1, *sizes, *(1,) * (3 - len(sizes)))


def _reason(node: FloatNode, floats: set[str]) -> str:
    if any(name in floats for name in node.inputs):
        return "it follows an operator of the host"
    if isinstance(node, fg.AveragePool):
        return "the mean leaves out padding, so its divisor varies"
    if isinstance(node, fg.Add):
        return "its terms differ in shape"
    if isinstance(node, fg.Affine):
        return "its constant varies within a feature map"
    return "it does not fit the layout of feature maps"
