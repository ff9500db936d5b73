"""Small ONNX models and quantized graphs for the tests of this folder."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import Conv, EdgeLayout, QuantGraph, TensorType

__all__ = ["Net", "conv_graph", "one_layer", "small_net"]


class Net:
    """An ONNX model in the making; methods return the name of the tensor they make."""

    def __init__(self, shape, *, opset=17, seed=0, name="x"):
        self.opset, self.rng = opset, np.random.default_rng(seed)
        self.inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        self.nodes, self.constants = [], []

    def constant(self, values, name=""):
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op, *inputs, output="", **attributes):
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [output], name=f"{op}_{output}", **attributes)
        )
        return output

    def conv(self, x, outputs, inputs, kernel=3, *, group=1, bias=True, **attributes):
        weight = self.rng.normal(0, 0.3, (outputs, inputs // group, kernel, kernel))
        terms = [self.constant(weight.astype(np.float32))]
        if bias:
            terms.append(self.constant(self.rng.normal(0, 0.3, outputs).astype(np.float32)))
        return self.node("Conv", x, *terms, group=group, **attributes)

    def dense(self, x, outputs, inputs):
        weight = self.constant(self.rng.normal(0, 0.3, (outputs, inputs)).astype(np.float32))
        bias = self.constant(self.rng.normal(0, 0.3, outputs).astype(np.float32))
        return self.node("Gemm", x, weight, bias, transB=1)

    def quantized(self, x, exponent, kind=np.int8, low=None, high=None):
        scale = self.constant(np.float32(2.0**exponent))
        zero = self.constant(np.array(0, kind))
        codes = self.node("QuantizeLinear", x, scale, zero)
        if low is not None:
            bounds = [self.constant(np.array(v, kind)) for v in (low, high)]
            codes = self.node("Clip", codes, *bounds)
        return self.node("DequantizeLinear", codes, scale, zero)

    def model(self, *outputs):
        infos = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, infos, self.constants)
        opset = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)


def small_net(opset=17, softmax=False):
    """Return a model with one layer of each kind that the machine has, input NCHW 3x12x12."""
    net = Net(["n", 3, 12, 12], opset=opset)
    x = net.node("Relu", net.conv("x", 8, 3, pads=[1, 1, 1, 1]))
    y = net.conv(x, 8, 8, group=8, pads=[1, 1, 1, 1])
    y = net.node("Clip", y, net.constant(np.float32(0)), net.constant(np.float32(1.5)))
    y = net.conv(y, 8, 8, kernel=1, bias=False)
    x = net.node("Relu", net.node("Add", x, y))
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    a, b = net.conv(x, 4, 8, kernel=1), net.conv(x, 6, 8, pads=[2, 2, 2, 2], dilations=[2, 2])
    x = net.node("Concat", net.node("Relu", a), net.node("Relu", b), axis=1)
    x = net.node("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = net.dense(net.node("Flatten", x), 5, 40)
    return net.model(net.node("Softmax", x) if softmax else x)


def one_layer(node, source, target, edges=True):
    """Return a graph of one node."""
    names = dict.fromkeys(node.inputs)
    types = {**dict.fromkeys(names, source), node.output: target}
    layouts = {n: EdgeLayout(shape=(1, *t.shape)) for n, t in types.items()} if edges else {}
    return QuantGraph(
        name="one",
        inputs=tuple(names),
        outputs=(node.output,),
        tensors=types,
        nodes=(node,),
        edges=layouts,
    )


def conv_graph(weight, source, out_shape, *, bias=None, signed=True, **fields):
    """Return a graph of one convolution."""
    channels = weight.shape[0]
    node = Conv(
        name="conv",
        inputs=("x",),
        output="y",
        weight=weight,
        weight_exponent=(0,),
        bias=np.zeros(channels, np.int32) if bias is None else bias,
        mid_bias=fields.pop("mid_bias", np.zeros(channels, np.int16)),
        requantize=fields.pop("requantize", Requantize()),
        **fields,
    )
    return one_layer(node, source, TensorType(shape=out_shape, signed=signed))
