"""Incremental freezing of TQT's thresholds (arXiv 1903.08066).

The rule and its numbers are those of Graffitist's training script.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ThresholdFreezer"]

#: The average of a constant may differ from it by rounding errors.
SLACK = 1e-9


class ThresholdFreezer:
    """Freeze thresholds one by one, each in the octave where it spends most of its time.

    From a start on, every so many steps: thresholds are visited in the order of the magnitude of
    their mean gradient since the last visit, and the first one that is now in the octave of its
    moving average is frozen. A vector of thresholds is frozen when all of its elements are.

    A frozen parameter leaves the update: it has no gradient, so Adam passes it over. A gradient
    of zero would not do, because Adam's first moment would still move it.

    Parameters
    ----------
    thresholds : sequence of nn.Parameter
        ``log2 t`` of each quantizer.
    start : int
        Steps before the first freeze; Graffitist: ``1000 * 24 / batch``.
    every : int
        Steps between visits.
    decay : float
        Of the moving averages, which are corrected for their start at zero.
    """

    def __init__(
        self,
        thresholds: Sequence[nn.Parameter],
        *,
        start: int,
        every: int = 50,
        decay: float = 0.9999,
    ) -> None:
        self.thresholds = list(thresholds)
        self.start, self.every, self.decay = start, every, decay
        self.steps = 0
        self._averages = [torch.zeros_like(t, dtype=torch.float64) for t in self.thresholds]
        self._sums = [torch.zeros_like(t) for t in self.thresholds]

    @property
    def frozen(self) -> int:
        """Number of frozen thresholds."""
        return sum(not t.requires_grad for t in self.thresholds)

    def step(self) -> nn.Parameter | None:
        """Take note of a step, after the optimizer's; return the threshold frozen, if any."""
        self.steps += 1
        for threshold, average, total in zip(
            self.thresholds, self._averages, self._sums, strict=True
        ):
            average.mul_(self.decay).add_(threshold.detach(), alpha=1 - self.decay)
            if threshold.grad is not None:
                total.add_(threshold.grad)
        if self.steps < self.start or self.steps % self.every:
            return None
        chosen = self._choose()
        for total in self._sums:
            total.zero_()
        return chosen

    def _choose(self) -> nn.Parameter | None:
        """Freeze the first threshold that sits where it usually does."""
        sizes = [float(total.abs().mean()) / self.every for total in self._sums]
        for index in sorted(range(len(sizes)), key=sizes.__getitem__):
            threshold = self.thresholds[index]
            usual = (self.average(index) - SLACK).ceil()
            if threshold.requires_grad and bool((threshold.ceil() == usual).all()):
                threshold.requires_grad_(False)
                threshold.grad = None
                return threshold
        return None

    def average(self, index: int) -> Tensor:
        """Return the moving average of a threshold."""
        return self._averages[index] / (1 - self.decay**self.steps)

    def tensors(self) -> dict[str, Tensor]:
        """Return averages and sums by name, for a checkpoint."""
        parts = {"average": self._averages, "sum": self._sums}
        return {f"{name}.{i}": t for name, ts in parts.items() for i, t in enumerate(ts)}

    def load(self, tensors: dict[str, Tensor], steps: int, frozen: Sequence[int]) -> None:
        """Go on from a checkpoint."""
        for name, kept in self.tensors().items():
            kept.copy_(tensors[name])
        self.steps = steps
        for index in frozen:
            self.thresholds[index].requires_grad_(False)
