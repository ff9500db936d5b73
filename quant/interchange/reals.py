"""What the host makes of a network's last codes: real numbers, in float."""

from math import inf
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..graph import Conv, EdgeLayout, Host
from .open_layer import Chain

__all__ = ["real_values"]


def real_values(
    name: str,
    inputs: list[str],
    chain: Chain,
    *,
    shape: tuple[int, int, int],
    edge: EdgeLayout | None,
    conv: Conv | None = None,
) -> Host:
    """Return what makes real numbers of codes, in float on the host.

    Parameters
    ----------
    name : str
        Of the float tensor.
    inputs : list of str
        Tensors of codes; their values are added up.
    chain : Chain
        What is done to the sum.
    shape : tuple of int
        Of each input.
    edge : EdgeLayout, optional
        The model's layout, where the tensor is an output.
    conv : Conv, optional
        A last layer whose sums are too wide for the machine.
    """
    parts = _Model(inputs, shape)
    if conv is not None:
        parts.convolve(conv)
    gain, offset = (np.array([float(v) for v in vs]) for vs in (chain.gain, chain.offset))
    parts.step("Mul", gain)
    if offset.any():
        parts.step("Add", offset)
    for op, bounds in (("Max", chain.low), ("Min", chain.high)):
        if any(abs(bound) != inf for bound in bounds):
            parts.step(op, np.array([float(bound) for bound in bounds]))
    if edge is not None:
        parts.turn(edge)
    return Host(
        name=name,
        inputs=tuple(inputs),
        output=name,
        op="Mul" if conv is None else "Conv",
        reason="it makes real numbers" if conv is None else "its sums have more than 17 bits",
        model=parts.finish(),
    )


class _Model:
    """A chain of ONNX nodes on feature maps of one shape."""

    def __init__(self, inputs: list[str], shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.infos = [
            helper.make_tensor_value_info(f"codes{i}", onnx.TensorProto.FLOAT, (1, *shape))
            for i in range(len(inputs))
        ]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "codes0"
        if len(inputs) > 1:
            self._node("Sum", [info.name for info in self.infos])

    def _node(self, op: str, inputs: list[str], **attributes: Any) -> None:
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        self.last = output

    def _constant(self, values: NDArray[np.generic]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def step(self, op: str, values: NDArray[np.float64]) -> None:
        """Add an operation with one constant per channel."""
        column = values.astype(np.float32).reshape(1, -1, 1, 1)
        self._node(op, [self.last, self._constant(column)])

    def convolve(self, conv: Conv) -> None:
        """Add a convolution with integer weights; a dense one as a product of matrices."""
        weight, outputs = conv.weight.astype(np.float32), len(conv.weight)
        if self.shape == weight.shape[1:] and not any(conv.padding):
            flat = self._constant(np.array([1, -1], np.int64))
            self._node("Reshape", [self.last, flat])
            matrix = weight.reshape(outputs, -1).T
            self._node("MatMul", [self.last, self._constant(np.ascontiguousarray(matrix))])
            back = self._constant(np.array([1, outputs, 1, 1], np.int64))
            self._node("Reshape", [self.last, back])
            return
        self._node(
            "Conv",
            [self.last, self._constant(weight)],
            strides=conv.stride,
            dilations=conv.dilation,
            pads=conv.padding,
            group=conv.groups,
        )

    def turn(self, edge: EdgeLayout) -> None:
        """Go to the model's own layout."""
        sizes = edge.shape[1:]
        if edge.permutation:
            turned = np.array([1, *(sizes[axis] for axis in edge.permutation)], np.int64)
            self._node("Reshape", [self.last, self._constant(turned)])
            back = [0, *(int(axis) + 1 for axis in np.argsort(edge.permutation))]
            self._node("Transpose", [self.last], perm=back)
        self._node("Reshape", [self.last, self._constant(np.array([1, *sizes], np.int64))])

    def finish(self) -> bytes:
        output = helper.make_tensor_value_info(self.last, onnx.TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "host", self.infos, [output], self.constants)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        data: bytes = model.SerializeToString()
        return data
