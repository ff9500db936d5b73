"""The verb ``quantize``: a float model becomes a network of integers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..quant.export import from_onnx, is_quantized, save_graph
from ..quant.float_graph import FloatGraph
from ..quant.graph import QuantGraph
from ..quant.importer import import_onnx
from ..quant.interchange.binary_mlp import import_binary_mlp
from ..quant.interchange.exact import has_staircases
from ..quant.layer_report import LayerReport, static_reports
from ..quant.quantize import calibration_samples, quantize_model
from ..quant.recipe import LglsqParts, Recipe
from ..quant.transforms import prepare
from .bits import parse_bits
from .errors import FlowError
from .progress import Progress, silent
from .quantize_report import write_report
from .samples import read_arrays, read_samples
from .torch_models import is_module, module_to_onnx

__all__ = ["METHODS", "quantize"]

Array = NDArray[Any]
Samples = Array | Mapping[str, Array] | str | Path

METHODS = ("tqt", "qil", "lglsq", "lsbq")


def quantize(
    model: Any,
    calibration: Samples | None = None,
    output: str | Path | None = None,
    *,
    method: str = "tqt",
    bits: str | tuple[int, int] | None = None,
    weight_bits: int = 8,
    activation_bits: int = 8,
    two_stage: bool = False,
    per_channel: bool = False,
    train: Samples | None = None,
    labels: Array | str | Path | None = None,
    epochs: int = 1,
    batch: int = 64,
    seed: int = 0,
    recipe: Recipe | None = None,
    parts: LglsqParts | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    report: str | Path | None = None,
    progress: Progress | None = None,
) -> QuantGraph:
    """Return a model as integers, and write it if a file is given.

    Without training data TQT is static and needs NumPy alone; all else needs PyTorch.

    Parameters
    ----------
    model : onnx.ModelProto, str, pathlib.Path or torch.nn.Module
        A float model; or one that is quantized already, QDQ with power-of-two scales or QONNX,
        which is imported as it is; or an ``.npz`` file of a trained binary perceptron. A module is
        exported to ONNX; ``calibration`` or ``train`` then says the shapes of its inputs.
    calibration : array, mapping, str or pathlib.Path, optional
        Samples in the model's own input layout, batch first; by input name where there are
        several; or an ``.npy`` or ``.npz`` file of them. Without any, training data are used, or
        seeded noise, with a warning.
    output : str or pathlib.Path, optional
        File to write.
    method : str
        ``"tqt"``, ``"qil"``, ``"lglsq"`` or ``"lsbq"``.
    bits : str or tuple, optional
        Of weights and of activations: ``"W4A8"``, ``"4,8"`` or ``(4, 8)``; takes the place of the
        next two.
    weight_bits, activation_bits : int
        Widths; the first and the last layer keep 8-bit weights.
    two_stage : bool
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    per_channel : bool
        One weight threshold per output channel (TQT).
    train : array, mapping, str or pathlib.Path, optional
        Training samples, as ``calibration``.
    labels : array, str or pathlib.Path, optional
        The class of each; else the array ``labels`` of the file or mapping.
    epochs, batch, seed : int
        Of a short recipe for the method.
    recipe : Recipe, optional
        Another recipe, in the place of those three.
    parts : LglsqParts, optional
        Which parts of LG-LSQ to use.
    checkpoint : str or pathlib.Path, optional
        Folder to write after each epoch.
    resume : bool
        Go on from what that folder holds.
    report : str or pathlib.Path, optional
        Folder for a report: bits, scales and error of each layer.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, FlowError
        The model, the data or the options cannot be used, or PyTorch is missing.
    """
    tell = progress or silent
    if bits is not None:
        weight_bits, activation_bits = parse_bits(bits) if isinstance(bits, str) else bits
    if method not in METHODS:
        raise FlowError(f"--method must be one of {', '.join(METHODS)}, not {method}")
    if resume and checkpoint is None:
        raise FlowError("--resume needs --checkpoint: the folder to go on from")
    if labels is not None and train is None:
        raise FlowError("--labels needs --train: the samples that they belong to")
    tell("reading the model", 0, 0)
    if is_module(model):
        model = _exported(model, calibration if calibration is not None else train)
    known = _known(model, calibration)
    if known is not None:
        made, layers = known, list[LayerReport]()
    elif method == "tqt" and train is None:
        graph = prepare(import_onnx(model))
        samples = _calibration(graph, calibration)
        made = quantize_model(
            graph,
            samples,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            two_stage=two_stage,
            per_channel=per_channel,
            progress=lambda done, total, name: tell(f"quantizing {name}", done, total),
        )
        layers = static_reports(graph, made, samples, weight_bits) if report else []
    else:
        from .training import train_model

        graph = prepare(import_onnx(model))
        data = None if train is None else _training_data(graph, train, labels)
        some = calibration if calibration is not None or data is None else data[0]
        made, layers = train_model(
            graph,
            _calibration(graph, some),
            data,
            method=method,
            options={
                "weight_bits": weight_bits,
                "activation_bits": activation_bits,
                "two_stage": two_stage,
                "per_channel": per_channel,
            },
            epochs=epochs,
            batch=batch,
            seed=seed,
            recipe=recipe,
            parts=parts,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            tell=tell,
        )
    if output is not None:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        save_graph(made, output)
    if report is not None:
        write_report(layers, method, report)
    return made


def _known(model: Any, calibration: Samples | None) -> QuantGraph | None:
    """Return a network that is quantized already, as it is; None for a float model."""
    if isinstance(model, str | Path) and Path(model).suffix == ".npz":
        return import_binary_mlp(read_arrays(model), name=Path(model).stem)
    if is_quantized(model):
        return from_onnx(model)
    source = import_onnx(model)
    if not has_staircases(source):
        return None
    if isinstance(calibration, str | Path):
        calibration = read_samples(calibration, source.inputs)
    return quantize_model(source, calibration)


def _exported(module: Any, samples: Samples | None) -> onnx.ModelProto:
    if samples is None or isinstance(samples, str | Path):
        raise FlowError("a PyTorch module needs calibration samples as arrays: they say its shapes")
    if isinstance(samples, Mapping):
        samples = {name: values for name, values in samples.items() if name != "labels"}
    return module_to_onnx(module, samples)


def _calibration(graph: FloatGraph, given: Samples | None) -> dict[str, Array]:
    if isinstance(given, str | Path):
        given = read_samples(given, graph.inputs)
    return calibration_samples(graph, given)


def _training_data(
    graph: FloatGraph, given: Samples, labels: Array | str | Path | None
) -> tuple[dict[str, Array], Array]:
    """Return samples by input, and labels."""
    names = [*graph.inputs, "labels"] if labels is None else list(graph.inputs)
    if isinstance(given, str | Path):
        given = read_samples(given, names)
    elif not isinstance(given, Mapping):
        given = {graph.inputs[0]: given}
    missing = [name for name in names if name not in given]
    if missing:
        raise FlowError(
            f"the training data have no array {missing[0]}; they hold {', '.join(given)}"
        )
    if isinstance(labels, str | Path):
        labels = read_samples(labels, ["labels"])["labels"]
    found = given["labels"] if labels is None else labels
    return {name: np.asarray(given[name]) for name in graph.inputs}, np.asarray(found)
