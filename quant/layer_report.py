"""What quantization did to each layer: bits, scales, and the error that it makes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import float_graph as fg
from . import golden
from .float_graph import FloatGraph
from .float_run import run_tensors
from .graph import Conv, QuantGraph

__all__ = ["LayerReport", "sqnr", "static_reports"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One convolution.

    Parameters
    ----------
    layer : str
        Name.
    weight_bits, input_bits, output_bits : int
        Widths of codes.
    output : str
        ``"shift"``, or ``"comparators"``.
    weight_scale : float
        Value of a weight step; the mean where channels have one each. A batch norm's gain is not
        in it.
    output_scale : float
        Value of an output step.
    sqnr : float or None
        Signal to quantization noise of the layer's output against the float network's, in dB,
        with all errors of the layers before it; None where nothing differs.
    """

    layer: str
    weight_bits: int
    input_bits: int
    output_bits: int
    output: str
    weight_scale: float
    output_scale: float
    sqnr: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def sqnr(wanted: Array, found: Array) -> float | None:
    """Return signal to noise in dB, or None where there is no noise, or no signal."""
    exact = np.asarray(wanted, np.float64)
    noise, signal = float(((found - exact) ** 2).sum()), float((exact**2).sum())
    return float(10 * np.log10(signal / noise)) if noise and signal else None


def static_reports(
    graph: FloatGraph, made: QuantGraph, samples: Mapping[str, Array], weight_bits: int
) -> list[LayerReport]:
    """Return a report on each convolution of a network that was quantized statically.

    Parameters
    ----------
    graph : FloatGraph
        What was quantized.
    made : QuantGraph
        What became of it.
    samples : mapping
        For each input some samples in the model's own layout.
    weight_bits : int
        Of all layers but the first and the last, which have 8.
    """
    floats = run_tensors(graph, samples)
    codes = {name: golden.encode_input(made, name, samples[name]) for name in made.inputs}
    results = golden.run(made, codes, keep=True)
    trained = [n.name for n in graph.nodes if isinstance(n, fg.Conv) and n.weight_format is None]
    reports = []
    for node in made.nodes:
        if not isinstance(node, Conv) or node.name not in trained:
            continue
        tensor, source = made.tensors[node.output], made.tensors[node.inputs[0]]
        values = np.ldexp(results[node.output].astype(np.float64), tensor.exponent)
        reports.append(
            LayerReport(
                layer=node.name,
                weight_bits=8 if node.name in (trained[0], trained[-1]) else weight_bits,
                input_bits=source.bits,
                output_bits=tensor.bits,
                output="shift",
                weight_scale=float(np.mean(np.exp2(np.array(node.weight_exponent, float)))),
                output_scale=2.0**tensor.exponent,
                sqnr=sqnr(floats[node.output], values),
            )
        )
    return reports
