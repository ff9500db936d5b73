"""The verb ``quantize``: a float model becomes a network of integers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from ..quant.export import is_quantized, save_graph
from ..quant.graph import QuantGraph
from ..quant.importer import import_onnx
from ..quant.interchange.binary_mlp import import_binary_mlp
from ..quant.quantize import quantize_model
from .progress import Progress, silent
from .samples import read_arrays, read_samples

__all__ = ["quantize"]

Array = NDArray[Any]


def quantize(
    model: onnx.ModelProto | str | Path,
    calibration: Array | Mapping[str, Array] | str | Path | None = None,
    output: str | Path | None = None,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    two_stage: bool = False,
    per_channel: bool = False,
    progress: Progress | None = None,
) -> QuantGraph:
    """Return a model with power-of-two scales, and write it if a file is given.

    Parameters
    ----------
    model : onnx.ModelProto, str or pathlib.Path
        A float model; or one that is quantized already, QDQ with power-of-two scales or QONNX,
        which is imported as it is; or an ``.npz`` file of a trained binary perceptron.
    calibration : array, mapping, str or pathlib.Path, optional
        Samples in the model's own input layout, batch first; by input name where there are
        several; or an ``.npy`` or ``.npz`` file of them. Without any, seeded noise is used, with
        a warning.
    output : str or pathlib.Path, optional
        File to write.
    weight_bits, activation_bits : int
        Widths, 2 to 8; the first and the last layer keep 8-bit weights.
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    per_channel : bool
        One weight threshold per output channel.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, FlowError
        The model or the calibration data cannot be used.
    """
    report = progress or silent
    report("reading the model", 0, 0)
    if isinstance(model, str | Path) and Path(model).suffix == ".npz":
        return _written(import_binary_mlp(read_arrays(model), name=Path(model).stem), output)
    source = model if is_quantized(model) else import_onnx(model)
    if isinstance(calibration, str | Path):
        names = [] if isinstance(source, onnx.ModelProto | str | Path) else source.inputs
        calibration = read_samples(calibration, names) if names else None
    graph = quantize_model(
        source,
        calibration,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        two_stage=two_stage,
        per_channel=per_channel,
        progress=lambda done, total, name: report(f"quantizing {name}", done, total),
    )
    return _written(graph, output)


def _written(graph: QuantGraph, output: str | Path | None) -> QuantGraph:
    if output is not None:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        save_graph(graph, output)
    return graph
