"""Which tensors are quantized, to how many bits, and which share a quantizer.

The rules are Graffitist's (README, "precision rules"): a convolution's, addition's or average
pool's output has a quantizer; the inputs of an addition share one, and so do the inputs and the
output of a concatenation; max pools and reshapes keep the format of their input.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .. import float_graph as fg
from ..errors import UnsupportedError
from ..float_graph import FloatGraph, FloatNode
from ..rewrite import use_counts

__all__ = ["Plan", "Precision", "make_plan"]


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits by layer.

    Parameters
    ----------
    weight_bits, activation_bits : int
        Widths, 2…8.
    outer_bits : int
        Width at both ends: the weights of the first and the last layer and what they read, and
        the network's output.
    per_channel : bool
        One weight threshold per output channel.
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    outer_bits: int = 8
    per_channel: bool = False
    two_stage: bool = False

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits", "outer_bits"):
            if not 2 <= getattr(self, name) <= 8:
                raise ValueError(f"{name} must be 2…8, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The quantizers of a network.

    Parameters
    ----------
    quantizer : dict of str to str
        For each tensor the quantizer that its format is from, named after the group's first
        tensor.
    members : dict of str to list of str
        For each quantizer the tensors that are quantized by it.
    bits : dict of str to int
        For each quantizer.
    signed : dict of str to bool
        For each quantizer.
    weight_bits : dict of str to int
        For each convolution that is trained.
    """

    quantizer: dict[str, str]
    members: dict[str, list[str]]
    bits: dict[str, int]
    signed: dict[str, bool]
    weight_bits: dict[str, int]


def make_plan(graph: FloatGraph, precision: Precision, signed_inputs: Mapping[str, bool]) -> Plan:
    """Return the quantizers of a network.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    precision : Precision
        Bits by layer.
    signed_inputs : mapping
        Whether each input has negative values.

    Raises
    ------
    UnsupportedError
        The model prescribes formats, or a host operator lies before a layer.
    """
    _check(graph)
    quantizer = _groups(graph)
    members: dict[str, list[str]] = {}
    for name, group in quantizer.items():
        if name in graph.inputs or _maker(graph, name):
            members.setdefault(group, []).append(name)
    signs = _signs(graph, signed_inputs)
    outer = {quantizer[name] for name in _outer_tensors(graph)}
    convs = [node.name for node in _trained_convs(graph)]
    return Plan(
        quantizer=quantizer,
        members=members,
        bits={
            g: precision.outer_bits if g in outer else precision.activation_bits for g in members
        },
        signed={group: any(signs[name] for name in names) for group, names in members.items()},
        weight_bits={
            name: precision.outer_bits if name in (convs[0], convs[-1]) else precision.weight_bits
            for name in convs
        },
    )


def _check(graph: FloatGraph) -> None:
    if graph.formats:
        raise UnsupportedError("SL-Q114", "a model that is quantized already cannot be trained")
    if not _trained_convs(graph):
        raise UnsupportedError("SL-Q109", "a model without weights cannot be trained")
    hosts = {node.output: node for node in graph.nodes if isinstance(node, fg.Host)}
    for node in graph.nodes:
        for name in set(node.inputs) & hosts.keys():
            if node.output not in hosts:
                raise UnsupportedError(
                    "SL-Q109",
                    f"{hosts[name].op} before a layer that is trained",
                    node=hosts[name].name,
                    allowed="host operators at the end of the network",
                )


def _trained_convs(graph: FloatGraph) -> list[fg.Conv]:
    """Return the layers with weights; a clamp on its own is a convolution with fixed ones."""
    return [n for n in graph.nodes if isinstance(n, fg.Conv) and n.weight_format is None]


def _maker(graph: FloatGraph, name: str) -> FloatNode | None:
    """Return the node that makes a tensor, if its output is quantized."""
    kinds = (fg.Conv, fg.Add, fg.AveragePool, fg.Concat)
    found = (node for node in graph.nodes if node.output == name and isinstance(node, kinds))
    return next(found, None)


def _groups(graph: FloatGraph) -> dict[str, str]:
    """Return for each tensor the first tensor of its group."""
    uses, leader = use_counts(graph), {name: name for name in graph.inputs}
    for node in graph.nodes:
        if isinstance(node, fg.Host):
            continue
        kept = not isinstance(node, fg.Conv | fg.Add | fg.AveragePool | fg.Concat)
        leader[node.output] = leader[node.inputs[0]] if kept else node.output
        if not isinstance(node, fg.Add | fg.Concat):
            continue
        group = [n for n in dict.fromkeys(node.inputs) if uses[n] == 1 and _is_open(graph, n)]
        group += [node.output] * isinstance(node, fg.Concat)
        leader.update(dict.fromkeys(group, group[0] if group else ""))
    return leader


def _is_open(graph: FloatGraph, name: str) -> bool:
    """Return whether a tensor may take another's format: it is made, and not a concatenation."""
    return isinstance(_maker(graph, name), fg.Conv | fg.Add | fg.AveragePool)


def _signs(graph: FloatGraph, signed_inputs: Mapping[str, bool]) -> dict[str, bool]:
    signs = dict(signed_inputs)
    for node in graph.nodes:
        if isinstance(node, fg.Host):
            continue
        signed = any(signs[name] for name in node.inputs)
        if isinstance(node, fg.Conv):
            signed = node.low < 0
        elif isinstance(node, fg.Add):
            signed = signed and node.low < 0
        signs[node.output] = signed
    return signs


def _outer_tensors(graph: FloatGraph) -> set[str]:
    """Return the inputs, what the last layer reads, and what the network or its hosts return."""
    convs = _trained_convs(graph)
    hosts = [node for node in graph.nodes if isinstance(node, fg.Host)]
    made = {node.output for node in hosts}
    ends = {*graph.outputs, *(name for node in hosts for name in node.inputs)} - made
    return {*graph.inputs, convs[-1].inputs[0], *ends}
