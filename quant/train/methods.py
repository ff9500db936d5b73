"""The four methods as parts of a network: which quantizers, which widths, which gradients.

Inside a network each method quantizes weights and feature maps between low-bit convolutions. What
the papers keep in full precision (the first and the last layer, and the residual stream) has 8 bits
with power-of-two scales, trained as TQT's thresholds.
"""

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor, nn

from ..quantizers.comparators import Boundary
from ..recipe import LglsqParts
from .coded import Coded
from .lglsq import LglsqQuantizer
from .lsbq_codes import LsbqActivationCodes, LsbqWeightCodes
from .precision import Precision
from .qil import QilQuantizer

__all__ = ["Deployed", "Quantizer", "activation_quantizer", "weight_quantizer"]


class Deployed(Protocol):
    """A quantizer of activations after training: a bank of comparators."""

    @property
    def low(self) -> int:
        """Smallest code."""

    @property
    def high(self) -> int:
        """Largest code."""

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return where codes rise by one."""


class Quantizer(Protocol):
    """A trainable quantizer of a method."""

    def initialise(self, values: NDArray[Any]) -> None:
        """Set it from data."""

    def coded(self, x: Tensor) -> Coded:
        """Return codes and their unit."""

    def deployed(self) -> Deployed:
        """Return the NumPy twin."""


class _Lglsq(LglsqQuantizer):
    def initialise(self, values: NDArray[Any], method: str = "mse") -> None:
        super().initialise(values, method)


class _Qil(QilQuantizer):
    def initialise(self, values: NDArray[Any], method: str = "mse") -> None:
        super().initialise(values, method)


def _lglsq(bits: int, signed: bool, weights: bool, parts: LglsqParts) -> nn.Module:
    return _Lglsq(
        bits,
        signed=signed,
        step_gradient=parts.step_gradient,
        sharpness=parts.sharpness,
        delta=parts.delta,
        clips=not weights,
    )


def _qil(bits: int, signed: bool, weights: bool, parts: LglsqParts) -> nn.Module:
    return _Qil(bits, signed=signed, train_gamma=weights and bits == 2)


def _lsbq(bits: int, signed: bool, weights: bool, parts: LglsqParts) -> nn.Module:
    return LsbqWeightCodes() if weights else LsbqActivationCodes(bits, signed=signed)


_MAKERS: dict[str, Callable[[int, bool, bool, LglsqParts], nn.Module]] = {
    "lglsq": _lglsq,
    "lsbq": _lsbq,
    "qil": _qil,
}


def weight_quantizer(precision: Precision, bits: int, parts: LglsqParts) -> nn.Module:
    """Return the quantizer of a low-bit layer's weights."""
    return _MAKERS[precision.method](bits, True, True, parts)


def activation_quantizer(precision: Precision, signed: bool, parts: LglsqParts) -> nn.Module:
    """Return the quantizer of a feature map that low-bit layers read."""
    return _MAKERS[precision.method](precision.activation_bits, signed, False, parts)
