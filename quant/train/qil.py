"""Trainable QIL quantizer (Jung et al., CVPR 2019, arXiv 1808.05779).

The deployed twin is :mod:`shiftloom.quant.quantizers.qil`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..quantizers.lglsq import initial_step
from ..quantizers.qil import Qil
from .coded import Coded
from .gradients import straight_through

__all__ = ["QilQuantizer", "progressive"]

#: The transformer's derivative grows without bound at the pruning threshold where gamma < 1.
LEAST_PLACE = 1e-6
LEAST_DISTANCE = 1e-5
LEAST_GAMMA = 1e-2


class QilQuantizer(nn.Module):
    """Transform by a trained interval, then discretize.

    The gradient is the exact derivative of the transformer; the discretizer passes it straight
    through. Convolutions pad what this returns with zeros, never its input: where
    ``centre < distance``, zero has a code of its own.

    Parameters
    ----------
    bits : int
        May be changed while training; see :func:`progressive`.
    signed : bool
        Weights, or activations.
    train_gamma : bool
        Train the exponent; the paper's weights of 2 bits do (recalled, not checked), others
        have 1.
    """

    #: A factor on the weights changes their codes.
    rescales = True

    magnitude: Tensor

    def __init__(self, bits: int, *, signed: bool, train_gamma: bool = False) -> None:
        super().__init__()
        self.bits, self.signed = bits, signed
        self.centre = nn.Parameter(torch.tensor(0.5))
        self.distance = nn.Parameter(torch.tensor(0.5))
        self.gamma = nn.Parameter(torch.tensor(1.0), requires_grad=train_gamma and signed)
        #: What a value of one is worth to the layer behind; its norm absorbs it as it does all.
        self.register_buffer("magnitude", torch.ones(()))

    def initialise(self, values: NDArray[Any], method: str = "max") -> None:
        """Set the interval to ``0 … max|x|``, or (``"mse"``) to where rounding errs least.

        The paper's own start is not known.
        """
        top = float(np.abs(values).max())
        if method == "mse":
            top = initial_step(values, self.bits, self.signed, method) * self.levels
        half = max(top / 2, LEAST_DISTANCE)
        with torch.no_grad():
            self.centre.fill_(half)
            self.distance.fill_(half)
            self.magnitude.fill_(2 * half)

    def transform(self, x: Tensor) -> Tensor:
        """Return transformed values, differentiable in all of the interval's parameters."""
        centre, distance = self.centre, self.distance.clamp(min=LEAST_DISTANCE)
        magnitude = x.abs() if self.signed else x
        place = (magnitude - (centre - distance)) / (2 * distance)
        gamma = self.gamma.clamp(min=LEAST_GAMMA)
        inside = place.clamp(0, 1)
        shaped = straight_through(place.clamp(LEAST_PLACE, 1) ** gamma, inside.detach() ** gamma)
        shaped = torch.where((place >= 0) & (place <= 1), shaped, inside.detach())
        return torch.sign(x) * shaped if self.signed else shaped

    def forward(self, x: Tensor) -> Tensor:
        """Return quantized values, codes over ``q``."""
        transformed, levels = self.transform(x), self.levels
        rounded = torch.floor(transformed.abs() * levels + 0.5)
        return straight_through(transformed, torch.sign(transformed) * rounded / levels)

    @property
    def levels(self) -> int:
        """Largest code, ``q``."""
        return 2 ** (self.bits - int(self.signed)) - 1

    def coded(self, x: Tensor) -> Coded:
        """Return codes ``-q … q`` or ``0 … q``, and their constant unit."""
        transformed, levels = self.transform(x), self.levels
        rounded = torch.floor(transformed.abs() * levels + 0.5)
        codes = straight_through(transformed * levels, torch.sign(transformed) * rounded)
        return Coded(codes, self.magnitude / levels)

    def deployed(self) -> Qil:
        """Return the NumPy twin."""
        return Qil(
            centre=float(self.centre.detach()),
            distance=max(float(self.distance.detach()), LEAST_DISTANCE),
            gamma=max(float(self.gamma.detach()), LEAST_GAMMA),
            bits=self.bits,
            signed=self.signed,
        )


def progressive(network: nn.Module, bits: Sequence[int] = (5, 4, 3, 2)) -> Iterator[int]:
    """Yield each number of bits after setting all quantizers of a network to it (Table 2).

    The caller trains between: each stage starts from the weights and intervals of the last.
    Quantizers that start with more bits than the first stage keep them.
    """
    quantizers = [m for m in network.modules() if isinstance(m, QilQuantizer)]
    chosen = [quantizer for quantizer in quantizers if quantizer.bits <= max(bits)]
    for width in bits:
        for quantizer in chosen:
            quantizer.bits = width
        yield width
