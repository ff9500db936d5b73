"""QONNX models in the making."""

import numpy as np
from onnx import helper

from ..quant.builders import Net
from .reference import DOMAINS

__all__ = ["QonnxNet"]


class QonnxNet(Net):
    """A network with quantizers of its own; methods return the name of the tensor they make."""

    domain = DOMAINS[0]

    def custom(self, op, *inputs, **attributes):
        return self.node(op, *inputs, domain=self.domain, **attributes)

    def scalar(self, value):
        return self.constant(np.float32(value))

    def quant(self, x, scale, bits, *, signed=1, narrow=0, zero=0, mode="ROUND", op="Quant"):
        step = self.constant(np.asarray(scale, np.float32))
        terms = [x, step, self.scalar(zero), self.scalar(bits)]
        return self.custom(op, *terms, signed=signed, narrow=narrow, rounding_mode=mode)

    def bipolar(self, x, scale=1.0):
        return self.custom("BipolarQuant", x, self.scalar(scale))

    def weights(self, shape, bits, scale=None):
        """Return quantized weights; with one bit they are bipolar."""
        scale = self.rng.uniform(0.01, 0.1) if scale is None else scale
        values = self.rng.normal(0, 1, shape) * np.asarray(scale) * 2.0 ** (bits - 2)
        name = self.constant(values.astype(np.float32))
        if bits == 1:
            return self.bipolar(name, scale)
        return self.quant(name, scale, bits, narrow=1)

    def dense(self, x, outputs, inputs, bits=2, scale=None):
        weight = self.weights((outputs, inputs), bits, scale)
        return self.node("MatMul", x, self.node("Transpose", weight, perm=[1, 0]))

    def quantized_conv(self, x, shape, bits=2, scale=None, **attributes):
        return self.node("Conv", x, self.weights(shape, bits, scale), **attributes)

    def batch_norm(self, x, channels):
        """Return a batch norm whose factors have both signs."""
        rng = self.rng
        values = [
            rng.normal(0, 1, channels),
            rng.normal(0, 0.3, channels),
            rng.normal(0, 0.5, channels),
            rng.uniform(0.1, 2, channels),
        ]
        terms = [self.constant(v.astype(np.float32)) for v in values]
        return self.node("BatchNormalization", x, *terms)

    def model(self, *outputs):
        model = super().model(*outputs)
        model.opset_import.append(helper.make_opsetid(self.domain, 1))
        return model
