"""Calibration in progress: number formats and codes of the tensors made so far."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import golden
from .drafts import Draft, one_stage
from .errors import ModelError
from .float_graph import FloatGraph
from .graph import Node, QuantGraph, TensorType
from .layout import encode_layout
from .thresholds import exponent, kl_j, quantize_values
from .weights import rescaling

__all__ = ["Calibrator", "Options"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to quantize.

    Parameters
    ----------
    weight_bits, activation_bits : int
        Widths, 1…8; the first and the last layer keep 8-bit weights.
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    per_channel : bool
        One weight threshold per output channel.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    two_stage: bool = False
    per_channel: bool = False

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits"):
            if not 2 <= getattr(self, name) <= 8:
                raise ValueError(f"{name} must be 2…8, not {getattr(self, name)}")


@dataclass(kw_only=True)
class Calibrator:
    """What is known about the tensors of a graph that is being quantized.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    options : Options
        How to quantize.
    """

    graph: FloatGraph
    options: Options
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, TensorType] = field(default_factory=dict)
    #: Codes of the calibration data, ``(channels, batch, height, width)``; floats of the host.
    values: dict[str, Array] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return a feature map's shape without the batch."""
        channels, height, width = self.graph.shapes[name][1:]
        return channels, height, width

    def prescribed(self, name: str) -> TensorType | None:
        """Return the format that the model prescribes for a tensor."""
        form = self.graph.formats.get(name)
        if form is None:
            return None
        return TensorType(
            shape=self.shape(name), bits=form.bits, signed=form.signed, exponent=form.exponents[0]
        )

    def format_of(self, name: str, data: Array, signed: bool) -> TensorType:
        """Return the format of a tensor: prescribed, or calibrated on its own."""
        bits = self.options.activation_bits
        step = exponent(kl_j(data, bits, signed), bits, signed)
        return self.prescribed(name) or TensorType(
            shape=self.shape(name), bits=bits, signed=signed, exponent=step
        )

    def add_input(self, name: str, samples: Array) -> None:
        """Calibrate an input on samples in the model's own layout."""
        values = np.asarray(samples, np.float32)
        shape = self.shape(name)
        maps = encode_layout(values, self.graph.edges[name], shape)
        if not maps.size or not np.isfinite(maps).all():
            raise ModelError("SL-Q111", "no samples, or NaN or infinite values", node=name)
        self.enter(name, maps, self.format_of(name, maps, bool(maps.min() < 0)))

    def enter(self, name: str, maps: Array, tensor: TensorType) -> None:
        """Record codes of values ``(batch, channels, height, width)``."""
        codes = quantize_values(maps, tensor.bits, tensor.signed, tensor.exponent)
        self.tensors[name] = tensor
        self.values[name] = np.ascontiguousarray(codes.swapaxes(0, 1), np.float32)

    def dequantized(self, name: str) -> Array:
        """Return the values of a tensor of codes."""
        return np.ldexp(self.values[name], self.tensors[name].exponent)

    def threshold(self, data: list[Array], signed: bool) -> int:
        """Return the exponent that tensors with a common threshold get."""
        bits = self.options.activation_bits
        joined = data[0] if len(data) == 1 else np.concatenate([d.ravel() for d in data])
        return exponent(kl_j(joined, bits, signed), bits, signed)

    def settle(
        self,
        drafts: list[Draft],
        step: int,
        signed: bool | None = None,
        bits: int | None = None,
    ) -> None:
        """Finish drafts at one exponent, or the nearest that their shifts reach.

        Parameters
        ----------
        drafts : list of Draft
            Layers without output format.
        step : int
            The exponent.
        signed : bool, optional
            Sign of all of them; else each has its own.
        bits : int, optional
            Bits of all of them; else as the options say.
        """
        reachable = min([max([step, *(d.least for d in drafts)]), *(d.most for d in drafts)])
        for draft in drafts:
            tensor = self.prescribed(draft.output) or TensorType(
                shape=self.shape(draft.output),
                bits=bits or self.options.activation_bits,
                signed=draft.signed if signed is None else signed,
                exponent=reachable,
            )
            if not draft.least <= tensor.exponent <= draft.most:
                raise ModelError(
                    "SL-Q114",
                    f"the step of {draft.output} is 2^{tensor.exponent}",
                    allowed=f"2^{draft.least} to 2^{draft.most}, by shifts from the accumulator",
                )
            node = draft.finish(tensor, self.graph.formats.get(draft.output))
            self.emit(node, tensor, draft.inputs)

    def emit(self, node: Node, tensor: TensorType, inputs: tuple[Array, ...] = ()) -> None:
        """Add a finished layer, and run it on the calibration data."""
        self.nodes.append(node)
        self.tensors[node.output] = tensor
        so_far = QuantGraph(name="", inputs=(), outputs=(), tensors=self.tensors, nodes=())
        codes = list(inputs) or [self.values[name] for name in node.inputs]
        self.values[node.output] = golden.run_node(so_far, node, codes)

    def rescaled(self, name: str, output: str, tensor: TensorType) -> str:
        """Return a tensor in another format, made by a layer if it is not in that already."""
        source = self.tensors[name]
        same = (source.bits, source.signed, source.exponent)
        if same == (tensor.bits, tensor.signed, tensor.exponent):
            return name
        shift = tensor.exponent - source.exponent
        if not -8 <= shift <= 31:
            raise ModelError("SL-Q114", f"{name} would be shifted by {shift}", allowed="-8 to 31")
        requantize = one_stage((shift,), tensor.low, tensor.high)
        self.emit(rescaling(output, name, tensor, requantize), tensor)
        return output
