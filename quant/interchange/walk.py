"""From a model with quantizers of its own to integers: exactly, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from .. import float_graph as fg
from ..bipolar import mark_bipolar
from ..errors import ModelError, UnsupportedError
from ..float_graph import FloatGraph, FloatNode
from ..graph import Host, QuantGraph
from ..host_models import host_model
from ..plain_nodes import kept, on_host
from ..staircases import Uniform
from .emission import emit_closed
from .inputs import Raw, input_codes
from .joins import concat, open_add
from .open_layer import Chain, OpenLayer, identity_layer
from .two_stages import is_first_stage, open_second
from .values import Coded, Real, State, Values
from .weight_codes import coded_layer

__all__ = ["walk"]


def walk(graph: FloatGraph, fallback: Callable[[str], tuple[bool, int]]) -> QuantGraph:
    """Return the integers of a model whose quantizers are staircases.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, with batch norms and factors in their places.
    fallback : callable
        Returns sign and exponent of 8-bit codes for an input that the model does not quantize.

    Raises
    ------
    UnsupportedError
        Something cannot be made exactly.
    """
    values = Values(graph, fallback)
    steps = _Walk(values)
    for node in graph.nodes:
        try:
            steps.step(node)
        except ArithmeticError as error:  # a factor that overflowed has no fraction
            raise ModelError(
                "SL-Q106", str(error), node=node.name, allowed="finite factors and terms"
            ) from None
    for name in graph.outputs:
        values.finish(name)
    for name in graph.inputs:
        values.coded(name, name)
    inputs = {name: values.made.tensors[name] for name in graph.inputs}
    network = QuantGraph(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        tensors=inputs | values.made.tensors,
        nodes=tuple(values.made.nodes),
        edges=values.edges,
    )
    return mark_bipolar(network)


class _Walk:
    """One walk through a graph, in topological order."""

    def __init__(self, values: Values) -> None:
        self.values, self.made = values, values.made
        self.tail = _tail(values.graph)

    def step(self, node: FloatNode) -> None:
        """Take in one node."""
        steps: dict[type[FloatNode], Callable[[Any], State]] = {
            fg.Conv: self._conv,
            fg.AveragePool: self._average,
            fg.Affine: self._affine,
            fg.Clip: self._clip,
            fg.Staircase: self._staircase,
            fg.MaxPool: self._max_pool,
            fg.Add: lambda found: open_add(self.values, found),
            fg.Concat: lambda found: concat(self.values, found),
            fg.Host: self._host,
            fg.Pad: self._kept,
            fg.Slice: self._kept,
            fg.Shuffle: self._kept,
        }
        if node.output in self.tail and self._on_host(node):
            self.values.states[node.output] = self._moved_to_host(node)
        else:
            self.values.states[node.output] = steps[type(node)](node)

    def _on_host(self, node: FloatNode) -> bool:
        """Return whether nothing behind the last quantizer can be codes any more."""
        states = [self.values.states[name] for name in node.inputs]
        joins = isinstance(node, fg.Add | fg.Concat)
        follows = isinstance(node, fg.Affine | fg.Clip | fg.AveragePool | fg.Pad | fg.Slice)
        return joins or (follows and any(isinstance(state, Real) for state in states))

    def _moved_to_host(self, node: FloatNode) -> Real:
        inputs = tuple(self.values.real(name, node.name) for name in dict.fromkeys(node.inputs))
        graph = self.values.graph
        output = f"{node.output}/map" if node.output in graph.outputs else node.output
        host = Host(
            name=self.values.unique(node.name),
            inputs=inputs,
            output=output,
            op=type(node).__name__,
            reason="it follows the last quantizer",
            model=host_model(node, graph.shapes),
        )
        self.made.nodes.append(host)
        return Real(output)

    def _conv(self, node: fg.Conv) -> OpenLayer:
        source = self.values.coded(node.inputs[0], node.name)
        conv, steps = coded_layer(node)
        chain = Chain.linear([step * source.scale for step in steps])
        chain = chain.affine(np.ones(1, np.float32), node.bias).clip(node.low, node.high)
        return self.values.open(replace(conv, inputs=(source.name,)), chain)

    def _average(self, node: fg.AveragePool) -> OpenLayer:
        source = self.values.coded(node.inputs[0], node.name)
        tensor = self.made.tensors[source.name]
        conv = identity_layer(node.name, source.name, tensor, node.kernel)
        conv = replace(conv, stride=node.stride, dilation=node.dilation, padding=node.padding)
        size = node.kernel[0] * node.kernel[1]
        return self.values.open(conv, Chain.linear([source.scale / size] * tensor.shape[0]))

    def _affine(self, node: fg.Affine) -> State:
        state = self.values.states[node.inputs[0]]
        factor = Fraction(float(node.scale.flat[0]))
        alike = factor > 0 and bool((node.scale == node.scale.flat[0]).all())
        if isinstance(state, Coded) and alike and not node.shift.any():
            return Coded(state.name, state.scale * factor)  # the same codes, worth more
        return self._then(node, lambda chain: chain.affine(node.scale, node.shift))

    def _clip(self, node: fg.Clip) -> State:
        return self._then(node, lambda chain: chain.clip(node.low, node.high))

    def _then(self, node: FloatNode, change: Callable[[Chain], Chain]) -> State:
        state = self.values.states[node.inputs[0]]
        if isinstance(state, Raw):
            return replace(state, chain=change(state.chain))
        layer = (
            state if isinstance(state, OpenLayer) else self.values.opened(node.inputs[0], node.name)
        )
        found = layer.then(change)
        if found is None:
            raise UnsupportedError(
                "SL-Q109",
                "a negative factor behind a pool, before the next quantizer",
                node=node.name,
                fix="place the quantizer before the pool",
            )
        return found

    def _staircase(self, node: fg.Staircase) -> Coded | OpenLayer:
        state = self.values.states[node.inputs[0]]
        if isinstance(state, Raw):
            state = self._entered(state, node)
            if isinstance(state, Coded):
                return state
        if isinstance(state, Coded) and self._holds(state, node):
            return state
        layer = (
            state if isinstance(state, OpenLayer) else self.values.opened(node.inputs[0], node.name)
        )
        if is_first_stage(self.values.graph, layer, node):
            return open_second(layer, node)
        return emit_closed(self.values, layer, node)

    def _entered(self, raw: Raw, node: fg.Staircase) -> Coded | OpenLayer:
        """Return an input as codes, with what lies between it and its quantizer."""
        codes, step = input_codes(raw, node, self.values.shape(raw.name))
        source = self.values.enter(raw.name, codes, step)
        gains = {gain * source.scale for gain in raw.chain.gain}
        rule = node.rule
        same = isinstance(rule, Uniform) and gains == {rule.step}
        if same and source.scale == step and rule.codes == (codes.low, codes.high):
            return Coded(raw.name, node.scale)
        chain = raw.chain.behind(source.scale)
        known = self.made.tensors[raw.name]
        return self.values.open(identity_layer(node.name, raw.name, known), chain)

    def _holds(self, source: Coded, node: fg.Staircase) -> bool:
        """Return whether a quantizer leaves codes as they are."""
        rule, tensor = node.rule, self.made.tensors[source.name]
        same = isinstance(rule, Uniform) and rule.step == node.scale == source.scale
        low, high = rule.codes
        return same and low <= tensor.low and tensor.high <= high

    def _max_pool(self, node: fg.MaxPool) -> State:
        state = self.values.states[node.inputs[0]]
        if isinstance(state, OpenLayer) and state.pool is None and state.add is None:
            return replace(state, pool=node)
        return self._kept(node)

    def _kept(self, node: fg.MaxPool | fg.Pad | fg.Slice | fg.Shuffle) -> Coded:
        source = self.values.coded(node.inputs[0], node.name)
        tensor = replace(self.made.tensors[source.name], shape=self.values.shape(node.output))
        moved = replace(node, inputs=(source.name,), name=self.values.unique(node.name))
        self.made.emit(kept(moved, tensor), tensor)
        return Coded(node.output, source.scale)

    def _host(self, node: fg.Host) -> State:
        if node.requantized and not node.keeps_format:
            raise UnsupportedError(
                "SL-Q109",
                f"{node.op} between quantized layers: {node.reason}",
                node=node.name,
                allowed="operators of the host behind the last quantized layer",
                fix="replace it by operators of the machine, or move it to the end of the model",
            )
        if node.requantized:
            source = self.values.coded(node.inputs[0], node.name)
            tensor = replace(self.made.tensors[source.name], shape=self.values.shape(node.output))
            self.made.emit(on_host(node, (source.name,)), tensor)
            return Coded(node.output, source.scale)
        inputs = tuple(self.values.real(name, node.name) for name in node.inputs)
        self.made.nodes.append(on_host(node, inputs))
        return Real(node.output)


def _tail(graph: FloatGraph) -> set[str]:
    """Return tensors behind which there is no quantizer."""
    before: set[str] = set()
    for node in reversed(graph.nodes):
        if isinstance(node, fg.Staircase) or node.output in before:
            before.update(node.inputs)
    return {node.output for node in graph.nodes} - before
