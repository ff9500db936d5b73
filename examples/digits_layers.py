"""Layers with gradients, in NumPy: just enough to train a small convolutional network.

A network is a function that calls these layers on a :class:`Tape`. Feature maps are
``(batch, channels, height, width)``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["Parameter", "Tape"]

Array = NDArray[np.float32]


@dataclass(eq=False)
class Parameter:
    """Values with a gradient: weights, or what flows between layers."""

    value: Array
    grad: Array = field(init=False)

    def __post_init__(self) -> None:
        self.grad = np.zeros_like(self.value)


@dataclass
class Tape:
    """Layers in the order they were applied, and how gradients flow back through each.

    Parameters
    ----------
    training : bool
        Batch norm uses the batch's statistics and updates the running ones.
    """

    training: bool
    steps: list[Callable[[], None]] = field(default_factory=list)

    def backward(self) -> None:
        """Add to every gradient what the last layer's gradient implies."""
        for step in reversed(self.steps):
            step()

    def _record(self, value: Array, step: Callable[[Array], None]) -> Parameter:
        result = Parameter(value)
        self.steps.append(lambda: step(result.grad))
        return result

    def conv(self, x: Parameter, weight: Parameter) -> Parameter:
        """Convolve with zero padding that keeps the size; ``weight`` is ``(out, in, k, k)``."""
        kernel = weight.value.shape[2]
        windows = _windows(x.value, kernel)

        def step(grad: Array) -> None:
            weight.grad += np.tensordot(grad, windows, axes=((0, 2, 3), (0, 2, 3)))
            turned = weight.value[:, :, ::-1, ::-1]
            back = np.tensordot(_windows(grad, kernel), turned, axes=((1, 4, 5), (0, 2, 3)))
            x.grad += back.transpose(0, 3, 1, 2)

        value = np.tensordot(windows, weight.value, axes=((1, 4, 5), (1, 2, 3)))
        return self._record(np.ascontiguousarray(value.transpose(0, 3, 1, 2)), step)

    def depthwise(self, x: Parameter, weight: Parameter) -> Parameter:
        """Convolve each channel with a kernel of its own; ``weight`` is ``(channels, 1, k, k)``."""
        kernel = weight.value.shape[2]
        windows, taps = _windows(x.value, kernel), weight.value[:, 0]

        def step(grad: Array) -> None:
            weight.grad[:, 0] += np.einsum("nchw,nchwij->cij", grad, windows, optimize=True)
            x.grad += np.einsum("nchwij,cij->nchw", _windows(grad, kernel), taps[:, ::-1, ::-1])

        return self._record(np.einsum("nchwij,cij->nchw", windows, taps), step)

    def norm(self, x: Parameter, scale: Parameter, shift: Parameter, running: Array) -> Parameter:
        """Normalize each channel over the batch; ``running`` holds mean and variance."""
        if self.training:
            batch = np.stack([x.value.mean((0, 2, 3)), x.value.var((0, 2, 3))])
            running += np.float32(0.1) * (batch - running)
        mean, variance = _maps(batch if self.training else running)
        inverse = 1 / np.sqrt(variance + np.float32(1e-5))
        unit = (x.value - mean) * inverse

        def step(grad: Array) -> None:
            scale.grad += (grad * unit).sum((0, 2, 3))
            shift.grad += grad.sum((0, 2, 3))
            inner = grad * _maps(scale.value)
            common = inner.mean((0, 2, 3), keepdims=True)
            slope = (inner * unit).mean((0, 2, 3), keepdims=True)
            x.grad += inverse * (inner - common - unit * slope)

        return self._record(unit * _maps(scale.value) + _maps(shift.value), step)

    def relu(self, x: Parameter) -> Parameter:
        """Replace negative values by zero."""

        def step(grad: Array) -> None:
            x.grad += grad * (x.value > 0)

        return self._record(np.maximum(x.value, 0), step)

    def add(self, x: Parameter, y: Parameter) -> Parameter:
        """Add two feature maps."""

        def step(grad: Array) -> None:
            x.grad += grad
            y.grad += grad

        return self._record(x.value + y.value, step)

    def max_pool(self, x: Parameter) -> Parameter:
        """Take the maximum of each 2x2 square."""
        batch, channels, height, width = x.value.shape
        squares = x.value.reshape(batch, channels, height // 2, 2, width // 2, 2)
        value = squares.max((3, 5))

        def step(grad: Array) -> None:
            chosen = squares == value[:, :, :, None, :, None]
            x.grad += (chosen * grad[:, :, :, None, :, None]).reshape(x.value.shape)

        return self._record(value, step)

    def mean(self, x: Parameter) -> Parameter:
        """Average each channel over all pixels: ``(batch, channels)``."""
        pixels = x.value.shape[2] * x.value.shape[3]

        def step(grad: Array) -> None:
            x.grad += grad[:, :, None, None] / np.float32(pixels)

        return self._record(x.value.mean((2, 3)), step)

    def dense(self, x: Parameter, weight: Parameter, bias: Parameter) -> Parameter:
        """Multiply by ``weight``, ``(outputs, inputs)``, and add ``bias``."""

        def step(grad: Array) -> None:
            weight.grad += grad.T @ x.value
            bias.grad += grad.sum(0)
            x.grad += grad @ weight.value

        return self._record(x.value @ weight.value.T + bias.value, step)


def _windows(x: Array, kernel: int) -> Array:
    """Return all windows of zero-padded maps: ``(batch, channels, height, width, k, k)``."""
    edge = kernel // 2
    padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    return sliding_window_view(padded, (kernel, kernel), axis=(2, 3))


def _maps(values: Array) -> Array:
    """Spread values per channel over pixels."""
    return values[..., None, :, None, None]
