"""Training of a quantized network."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..recipe import Recipe
from .augment import augmented
from .checkpoint import load_checkpoint, save_checkpoint
from .freezing import ThresholdFreezer
from .network import Network
from .qil import QilQuantizer
from .teacher import Teacher

__all__ = ["Recipe", "Training", "fit"]

Array = NDArray[Any]
Progress = Callable[[int, int, float], None]

#: Sizes below this do not make a rate smaller.
LEAST_SIZE = 1e-4


def fit(
    network: Network,
    inputs: Array | Mapping[str, Array],
    labels: Array,
    recipe: Recipe,
    progress: Progress | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> list[float]:
    """Train weights, norms and quantizers by cross-entropy; return the mean loss of each epoch.

    Weights and quantizers have an optimizer each; TQT's thresholds freeze one by one. A network
    that does not quantize is trained in float.

    Parameters
    ----------
    network : Network
        Trained in place.
    inputs : array or mapping
        Samples in the model's own layout.
    labels : int array
        Class of each sample.
    recipe : Recipe
        How to train.
    progress : callable, optional
        Called after each step with steps done, all steps, and the step's loss.
    checkpoint : pathlib.Path, optional
        Folder that is written after each epoch.
    resume : bool
        Go on from what the folder holds, if anything; the result is that of a training that was
        not interrupted.

    Raises
    ------
    CheckpointError
        The folder holds another training.
    """
    if not isinstance(inputs, Mapping):
        inputs = {network.graph.inputs[0]: inputs}
    training = Training(network, recipe, len(labels))
    if checkpoint is not None and resume:
        load_checkpoint(checkpoint, training)
    while training.epoch < training.epochs:
        training.run_epoch(inputs, labels, progress)
        if checkpoint is not None:
            save_checkpoint(checkpoint, training)
    network.eval()
    return training.losses


class Training:
    """One run: optimizers, schedules and freezing.

    Parameters
    ----------
    network : Network
        Trained in place.
    recipe : Recipe
        How to train.
    samples : int
        Of an epoch.

    Members
    -------
    epoch : int
        Epochs done.
    losses : list of float
        Mean loss of each.
    """

    def __init__(self, network: Network, recipe: Recipe, samples: int) -> None:
        self.network, self.recipe, self.samples = network, recipe, samples
        self.epoch, self.losses = 0, list[float]()
        self.epochs = recipe.epochs * (1 + len(recipe.stages))
        self.per_epoch = -(-samples // recipe.batch)
        self.total = self.epochs * self.per_epoch
        self.weights = _optimizer(recipe, [w for w in network.weights() if w.requires_grad])
        moving = [t for t in network.thresholds() if t.requires_grad]
        groups: list[dict[str, Any]] = [{"params": moving, "lr": recipe.threshold_lr}]
        for parameter in network.method_parameters():
            size = max(float(parameter.detach().abs().mean()), LEAST_SIZE)
            groups.append({"params": [parameter], "lr": recipe.quantizer_lr * size})
        self.quantizers = torch.optim.Adam([g for g in groups if g["params"]])
        self.freezer = ThresholdFreezer(moving, start=recipe.steps(recipe.freeze_start))
        self.rates = [
            [float(group["lr"]) for group in optimizer.param_groups]
            for optimizer in (self.weights, self.quantizers)
        ]
        self.teacher = Teacher(network.graph) if recipe.distillation else None
        #: Quantizers that pass through other widths, with the width wanted.
        self.staged = [(m, m.bits) for m in network.modules() if isinstance(m, QilQuantizer)]

    def run_epoch(
        self, inputs: Mapping[str, Array], labels: Array, progress: Progress | None = None
    ) -> None:
        """Pass over all samples, in an order that the seed and the epoch say."""
        network, batch = self.network, self.recipe.batch
        rng, losses = np.random.default_rng(self.recipe.seed), list[float]()
        order = [rng.permutation(len(labels)) for _ in range(self.epoch + 1)][-1]
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        self._set_bits()
        network.train()
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            data = [network.encode(name, inputs[name][chosen]) for name in network.graph.inputs]
            data = [augmented(maps, self.recipe, rng) for maps in data]
            targets = torch.from_numpy(np.asarray(labels[chosen], np.int64))
            losses.append(self.step(data, targets))
            if progress is not None:
                progress(self.done(len(losses)), self.total, losses[-1])
        self.epoch += 1
        self.losses.append(sum(losses) / len(losses))
        network.eval()

    def done(self, steps: int) -> int:
        """Return all steps done, with so many of this epoch."""
        return self.epoch * self.per_epoch + steps

    def _set_bits(self) -> None:
        """Set the widths of this stage; the last one has those wanted."""
        stage = self.epoch // self.recipe.epochs
        for quantizer, wanted in self.staged:
            stages = self.recipe.stages
            quantizer.bits = max(wanted, stages[stage]) if stage < len(stages) else wanted

    def step(self, inputs: list[Tensor], targets: Tensor) -> float:
        """Take one step; return its loss."""
        live = self._schedule()
        kind = torch.bfloat16 if live and self.recipe.bfloat16 else inputs[0].dtype
        # Channels last is the faster layout of both types.
        inputs = [x.to(kind, memory_format=torch.channels_last) for x in inputs]
        loss = self._loss(inputs, targets)
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        self.weights.step()
        if self.quantizers.param_groups:
            self.quantizers.step()
        if self.network.quantizes:
            self.freezer.step()
        return float(loss.detach())

    def _schedule(self) -> bool:
        """Set the rates of a step; return whether norms are live in it."""
        step = self.freezer.steps
        factors = self.recipe.factors(step, self.total)
        for optimizer, rates, factor in zip(
            (self.weights, self.quantizers), self.rates, factors, strict=True
        ):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        live = step < self.recipe.live_norms * self.total
        for layer in self.network.low_layers():
            layer.norm.live = live
        return live

    def _loss(self, inputs: list[Tensor], targets: Tensor) -> Tensor:
        logits = _at_least_single(self.network(*inputs))
        loss = functional.cross_entropy(logits, targets)
        share = self.recipe.distillation
        if self.teacher is None:
            return loss
        heat = self.recipe.temperature
        wanted = functional.log_softmax(_at_least_single(self.teacher(*inputs)) / heat, dim=1)
        found = functional.log_softmax(logits / heat, dim=1)
        apart = functional.kl_div(found, wanted, log_target=True, reduction="batchmean")
        return (1 - share) * loss + share * heat**2 * apart


def _at_least_single(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def _optimizer(recipe: Recipe, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    lr, decay = recipe.weight_lr, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=lr, momentum=0.9, weight_decay=decay)
    return torch.optim.Adam(weights, lr=lr, weight_decay=decay)
