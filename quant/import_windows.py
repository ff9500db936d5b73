"""Kernel, stride, dilation and padding of a sliding window, from ONNX attributes."""

from dataclasses import dataclass

from .errors import ModelError
from .import_context import Call
from .kernels import output_size

__all__ = ["WindowShape", "window_shape"]

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class WindowShape:
    """A window and what it makes.

    Parameters
    ----------
    kernel, stride, dilation : tuple of int
        ``(vertical, horizontal)``.
    padding : tuple of int
        ``(top, left, bottom, right)``, rounding up included.
    extra : bool
        Whether rounding up added places at the bottom or right.
    output : tuple of int
        ``(height, width)`` of the result.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: tuple[int, int, int, int]
    extra: bool
    output: Pair


def window_shape(call: Call, size: tuple[int, ...], kernel: Pair) -> WindowShape:
    """Return the window of a 2-D convolution or pool on a feature map of a size.

    Raises
    ------
    ModelError
        An attribute has the wrong length or sign, or nothing fits.
    """
    stride = _pair(call, "strides")
    dilation = _pair(call, "dilations")
    if tuple(call.get("kernel_shape", kernel)) != kernel:
        raise ModelError(
            "SL-Q107",
            f"kernel_shape {call.get('kernel_shape', ())} and weights {kernel}",
            node=call.name,
        )
    spans = [
        _span(call, axis, (size[axis], kernel[axis], stride[axis], dilation[axis]))
        for axis in (0, 1)
    ]
    output = (spans[0][2], spans[1][2])
    if min(*output, *kernel) < 1:
        raise ModelError(
            "SL-Q107", f"a window of {kernel} does not fit into {size}", node=call.name
        )
    return WindowShape(
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=(spans[0][0], spans[1][0], spans[0][1], spans[1][1]),
        extra=any(span[3] for span in spans),
        output=output,
    )


def _pair(call: Call, attribute: str) -> Pair:
    values = tuple(int(v) for v in call.get(attribute, (1, 1)))
    if len(values) != 2 or min(values) < 1:
        raise ModelError(
            "SL-Q107", f"{attribute} {values}", node=call.name, allowed="two positive numbers"
        )
    return values[0], values[1]


def _span(call: Call, axis: int, sizes: tuple[int, int, int, int]) -> tuple[int, int, int, bool]:
    """Return padding before and after, output size, and whether rounding up added places."""
    size, kernel, stride, dilation = sizes
    extent = dilation * (kernel - 1) + 1
    mode = str(call.get("auto_pad", "NOTSET"))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        output = -(-size // stride)
        total = max(0, (output - 1) * stride + extent - size)
        before = total // 2 if mode == "SAME_UPPER" else total - total // 2
        return before, total - before, output, False
    before, after = _explicit(call, axis) if mode != "VALID" else (0, 0)
    total = size + before + after
    output = output_size(size, kernel, stride, dilation, before + after)
    if not call.get("ceil_mode", 0) or output < 1:
        return before, after, output, False
    output = -(-(total - extent) // stride) + 1
    if (output - 1) * stride >= size + before:
        output -= 1  # the last window would lie in the padding
    missing = max(0, (output - 1) * stride + extent - total)
    return before, after + missing, output, missing > 0


def _explicit(call: Call, axis: int) -> Pair:
    pads = tuple(int(v) for v in call.get("pads", (0, 0, 0, 0)))
    if len(pads) != 4 or min(pads) < 0:
        raise ModelError(
            "SL-Q107", f"pads {pads}", node=call.name, allowed="four numbers, none negative"
        )
    return pads[axis], pads[axis + 2]
