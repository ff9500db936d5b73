"""Which tensors are quantized, to how many bits, and which share a quantizer.

The rules of TQT are Graffitist's (README, "precision rules"): a convolution's, addition's or
average pool's output has a quantizer; the inputs of an addition share one, and so do the inputs and
the output of a concatenation; max pools and reshapes keep the format of their input.

The other methods have low bits between convolutions only, where comparators make the codes, and
8 bits with power-of-two scales elsewhere: the residual stream, and both ends of the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import float_graph as fg
from ..errors import UnsupportedError
from ..float_graph import FloatGraph, FloatNode
from ..rewrite import use_counts

__all__ = ["METHODS", "Plan", "Precision", "make_plan"]

#: Least and most bits of weights and of activations. Comparators make codes of up to 4 bits.
METHODS = {
    "tqt": ((2, 8), (2, 8)),
    "qil": ((2, 8), (1, 4)),
    "lglsq": ((2, 8), (1, 4)),
    "lsbq": ((1, 1), (1, 2)),
}


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits by layer.

    Parameters
    ----------
    method : str
        ``"tqt"``, ``"qil"``, ``"lglsq"`` or ``"lsbq"``.
    weight_bits, activation_bits : int
        Widths; :data:`METHODS` has the limits.
    outer_bits : int
        Width at both ends: the weights of the first and the last layer and what they read, and
        the network's output; and of the residual stream, but for TQT.
    per_channel : bool
        One weight threshold per output channel (TQT, and the outer layers of all methods).
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    """

    method: str = "tqt"
    weight_bits: int = 8
    activation_bits: int = 8
    outer_bits: int = 8
    per_channel: bool = False
    two_stage: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, not {self.method}")
        weights, activations = METHODS[self.method]
        limits = {"weight_bits": weights, "activation_bits": activations, "outer_bits": (2, 8)}
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                allowed = f"{least}…{most}" if least < most else f"{least}"
                raise ValueError(
                    f"{name} must be {allowed} for {self.method}, not {getattr(self, name)}"
                )
        if self.two_stage and self.method != "tqt":
            raise ValueError(f"two_stage must be false for {self.method}, not true")

    @property
    def low(self) -> bool:
        """Whether convolutions inside the network have quantizers of their own."""
        return self.method != "tqt"


#: Operators that move codes and change none.
KEPT = (fg.MaxPool, fg.Pad, fg.Slice, fg.Shuffle)


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
    low : set of str
        Convolutions with the method's own quantizers.
    codes : dict of str to bool
        Feature maps that low-bit convolutions read, and whether they are signed: each has a
        quantizer of the method.
    inner : dict of str to str
        Feature maps that low-bit convolutions alone read: they have no other form. For each the
        one whose quantizer it is from, a key of ``codes``.
    wide : dict of str to str
        Convolutions' outputs that an addition takes with 16 bits, and the tensor whose power of
        two they have.
    """

    quantizer: dict[str, str]
    members: dict[str, list[str]]
    bits: dict[str, int]
    signed: dict[str, bool]
    weight_bits: dict[str, int]
    low: frozenset[str] = frozenset()
    codes: dict[str, bool] = field(default_factory=dict)
    inner: dict[str, str] = field(default_factory=dict)
    wide: dict[str, str] = field(default_factory=dict)


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
    convs = [node.name for node in _trained_convs(graph)]
    low = frozenset(convs[1:-1]) if precision.low else frozenset()
    inner = _inner(graph, low)
    wide = _wide(graph) if precision.low else {}
    quantizer = _groups(graph, {*wide})
    members: dict[str, list[str]] = {}
    for name, group in quantizer.items():
        if name not in inner and name not in wide and (name in graph.inputs or _maker(graph, name)):
            members.setdefault(group, []).append(name)
    signs = _signs(graph, signed_inputs)
    outer = {quantizer[name] for name in _outer_tensors(graph)}
    signed = {group: any(signs[name] for name in names) for group, names in members.items()}
    read = {inner.get(n.inputs[0], n.inputs[0]) for n in graph.nodes if n.name in low}
    bits = precision.outer_bits if precision.low else precision.activation_bits
    return Plan(
        quantizer=quantizer,
        members=members,
        bits={group: precision.outer_bits if group in outer else bits for group in members},
        signed=signed,
        weight_bits={
            name: precision.outer_bits if name in (convs[0], convs[-1]) else precision.weight_bits
            for name in convs
        },
        low=low,
        codes={n: signs[n] if n in inner else signed[quantizer[n]] for n in sorted(read)},
        inner=inner,
        wide=wide,
    )


def _inner(graph: FloatGraph, low: frozenset[str]) -> dict[str, str]:
    """Return feature maps that low-bit convolutions alone read, and the one each is made from."""
    readers: dict[str, list[FloatNode]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)

    def only_low(name: str) -> bool:
        nodes = readers.get(name, [])
        inside = all(n.name in low or (isinstance(n, KEPT) and only_low(n.output)) for n in nodes)
        return bool(nodes) and inside and name not in graph.outputs

    convs = {node.output for node in _trained_convs(graph)}
    inner: dict[str, str] = {}
    for node in graph.nodes:
        if node.output in convs and only_low(node.output):
            inner[node.output] = node.output
        elif isinstance(node, KEPT) and node.inputs[0] in inner:
            inner[node.output] = inner[node.inputs[0]]
    return inner


def _wide(graph: FloatGraph) -> dict[str, str]:
    """Return convolutions' outputs that one addition alone reads, and the other operand.

    The machine adds while the accumulators drain; 16 bits at the other operand's power of two
    cost nothing there, and need no threshold.
    """
    uses, convs = use_counts(graph), {node.output for node in _trained_convs(graph)}
    wide: dict[str, str] = {}
    for node in graph.nodes:
        if isinstance(node, fg.Add):
            free = [name for name in node.inputs if name in convs and uses[name] == 1]
            if free and node.inputs[0] != node.inputs[1]:
                wide[free[0]] = next(name for name in node.inputs if name != free[0])
    return wide


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


def _groups(graph: FloatGraph, alone: set[str]) -> dict[str, str]:
    """Return for each tensor the first tensor of its group; some share with no other."""
    uses, leader = use_counts(graph), {name: name for name in graph.inputs}
    for node in graph.nodes:
        if isinstance(node, fg.Host):
            continue
        kept = not isinstance(node, fg.Conv | fg.Add | fg.AveragePool | fg.Concat)
        leader[node.output] = leader[node.inputs[0]] if kept else node.output
        if not isinstance(node, fg.Add | fg.Concat):
            continue
        open_ = [n for n in dict.fromkeys(node.inputs) if uses[n] == 1 and _is_open(graph, n)]
        group = [name for name in open_ if name not in alone]
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
