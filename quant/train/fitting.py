"""Training of a quantized network by TQT's recipe (Graffitist's training script)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .freezing import ThresholdFreezer
from .network import TqtNetwork

__all__ = ["Recipe", "fit"]

Array = NDArray[Any]
Progress = Callable[[int, int, float], None]

#: Graffitist's schedules count steps of batches of so many images.
REFERENCE_BATCH = 24


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; the published numbers are for ImageNet networks that are trained already.

    Parameters
    ----------
    epochs : int
        Passes over the data.
    batch : int
        Samples of a step.
    optimizer : str
        Of weights: ``"adam"``, or ``"sgd"`` with momentum 0.9. Thresholds always have Adam, which
        makes their steps independent of the data's scale.
    weight_lr, threshold_lr : float
        Rates at the start; published, for Adam: 1e-6 and 1e-2.
    weight_halving, threshold_halving : int
        Steps of 24 images after which a rate is 0.94, or half, of what it was; published:
        3000 and 1000.
    weight_decay : float
        Of weights; thresholds minimise the loss alone.
    freeze_start : int
        Steps of 24 images before the first threshold freezes; published: 1000.
    seed : int
        Of the order of samples.
    """

    epochs: int = 5
    batch: int = 24
    optimizer: str = "adam"
    weight_lr: float = 1e-6
    threshold_lr: float = 1e-2
    weight_halving: int = 3000
    threshold_halving: int = 1000
    weight_decay: float = 0.0
    freeze_start: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer must be adam or sgd, not {self.optimizer}")

    def steps(self, reference: int) -> int:
        """Return steps of this batch for steps of the reference's."""
        return max(1, reference * REFERENCE_BATCH // self.batch)


def fit(
    network: TqtNetwork,
    inputs: Array | Mapping[str, Array],
    labels: Array,
    recipe: Recipe,
    progress: Progress | None = None,
) -> list[float]:
    """Train weights and thresholds by cross-entropy; return the mean loss of each epoch.

    Weights and thresholds have an optimizer each; thresholds freeze one by one. A network that does
    not quantize is trained in float.

    Parameters
    ----------
    network : TqtNetwork
        Trained in place.
    inputs : array or mapping
        Samples in the model's own layout.
    labels : int array
        Class of each sample.
    recipe : Recipe
        How to train.
    progress : callable, optional
        Called after each epoch with epochs done, all epochs, and the mean loss.
    """
    if not isinstance(inputs, Mapping):
        inputs = {network.graph.inputs[0]: inputs}
    data = [network.encode(name, inputs[name]) for name in network.graph.inputs]
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    training, losses = _Training(network, recipe), []
    rng = np.random.default_rng(recipe.seed)
    network.train()
    for epoch in range(recipe.epochs):
        order = torch.from_numpy(rng.permutation(len(targets)))
        batches = order.split(recipe.batch)
        total = sum(training.step([d[b] for d in data], targets[b]) for b in batches)
        losses.append(total / len(batches))
        if progress is not None:
            progress(epoch + 1, recipe.epochs, losses[-1])
    network.eval()
    return losses


def _optimizer(recipe: Recipe, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    lr, decay = recipe.weight_lr, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=lr, momentum=0.9, weight_decay=decay)
    return torch.optim.Adam(weights, lr=lr, weight_decay=decay)


class _Training:
    """Optimizers, schedules and freezing of one run."""

    def __init__(self, network: TqtNetwork, recipe: Recipe) -> None:
        self.network = network
        self.weights = _optimizer(recipe, [w for w in network.weights() if w.requires_grad])
        moving = [t for t in network.thresholds() if t.requires_grad]
        self.thresholds = torch.optim.Adam(moving, lr=recipe.threshold_lr) if moving else None
        steps = (recipe.steps(recipe.weight_halving), recipe.steps(recipe.threshold_halving))
        self.schedules = [torch.optim.lr_scheduler.StepLR(self.weights, steps[0], 0.94)]
        if self.thresholds is not None:
            schedule = torch.optim.lr_scheduler.StepLR(self.thresholds, steps[1], 0.5)
            self.schedules.append(schedule)
        self.freezer = ThresholdFreezer(moving, start=recipe.steps(recipe.freeze_start))

    def step(self, inputs: list[Tensor], targets: Tensor) -> float:
        """Take one step; return its loss."""
        loss = functional.cross_entropy(self.network(*inputs), targets)
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        self.weights.step()
        if self.thresholds is not None:
            self.thresholds.step()
            if self.network.quantizes:
                self.freezer.step()
        for schedule in self.schedules:
            schedule.step()
        return float(loss.detach())
