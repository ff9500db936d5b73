"""Codes with the value of their step, as they travel through a network that is trained."""

from typing import NamedTuple

from torch import Tensor

__all__ = ["Coded"]


class Coded(NamedTuple):
    """A quantized tensor: ``value = code * unit``.

    Parameters
    ----------
    codes : Tensor
        Whole numbers in floating point, with the quantizer's gradient.
    unit : Tensor
        One value for the tensor; or one per output channel (weights), ``(channels,)``.
    """

    codes: Tensor
    unit: Tensor

    def values(self) -> Tensor:
        """Return the values that the codes stand for."""
        return self.codes * self.unit
