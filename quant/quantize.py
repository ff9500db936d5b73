"""Static quantization of a model, in one call."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from . import float_graph as fg
from .calibrator import Options
from .errors import ModelError, QuantizationWarning
from .export import from_onnx, is_quantized
from .float_graph import FloatGraph
from .graph import QuantGraph
from .importer import import_onnx
from .interchange.exact import has_staircases, lower
from .static import quantize_graph
from .transforms import prepare

__all__ = ["calibration_samples", "noise", "quantize_model"]

Array = NDArray[Any]

#: Calibration samples that are used at most, as Graffitist's scripts do.
SAMPLES = 50


def quantize_model(
    model: FloatGraph | onnx.ModelProto | str | Path,
    calibration: Array | Mapping[str, Array] | None = None,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    two_stage: bool = False,
    per_channel: bool = False,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> QuantGraph:
    """Return a model quantized by TQT's static method.

    Parameters
    ----------
    model : FloatGraph, onnx.ModelProto, str or pathlib.Path
        A float model, or one with number formats of its own (QDQ, QONNX); those are kept, and
        the widths below are for what has none. A file that was quantized here already is
        returned as it is.
    calibration : array or mapping, optional
        Samples in the model's own input layout, batch first; by input name where there are
        several. Without any, seeded noise is used, with a warning.
    weight_bits, activation_bits : int
        Widths, 2…8; the first and the last layer keep 8-bit weights.
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    per_channel : bool
        One weight threshold per output channel.
    seed : int
        Of the noise.
    progress : callable, optional
        Called with layers done, all layers, and the name of the next.

    Raises
    ------
    ModelError
        The model or the calibration data cannot be used.
    """
    options = Options(
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        two_stage=two_stage,
        per_channel=per_channel,
    )
    if not isinstance(model, FloatGraph) and is_quantized(model):
        return from_onnx(model)
    graph = model if isinstance(model, FloatGraph) else import_onnx(model)
    if has_staircases(graph):
        return lower(graph, lambda name: _input_samples(graph, calibration, name, seed))
    if not graph.edges:
        graph = prepare(graph)
    samples = calibration_samples(graph, calibration, seed)
    return quantize_graph(graph, samples, options, progress)


def _input_samples(
    graph: FloatGraph, calibration: Array | Mapping[str, Array] | None, name: str, seed: int
) -> Array:
    """Return samples of an input that a quantized model leaves in float."""
    if calibration is not None:
        return calibration_samples(graph, calibration)[name]
    warnings.warn(
        f"the model does not quantize its input {name}, and there is no calibration data: seeded "
        "normal noise sets the step of its 8 bits; give real samples",
        QuantizationWarning,
        stacklevel=5,
    )
    shape = (64, *graph.shapes[name][1:])
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def calibration_samples(
    graph: FloatGraph, calibration: Array | Mapping[str, Array] | None, seed: int = 0
) -> dict[str, Array]:
    """Return up to 50 samples for each input of a model.

    Parameters
    ----------
    graph : FloatGraph
        The model, as feature maps.
    calibration : array or mapping, optional
        See :func:`quantize_model`.
    seed : int
        Of the noise that is used, with a warning, where there are none.

    Raises
    ------
    ModelError
        There are none for an input.
    """
    if calibration is None:
        samples, message = noise(graph, seed)
        if message:
            warnings.warn(message, QuantizationWarning, stacklevel=3)
        return samples
    if not isinstance(calibration, Mapping):
        if len(graph.inputs) != 1:
            raise ModelError(
                "SL-Q111",
                "one array for a model with several inputs",
                allowed=f"a mapping with {', '.join(graph.inputs)}",
            )
        calibration = {graph.inputs[0]: calibration}
    missing = [name for name in graph.inputs if name not in calibration]
    if missing:
        raise ModelError("SL-Q111", "no samples for this input", node=missing[0])
    return {name: np.asarray(calibration[name])[:SAMPLES] for name in graph.inputs}


def _open_formats(graph: FloatGraph) -> set[str]:
    """Return tensors whose format depends on calibration data."""
    keeps = (fg.MaxPool, fg.Pad, fg.Slice, fg.Shuffle)
    made = {
        node.output
        for node in graph.nodes
        if not isinstance(node, keeps)
        and not (isinstance(node, fg.Host) and (node.keeps_format or not node.requantized))
    }
    return (made | set(graph.inputs)) - set(graph.formats)


def noise(graph: FloatGraph, seed: int) -> tuple[dict[str, Array], str]:
    """Return seeded noise as calibration data, and a warning that says so.

    The noise is normal, with mean 0 and deviation 1, unless the model prescribes its input's
    format. The warning is empty if the model prescribes all formats, so that nothing depends on
    the data.
    """
    rng = np.random.default_rng(seed)
    open_ = _open_formats(graph)
    samples = {}
    for name in graph.inputs:
        shape = graph.edges[name].shape[1:]
        count = 1 if not open_ else 16 if np.prod(shape) < 1 << 15 else 4
        samples[name] = rng.standard_normal((count, *shape)).astype(np.float32)
    if not open_:
        return samples, ""
    return samples, (
        "no calibration data: seeded normal noise sets the activations' scales, so accuracy "
        "means nothing; give real samples"
    )
