"""Training behind the verb ``quantize``; needs PyTorch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..quant.float_graph import FloatGraph
from ..quant.graph import QuantGraph
from ..quant.layer_report import LayerReport
from ..quant.recipe import LglsqParts, Recipe, recipe_for
from .errors import FlowError
from .progress import Progress

__all__ = ["train_model"]

Array = NDArray[Any]
Data = tuple[Mapping[str, Array], Array]


def train_model(
    graph: FloatGraph,
    calibration: Mapping[str, Array],
    data: Data | None,
    *,
    method: str,
    options: Mapping[str, Any],
    epochs: int,
    batch: int,
    seed: int,
    recipe: Recipe | None,
    parts: LglsqParts | None,
    checkpoint: Path | None,
    resume: bool,
    tell: Progress,
) -> tuple[QuantGraph, list[LayerReport]]:
    """Return a trained network of integers and a report on its layers.

    Raises
    ------
    FlowError
        PyTorch is missing, or an option or the checkpoint cannot be used.
    """
    try:
        from ..quant.train.checkpoint import CheckpointError
        from ..quant.train.precision import Precision
        from ..quant.train.train import train_graph
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise FlowError(f"--method {method}: {error}") from error
    try:
        precision = Precision(method=method, **options)
        chosen = recipe or recipe_for(method, epochs=epochs, batch=batch, seed=seed)
    except ValueError as error:
        raise FlowError(str(error)) from error
    tell("calibrating", 0, 0)
    try:
        made = train_graph(
            graph,
            calibration,
            precision,
            data=data,
            recipe=chosen,
            parts=parts,
            progress=lambda done, total, loss: tell("training", done, total),
            checkpoint=checkpoint,
            resume=resume,
        )
    except CheckpointError as error:
        raise FlowError(str(error)) from error
    return made.graph, made.layers
