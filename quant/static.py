"""Static quantization as TQT's static mode does it: calibrate, do not train.

Weights get their largest magnitude as threshold, activations KL-J, one power of two per tensor,
in topological order: each layer is calibrated on what the quantized layers before it make.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ..isa.requantize import Rounding
from . import drafts, golden_nodes, weights
from . import float_graph as fg
from .calibrator import Calibrator, Options
from .drafts import Draft
from .float_graph import FloatGraph, FloatNode
from .graph import Concat, QuantGraph, TensorType
from .plain_nodes import kept, on_host
from .rewrite import use_counts

__all__ = ["quantize_graph"]

Array = NDArray[Any]
Progress = Callable[[int, int, str], None]

#: Largest left shift of an input of an addition.
MAX_ADD_SHIFT = 7

#: Bits of the machine between its two stages of requantization.
WIDE = 16


def quantize_graph(
    graph: FloatGraph,
    samples: Mapping[str, Array],
    options: Options,
    progress: Progress | None = None,
) -> QuantGraph:
    """Return a quantized graph.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    samples : mapping
        For each input calibration data in the model's own layout.
    options : Options
        How to quantize.
    progress : callable, optional
        Called with layers done, all layers, and the name of the next.
    """
    walk = _Walk(graph, options)
    for name in graph.inputs:
        walk.state.add_input(name, samples[name])
    for index, node in enumerate(graph.nodes):
        if progress is not None:
            progress(index, len(graph.nodes), node.name)
        walk.step(node)
    if progress is not None:
        progress(len(graph.nodes), len(graph.nodes), "")
    return QuantGraph(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        tensors=walk.state.tensors,
        nodes=tuple(walk.state.nodes),
        edges=dict(graph.edges),
    )


class _Walk:
    """One walk through a graph, in topological order."""

    def __init__(self, graph: FloatGraph, options: Options) -> None:
        self.state = Calibrator(graph=graph, options=options)
        self.options = options
        self.formats = graph.formats
        self.uses = use_counts(graph)
        self.shared = _shared(graph)
        #: Layers that share a threshold with one that is not calculated yet.
        self.waiting: dict[str, Draft] = {}
        self.convolutions = {n.output for n in graph.nodes if isinstance(n, fg.Conv)}
        convs = [node.name for node in graph.nodes if isinstance(node, fg.Conv)]
        self.outer = {*convs[:1], *convs[-1:]}

    def step(self, node: FloatNode) -> None:
        """Quantize one node, and forget data that nothing needs any more."""
        if isinstance(node, fg.Conv):
            self._open(self._conv(node))
        elif isinstance(node, fg.AveragePool):
            self._open(self._average(node))
        elif isinstance(node, fg.Add):
            self._add(node)
        elif isinstance(node, fg.Concat):
            self._concat(node)
        elif isinstance(node, fg.Host):
            self._host(node)
        else:
            self._keep(node)
        for name in node.inputs:
            self.uses[name] -= 1
            if not self.uses[name]:
                self.state.values.pop(name, None)

    def _conv(self, node: fg.Conv) -> Draft:
        x, source = self.state.values[node.inputs[0]], self.state.tensors[node.inputs[0]]
        bits = 8 if node.name in self.outer else self.options.weight_bits
        layer = weights.coded_conv(node, source.exponent, bits, self.options.per_channel)
        draft = drafts.draft_two_stage if self.options.two_stage else drafts.draft_conv
        return draft(node, layer, x, source)

    def _average(self, node: fg.AveragePool) -> Draft:
        x, source = self.state.values[node.inputs[0]], self.state.tensors[node.inputs[0]]
        given = node.output in self.formats
        rounding = Rounding.HALF_EVEN if given else Rounding.FLOOR
        return drafts.draft_average(node, x, source, rounding)

    def _open(self, draft: Draft) -> None:
        """Finish a layer, unless it shares its threshold with others."""
        if draft.output in self.shared:
            self.waiting[draft.output] = draft
        else:
            self.state.settle([draft], self.state.threshold([draft.data], draft.signed))

    def _add(self, node: fg.Add) -> None:
        open_ = self._waiting(node)
        fixed = [name for name in node.inputs if name in self.state.tensors]
        if open_:
            signed = self._signed(open_, fixed)
            data = [d.data for d in open_] + [self.state.dequantized(name) for name in fixed]
            step = self.state.threshold(data, signed)
            for name in fixed:
                given = self.state.tensors[name].exponent
                step = min(max(step, given - MAX_ADD_SHIFT), given + MAX_ADD_SHIFT)
            if self._widens(open_, fixed, step):
                self.state.settle(open_, self.state.tensors[fixed[0]].exponent, True, WIDE)
            else:
                self.state.settle(open_, step)
        node = replace(node, inputs=self._near(node))
        a, b = node.inputs
        values, tensors = self.state.values, self.state.tensors
        self._open(drafts.draft_add(node, (values[a], values[b]), (tensors[a], tensors[b])))

    def _widens(self, open_: list[Draft], fixed: list[str], step: int) -> bool:
        """Return whether a convolution keeps 16 bits until the addition that follows it.

        The machine adds while the accumulators drain, where it can align the other operand only.
        A convolution whose threshold asks for a coarser step than the other operand has takes that
        one's step, and the bits above that its own range needs.
        """
        if len(open_) != 1 or len(fixed) != 1 or self.options.two_stage:
            return False
        (draft,), (other,) = open_, fixed
        given = self.state.tensors[other].exponent
        convolution = draft.output in self.convolutions and self.uses[draft.output] == 1
        free = draft.output not in self.formats and draft.output not in self.state.graph.outputs
        return convolution and free and draft.least <= given < step

    def _near(self, node: fg.Add) -> tuple[str, ...]:
        """Return inputs whose exponents are near enough to be aligned by a left shift."""
        tensors = [self.state.tensors[name] for name in node.inputs]
        least = max(t.exponent for t in tensors) - MAX_ADD_SHIFT
        names = []
        for index, (name, tensor) in enumerate(zip(node.inputs, tensors, strict=True)):
            target = replace(tensor, exponent=max(tensor.exponent, least))
            names.append(self.state.rescaled(name, f"{node.output}/input{index}", target))
        return tuple(names)

    def _waiting(self, node: FloatNode) -> list[Draft]:
        return [self.waiting.pop(n) for n in dict.fromkeys(node.inputs) if n in self.waiting]

    def _signed(self, open_: list[Draft], fixed: list[str]) -> bool:
        fixed_signed = any(self.state.tensors[name].signed for name in fixed)
        return fixed_signed or any(draft.signed for draft in open_)

    def _concat(self, node: fg.Concat) -> None:
        open_ = self._waiting(node)
        fixed = [name for name in dict.fromkeys(node.inputs) if name in self.state.tensors]
        tensor = self.state.prescribed(node.output)
        if tensor is None:
            signed = self._signed(open_, fixed)
            data = [d.data for d in open_] + [self.state.dequantized(name) for name in fixed]
            step = self.state.threshold(data, signed)
            alike = [self.state.tensors[n] for n in fixed if self.state.tensors[n].signed == signed]
            step = max([step, *(t.exponent for t in alike)])
            tensor = self._type(node.output, signed, step)
        if open_:
            self.state.settle(open_, tensor.exponent, tensor.signed)
            reached = self.state.tensors[open_[0].output].exponent
            tensor = replace(tensor, exponent=reached)
        inputs = tuple(
            self._in_format(n, node.output, i, tensor) for i, n in enumerate(node.inputs)
        )
        concat = Concat(name=node.name, inputs=inputs, output=node.output)
        self.state.emit(concat, tensor)

    def _in_format(self, name: str, output: str, index: int, tensor: TensorType) -> str:
        target = replace(tensor, shape=self.state.tensors[name].shape)
        return self.state.rescaled(name, f"{output}/input{index}", target)

    def _type(self, name: str, signed: bool, step: int) -> TensorType:
        bits = self.options.activation_bits
        return TensorType(shape=self.state.shape(name), bits=bits, signed=signed, exponent=step)

    def _keep(self, node: FloatNode) -> None:
        """Emit a node whose output has the format of its input."""
        source = self.state.tensors[node.inputs[0]]
        natural = replace(source, shape=self.state.shape(node.output))
        wanted = self.state.prescribed(node.output) or natural
        if wanted == natural:
            self.state.emit(kept(node, natural), natural)
            return
        raw = replace(node, output=f"{node.output}/raw")
        self.state.emit(kept(raw, natural), natural)
        self.state.rescaled(raw.output, node.output, wanted)

    def _host(self, node: fg.Host) -> None:
        inputs = [self.state.values[name] for name in node.inputs]
        graph = QuantGraph(name="", inputs=(), outputs=(), tensors=self.state.tensors, nodes=())
        result = golden_nodes.evaluate_host(graph, node.model, node.inputs, inputs)
        self.state.nodes.append(on_host(node, node.inputs))
        if not node.requantized:
            self.state.values[node.output] = result
            return
        if node.keeps_format:
            source = self.state.tensors[node.inputs[0]]
            tensor = replace(source, shape=self.state.shape(node.output))
        else:
            tensor = self.state.format_of(node.output, result, bool(result.min() < 0))
        self.state.enter(node.output, result, tensor)


def _shared(graph: FloatGraph) -> set[str]:
    """Return tensors that wait for the other inputs of an addition or concatenation."""
    uses = use_counts(graph)
    made = {
        node.output for node in graph.nodes if isinstance(node, fg.Conv | fg.Add | fg.AveragePool)
    }
    return {
        name
        for node in graph.nodes
        if isinstance(node, fg.Add | fg.Concat)
        for name in node.inputs
        if name in made and uses[name] == 1 and name not in graph.formats
    }
