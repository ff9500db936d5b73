"""From a float graph and data to trained integers, in one call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ModelError
from ..float_graph import FloatGraph
from ..graph import QuantGraph
from ..layer_report import LayerReport
from ..recipe import LglsqParts, Recipe
from .export import export_network
from .fitting import fit
from .network import Network
from .precision import Precision
from .report import layer_reports

__all__ = ["Trained", "train_graph"]

Array = NDArray[Any]

#: Samples that quantizers are calibrated and reports made on.
SAMPLES = 50


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training made.

    Parameters
    ----------
    graph : QuantGraph
        The integers.
    layers : list of LayerReport
        What became of each layer.
    losses : list of float
        Mean loss of each epoch; empty without training.
    """

    graph: QuantGraph
    layers: list[LayerReport]
    losses: list[float]


def train_graph(
    graph: FloatGraph,
    calibration: Mapping[str, Array],
    precision: Precision,
    *,
    data: tuple[Mapping[str, Array], Array] | None = None,
    recipe: Recipe | None = None,
    parts: LglsqParts | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Return a network of integers, trained if there are data.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    calibration : mapping
        For each input samples in the model's own layout.
    precision : Precision
        Method, and bits by layer.
    data : tuple, optional
        Samples by input, and the class of each. Without any the network is calibrated only.
    recipe : Recipe, optional
        How to train.
    parts : LglsqParts, optional
        Choices of LG-LSQ.
    progress, checkpoint, resume
        See :func:`~shiftloom.quant.train.fitting.fit`.

    Raises
    ------
    ModelError
        The model or the data cannot be used.
    CheckpointError
        The folder holds another training.
    """
    some = {name: values[:SAMPLES] for name, values in calibration.items()}
    torch.manual_seed(recipe.seed if recipe else 0)
    method = "3sd" if data is not None else "max"
    network = Network(graph, some, precision, method, parts)
    losses: list[float] = []
    if data is not None:
        inputs, labels = data
        _check_labels(network, labels, next(iter(inputs.values())))
        losses = fit(
            network,
            inputs,
            labels,
            recipe or Recipe(),
            progress,
            checkpoint=checkpoint,
            resume=resume,
        )
    network.eval()
    return Trained(
        graph=export_network(network), layers=layer_reports(network, some), losses=losses
    )


def _check_labels(network: Network, labels: Array, inputs: Array) -> None:
    classes = int(np.prod(network.graph.shapes[network.graph.outputs[0]][1:]))
    whole = labels.dtype.kind in "iub" or bool((labels == np.rint(labels)).all())
    if labels.ndim != 1 or len(labels) != len(inputs) or not whole:
        raise ModelError(
            "SL-Q111",
            f"labels of shape {labels.shape} and type {labels.dtype}",
            allowed=f"one whole number for each of {len(inputs)} samples",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ModelError(
            "SL-Q111",
            f"labels {labels.min()} to {labels.max()}",
            allowed=f"0 to {classes - 1}, one for each output of the network",
        )
