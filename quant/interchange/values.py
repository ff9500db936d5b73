"""What is known of each tensor while a quantized model is imported."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from ..errors import UnsupportedError
from ..float_graph import FloatGraph
from ..graph import Conv, TensorType
from .inputs import Raw, format_of_codes, raw_input
from .open_layer import Chain, OpenLayer, identity_layer, reach
from .reals import real_values
from .sums import Made, keep, store_sums

__all__ = ["Coded", "Real", "State", "Values"]


@dataclass(frozen=True)
class Coded:
    """A tensor of codes, and what one of its steps is worth."""

    name: str
    scale: Fraction


@dataclass(frozen=True)
class Real:
    """A float tensor that the host made."""

    name: str


State = Raw | Coded | OpenLayer | Real


class Values:
    """Tensors of one model: as they come, as codes, as open sums, or as floats of the host.

    Parameters
    ----------
    graph : FloatGraph
        The model on feature maps.
    fallback : callable
        Returns sign and exponent of 8-bit codes for an input that the model does not quantize.
    """

    def __init__(self, graph: FloatGraph, fallback: Callable[[str], tuple[bool, int]]) -> None:
        self.graph, self.fallback = graph, fallback
        self.edges = dict(graph.edges)
        self.made = Made()
        self.names: set[str] = set()
        self.states: dict[str, State] = {
            name: raw_input(name, self.shape(name)[0]) for name in graph.inputs
        }

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return a feature map's shape."""
        channels, height, width = self.graph.shapes[name][1:]
        return channels, height, width

    def unique(self, name: str) -> str:
        """Return a name that no node has."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def open(self, conv: Conv, chain: Chain) -> OpenLayer:
        """Return a layer with its reach."""
        tensor = self.made.tensors[conv.inputs[0]]
        return OpenLayer(conv=conv, reach=reach(conv, tensor), chain=chain)

    def opened(self, name: str, node: str) -> OpenLayer:
        """Return a tensor as a layer that changes nothing yet."""
        source = self.coded(name, node)
        tensor = self.made.tensors[source.name]
        conv = identity_layer(node, source.name, tensor)
        return self.open(conv, Chain.linear([source.scale] * tensor.shape[0]))

    def enter(self, name: str, tensor: TensorType, step: Fraction) -> Coded:
        """Return an input as codes; those that it has already, if it has."""
        state = self.states[name]
        if isinstance(state, Coded):
            return state
        self.made.tensors[name] = tensor
        self._at_edge(name, step / Fraction(2) ** tensor.exponent)
        self.states[name] = found = Coded(name, step)
        return found

    def _at_edge(self, name: str, factor: Fraction) -> None:
        """Note that the codes of an input or output are worth more than their format says."""
        if factor != 1:
            self.edges[name] = replace(self.edges[name], scale=float(factor))

    def coded(self, name: str, node: str) -> Coded:
        """Return a tensor as codes."""
        state = self.states[name]
        if isinstance(state, Raw) and state.chain.is_identity:
            signed, exponent = self.fallback(state.name)
            tensor = TensorType(shape=self.shape(name), signed=signed, exponent=exponent)
            state = self.enter(state.name, tensor, Fraction(2) ** exponent)
        if isinstance(state, Coded):
            return state
        raise UnsupportedError(
            "SL-Q109",
            f"its input {name} has no quantizer",
            node=node,
            allowed="a quantizer behind every layer but the last",
            fix="add an activation quantizer there, and export again",
        )

    def real(self, name: str, node: str, output: str = "") -> str:
        """Return a tensor whose values are the model's, in float, or codes that are worth them."""
        state = self.states[name]
        if isinstance(state, Raw):
            state = self.coded(name, node)
        if isinstance(state, Real):
            return state.name
        target = output or f"{name}/real"
        if target in {node.output for node in self.made.nodes}:
            return target
        if isinstance(state, Coded):
            tensor = self.made.tensors[state.name]
            scale = state.scale / Fraction(2) ** tensor.exponent
            if scale == 1:
                return state.name
            names, chain = [state.name], Chain.linear([scale] * tensor.shape[0])
            conv = None
        else:
            names, chain, conv = self._sums(state, name, node)
        shape = self.made.tensors[names[0]].shape
        edge = self.graph.edges[output] if output else None
        self.made.nodes.append(real_values(target, names, chain, shape=shape, edge=edge, conv=conv))
        return target

    def _sums(self, layer: OpenLayer, name: str, node: str) -> tuple[list[str], Chain, Conv | None]:
        """Return tensors that a layer's sums are made of, and what is left to do."""
        if layer.pool is not None:
            raise UnsupportedError(
                "SL-Q109",
                "a pool behind the last layer, without quantizer between them",
                node=layer.pool.name,
                fix="add a quantizer behind the last layer",
            )
        if layer.add is not None:
            return [self.exact_sum(layer, node)], layer.chain, None
        names = store_sums(self.made, layer, self.unique(layer.conv.name), self.shape(name))
        if names:
            return names, layer.chain, None
        (source,) = layer.conv.inputs
        step = Fraction(2) ** self.made.tensors[source].exponent
        gains = tuple(gain / step for gain in layer.chain.gain)
        return [source], replace(layer.chain, gain=gains), layer.conv

    def exact_sum(self, layer: OpenLayer, node: str) -> str:
        """Emit an addition that keeps every bit, and return its output."""
        assert layer.add is not None
        low, high = int(layer.reach[0].min()), int(layer.reach[1].max())
        shape = self.made.tensors[layer.add.inputs[0]].shape
        tensor = format_of_codes(shape, low, high, 0)
        if tensor is None:
            raise UnsupportedError(
                "SL-Q104",
                f"the sum of {layer.add.name} has codes from {low} to {high}",
                node=node,
                allowed="8 bits, or a power-of-two relation to the quantizer behind it",
                fix="quantize both terms with the scale of their sum, or to fewer bits",
            )
        name = f"{layer.add.output}/exact"
        if name not in self.made.tensors:
            add = replace(
                layer.add,
                name=self.unique(layer.add.name),
                output=name,
                requantize=keep(tensor.low, tensor.high),
            )
            self.made.emit(add, tensor)
        return name

    def copy(self, source: Coded, output: str, tensor: TensorType) -> str:
        """Emit codes again, in a format that holds them."""
        conv = identity_layer(output, source.name, self.made.tensors[source.name])
        form = keep(tensor.low, tensor.high)
        return self.made.emit(replace(conv, output=output, requantize=form), tensor)

    def _named(self, state: Coded, name: str, tensor: TensorType) -> None:
        """Give a tensor an output's name; one that has a public name already is copied."""
        if state.name in (*self.graph.inputs, *self.graph.outputs):
            self.copy(state, name, tensor)
            return
        self.made.rename(state.name, name)
        for other, known in self.states.items():
            if isinstance(known, Coded) and known.name == state.name:
                self.states[other] = Coded(name, known.scale)

    def finish(self, name: str) -> None:
        """Make an output."""
        state = self.states[name]
        if isinstance(state, Raw):
            state = self.coded(name, name)
        if isinstance(state, Coded):
            tensor = self.made.tensors[state.name]
            if state.name != name:
                self._named(state, name, tensor)
            self._at_edge(name, state.scale / Fraction(2) ** tensor.exponent)
        elif isinstance(state, OpenLayer):
            self.real(name, name, output=name)
        elif state.name != name:
            shape = self.shape(name)
            same = Chain.linear([Fraction(1)] * shape[0])
            edge = self.graph.edges[name]
            self.made.nodes.append(real_values(name, [state.name], same, shape=shape, edge=edge))
