"""QONNX's operators by their definition, for the evaluator of the onnx package.

Written from the operator pages of QONNX; the tests that have the ``qonnx`` package compare with it.
"""

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")

ROUNDINGS = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def quant(x, scale, zero, bits, *, signed, narrow, rounding_mode):
    """Return what Quant makes of an array."""
    x, scale, zero = (np.asarray(v, np.float64) for v in (x, scale, zero))
    bits = int(np.max(bits))
    if signed and bits == 1:
        return np.where(x / scale + zero >= 0, scale, -scale)
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    levels = np.clip(x / scale + zero, low, high)
    return scale * (ROUNDINGS[rounding_mode.upper()](levels) - zero)


class Quant(OpRun):
    """Uniform quantization."""

    op_domain = DOMAINS[0]

    def _run(self, x, scale, zero, bits, **attributes):
        made = quant(x, scale, zero, bits, **attributes)
        return (made.astype(np.float32),)


class IntQuant(Quant):
    """The same under its other name."""


class BipolarQuant(OpRun):
    """The sign, with a positive zero."""

    op_domain = DOMAINS[0]

    def _run(self, x, scale):
        return (np.where(x >= 0, scale, -scale).astype(np.float32),)


class Trunc(OpRun):
    """Division by a power of two."""

    op_domain = DOMAINS[0]

    def _run(self, x, scale, zero, *rest, rounding_mode="FLOOR", signed=1, narrow=0):
        levels = np.rint(np.asarray(x, np.float64) / scale + zero)
        rounding = ROUNDINGS[rounding_mode]
        if len(rest) == 2:
            bits_in, bits_out = rest
            made = (rounding(levels / 2.0 ** (bits_in - bits_out)) - zero) * scale
            return (made.astype(np.float32),)
        _, out_scale, bits = rest
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        made = np.clip(levels / 2 ** np.rint(np.log2(out_scale / scale)), low, high)
        return ((rounding(made) * out_scale).astype(np.float32),)


class MultiThreshold(OpRun):
    """Counts the thresholds that are reached."""

    op_domain = DOMAINS[0]

    def _run(self, x, thresholds, **attributes):
        data_layout = attributes.get("data_layout") or ""
        last = data_layout.endswith("C") and len(data_layout) > 2
        moved = x if last else np.moveaxis(x, 1, -1)
        count = (moved[..., None] >= thresholds).sum(axis=-1)
        made = count if last else np.moveaxis(count, -1, 1)
        made = attributes.get("out_scale", 1.0) * made + attributes.get("out_bias", 0.0)
        return (made.astype(np.float32),)


class BatchNormalization(OpRun):
    """Inference; the evaluator's own is that of training in operator set 9."""

    op_domain = ""

    def _run(self, x, *parameters, epsilon=1e-5, **_training):
        scale, bias, mean, variance = (p.reshape(-1, *(1,) * (x.ndim - 2)) for p in parameters)
        made = scale * (x - mean) / np.sqrt(variance + np.float32(epsilon)) + bias
        return (made.astype(np.float32),)


def execute(model, feeds):
    """Return the outputs of a QONNX model, whatever domain its operators have."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.domain in DOMAINS:
            node.domain = DOMAINS[0]
    versions = [entry for entry in copy.opset_import if entry.domain not in DOMAINS]
    del copy.opset_import[:]
    copy.opset_import.extend([*versions, onnx.helper.make_opsetid(DOMAINS[0], 1)])
    operators = [Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, BatchNormalization]
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(copy, new_ops=operators).run(None, feeds)
