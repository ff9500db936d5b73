"""A convolution with a method's own quantizer: integers, a batch norm, and nothing else."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import float_graph as fg
from .coded import Coded
from .gradients import straight_through
from .layers import clamp, convolve
from .norm import Norm, split_norm
from .tqt import power_of_two

__all__ = ["Integers", "LowConv"]

#: Powers of two of an accumulator's step, in front of additions.
EXPONENTS = (-24, 16)


class Integers(NamedTuple):
    """A layer after training: ``value = accumulator * unit + shift``.

    Parameters
    ----------
    weight : int8 array
        Codes.
    unit, shift : float64 array
        Per output channel; a unit may be negative.
    """

    weight: NDArray[np.int8]
    unit: NDArray[np.float64]
    shift: NDArray[np.float64]


class LowConv(nn.Module):
    """A convolution on codes, its batch norm and its clamp.

    Between low-bit layers the norm and all scales are real, because comparators absorb them. In
    front of an addition, or of anything else that reads shifted sums, one step of the accumulator
    is worth a power of two in each channel, in training as on the machine: the exponent is the
    nearest, and what is left over multiplies the weights before they are quantized.

    Parameters
    ----------
    node : float_graph.Conv
        The layer, norm folded in.
    quantizer : nn.Module
        Of weights.
    power_of_two : bool
        See above.
    """

    def __init__(self, node: fg.Conv, quantizer: nn.Module, power_of_two: bool) -> None:
        super().__init__()
        self.node, self.quantizer, self.power_of_two = node, quantizer, power_of_two
        weight, gain = split_norm(node.weight)
        self.weight = nn.Parameter(torch.from_numpy(weight.copy()))
        self.norm = Norm(gain, node.bias)

    def initialise(self) -> None:
        """Set the quantizer from the weights."""
        self.quantizer.initialise(self.weight.detach().cpu().numpy())

    def plain(self, x: Tensor, describe: bool = False) -> Tensor:
        """Return the clamped sum of the float layer; the norm may take its statistics."""
        sums = convolve(self.node, x, self.weight, None)
        if describe:
            self.norm.describe(sums)
        gain, shift = self.norm.plain()
        return clamp(_scaled(sums, gain, shift), self.node.low, self.node.high)

    def match(self, x: Coded) -> None:
        """Give quantized sums the statistics that float ones have."""
        gain, _ = self.norm.folded()
        codes, unit, rest = self._coded(gain, x.unit)
        worth = (unit / rest).expand(len(gain)).view(-1, 1, 1)
        self.norm.match(convolve(self.node, x.codes, codes, None) * worth)

    def forward(self, x: Coded) -> Tensor:
        """Return the clamped sum, not quantized yet."""
        gain, shift = self.norm.folded()
        codes, unit, rest = self._coded(gain, x.unit)
        sums = convolve(self.node, x.codes, codes, None)
        if self.training and self.norm.live:
            worth = (unit / rest).detach()
            total = self.norm.of_batch(sums, worth, self._ratio(gain.detach(), worth))
        else:
            total = _scaled(sums, *self._settled(gain, unit, shift))
        return clamp(total, self.node.low, self.node.high)

    def _ratio(self, gain: Tensor, unit: Tensor) -> Tensor:
        """Return by what the gain changes where a step has to be worth a power of two."""
        exact = (gain * unit).abs().clamp(min=2.0 ** EXPONENTS[0])
        if not self.power_of_two or self.quantizer.rescales:
            return torch.ones_like(exact)
        return power_of_two(_octave(exact)) / exact

    def _coded(self, gain: Tensor, x_unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return weights as codes, what a product is worth, and the factor that codes absorbed."""
        rest = torch.ones_like(gain)
        if self.power_of_two and self.quantizer.rescales:
            with torch.no_grad():
                exact = (gain * self.quantizer.coded(self.weight).unit * x_unit).abs()
                rest = exact / power_of_two(_octave(exact))
        coded = self.quantizer.coded(self.weight * rest.view(-1, 1, 1, 1))
        return coded.codes, coded.unit * x_unit, rest

    def _settled(self, gain: Tensor, unit: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the accumulator's step is worth, and the bias on that grid."""
        exact = gain * unit
        if not self.power_of_two:
            return exact, shift
        step = power_of_two(_octave(exact.detach().abs()))
        rounded = torch.round(shift.detach() / step) * step
        sign = torch.where(exact.detach() < 0, -1.0, 1.0).to(step.dtype)
        return straight_through(exact, sign * step), straight_through(shift, rounded)

    @torch.no_grad()
    def integers(self, x_unit: Tensor) -> Integers:
        """Return what is deployed, for an input whose codes are worth so much."""
        gain, shift = self.norm.folded()
        codes, unit, _ = self._coded(gain, x_unit)
        unit, shift = self._settled(gain, unit, shift)
        whole = torch.round(codes)
        if not torch.equal(whole, codes):
            raise AssertionError(f"{self.node.name}: weights are not codes")
        return Integers(
            whole.cpu().numpy().astype(np.int8),
            unit.expand(len(gain)).double().cpu().numpy().copy(),
            shift.double().cpu().numpy().copy(),
        )

    def extra_repr(self) -> str:
        """Return the layer's name, for printing."""
        return self.node.name


def _octave(values: Tensor) -> Tensor:
    """Return the nearest powers' exponents."""
    least, most = EXPONENTS
    return torch.round(torch.log2(values.clamp(min=2.0**least))).clamp(least, most)


def _scaled(sums: Tensor, factor: Tensor, term: Tensor) -> Tensor:
    return sums * factor.view(-1, 1, 1) + term.view(-1, 1, 1)
