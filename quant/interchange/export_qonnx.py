"""Quantized graphs as QONNX models."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from ...isa.requantize import Rounding
from ..errors import UnsupportedError
from ..export_nodes import Exporter
from ..graph import Add, AveragePool, Conv, QuantGraph, TensorType
from .qonnx_nodes import DOMAINS

__all__ = ["to_qonnx"]

OPSET = 17

#: The machine's roundings by QONNX's names; it has none for ties towards positive infinity.
_MODES = {Rounding.HALF_EVEN: "ROUND", Rounding.FLOOR: "FLOOR", Rounding.HALF_AWAY: "HALF_UP"}

#: Integers of at most this magnitude are exact in float32.
_EXACT = 1 << 24


def to_qonnx(graph: QuantGraph) -> onnx.ModelProto:
    """Return a quantized graph as a QONNX model that computes the same integers.

    Shift requantization becomes Quant, thresholds become MultiThreshold.

    Raises
    ------
    UnsupportedError
        A bias or a threshold is not exact in float32.
    """
    exporter = _QonnxExporter(graph)
    exporter.build()
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAINS[0], 1)]
    return helper.make_model(
        exporter.finish(), opset_imports=opsets, ir_version=8, producer_name="shiftloom"
    )


class _QonnxExporter(Exporter):
    """Collects nodes; quantizers are QONNX's."""

    def quantized(self, source: str, output: str, tensor: TensorType, low: int, high: int) -> None:
        """Add a Clip where the codes are narrower than their format, and Quant."""
        self._limited(source, output, tensor, (low, high), "ROUND")

    def _limited(
        self, source: str, output: str, tensor: TensorType, limits: tuple[int, int], mode: str
    ) -> None:
        narrow = tensor.signed and limits == (tensor.low + 1, tensor.high)
        if limits != (tensor.low, tensor.high) and not narrow:
            values = np.ldexp(np.float32(1), tensor.exponent) * np.array(limits, np.float32)
            bounds = [self._float(value) for value in values]
            source = self.add("Clip", [source, *bounds], f"{output}/clipped")
        attributes = {"signed": int(tensor.signed), "narrow": int(narrow), "rounding_mode": mode}
        terms = [self.scale((tensor.exponent,)), self._float(0), self._float(tensor.bits)]
        self.add("Quant", [source, *terms], output, domain=DOMAINS[0], **attributes)

    def _float(self, value: float) -> str:
        return self.constant(f"value/{float(value)!r}", np.array(value, np.float32))

    def _requantized(self, node: Conv | Add | AveragePool, acc: str, output: str) -> None:
        params, tensor = node.requantize, self.graph.tensors[node.output]
        limits = (params.out_low, params.out_high)
        if params.rounding is Rounding.HALF_UP:  # half a step more, then down
            half = self._float(float(np.ldexp(0.5, tensor.exponent)))
            acc = self.add("Add", [acc, half], f"{output}/raised")
            self._limited(acc, output, tensor, limits, "FLOOR")
        else:
            self._limited(acc, output, tensor, limits, _MODES[params.rounding])

    def _middle(self, node: Conv, acc: str, output: str, step: int) -> str:
        params = node.requantize
        middle = step + params.shift[0]
        form = TensorType(shape=(1, 1, 1), bits=16, exponent=middle)
        mode = _MODES.get(params.rounding)
        if mode is None:
            raise UnsupportedError(
                "SL-Q114", "two stages that round half up", node=node.name, fix="quantize again"
            )
        self._limited(acc, f"{output}/first", form, (params.low, params.high), mode)
        if not node.mid_bias.any():
            return f"{output}/first"
        values = np.ldexp(node.mid_bias.astype(np.float32).reshape(-1, 1, 1), middle)
        bias = self.constant(f"{output}/mid_bias", values)
        return self.add("Add", [f"{output}/first", bias], f"{output}/middle")

    def _weights_and_bias(self, node: Conv, output: str) -> list[str]:
        operands = [self._weights(node.weight, node.weight_exponent, f"{output}/weights")]
        if node.bias.any():
            exact = np.ldexp(node.bias.astype(np.float64), self.steps(node))
            values = _exact(exact, f"{node.name}: bias")
            operands.append(self.constant(f"{output}/bias", values))
        return operands

    def _weights(
        self, codes: NDArray[np.generic], exponents: Sequence[int], name: str, signed: bool = True
    ) -> str:
        """Add constants and their Quant."""
        spread = (-1, *(1,) * (codes.ndim - 1))
        scale = np.ldexp(np.float32(1), np.array(exponents)).reshape(spread).astype(np.float32)
        values = codes.astype(np.float32) * scale
        low, high = int(codes.min()), int(codes.max())
        bits = max((-low - 1 if low < 0 else 0).bit_length(), high.bit_length()) + signed
        steps = scale.reshape(()) if scale.size == 1 else scale
        terms = [
            self.constant(f"{name}/float", values),
            self.constant(f"{name}/scale", steps),
            self._float(0),
            self._float(max(bits, 1 + signed)),
        ]
        attributes = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND"}
        return self.add("Quant", terms, name, domain=DOMAINS[0], **attributes)

    def _compared(self, node: Conv, acc: str, output: str) -> None:
        bank, tensor = node.thresholds, self.graph.tensors[node.output]
        assert bank is not None
        # Sums beyond 2**24 are not exact in float32: what lies there is meant as never or always.
        within = np.clip(bank.values.astype(np.int64), -_EXACT, _EXACT + 2)
        values = np.ldexp(within.astype(np.float64), np.reshape(self.steps(node), (-1, 1)))
        scale = float(np.ldexp(1.0, tensor.exponent))
        sign = "INT" if tensor.signed else "UINT"
        self.add(
            "MultiThreshold",
            [acc, self.constant(f"{output}/thresholds", _exact(values, node.name))],
            output,
            domain=DOMAINS[0],
            out_scale=scale,
            out_bias=scale * bank.low,
            out_dtype=f"{sign}{tensor.bits}" if tensor.exponent == 0 else "FLOAT32",
            data_layout="NCHW",
        )

    def _average(self, node: AveragePool, inputs: list[str], output: str) -> None:
        """Add a depthwise convolution whose weights are the reciprocal."""
        source, tensor = self.graph.tensors[node.inputs[0]], self.graph.tensors[node.output]
        params, channels = node.requantize, source.shape[0]
        step = tensor.exponent - params.shift[0] - params.out_shift - source.exponent
        code = np.full((channels, 1, *node.kernel), node.reciprocal, np.int16)
        weights = self._weights(code, (step,), f"{output}/factor", signed=False)
        window = {"strides": node.stride, "pads": node.padding, "group": channels}
        total = self.add("Conv", [*inputs, weights], f"{output}/sum", **window)
        self._requantized(node, total, output)


def _exact(values: NDArray[np.float64], place: str) -> NDArray[np.float32]:
    """Return values as float32.

    Raises
    ------
    UnsupportedError
        That would change one.
    """
    narrow: NDArray[np.float32] = values.astype(np.float32)
    if (narrow != values).any():
        raise UnsupportedError(
            "SL-Q114",
            "an integer with more than 24 bits, which float32 does not hold",
            node=place,
            fix="export QDQ, whose biases are integers",
        )
    return narrow
