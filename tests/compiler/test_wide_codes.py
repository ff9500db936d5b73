"""Codes of 16 bits between a convolution and the addition that takes them."""

from dataclasses import replace

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import TensorType
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes
from tests.support.levels import check_program

CONFIG = load_config("tiny")


def wide_network():
    """Return a convolution of 16 bits, its input, and an addition of both."""
    builder = Builder(6)
    source = builder.input((4, 6, 6))
    conv = builder.conv(source, "dense", channels=4)
    node = builder.nodes[0]
    fine = Requantize(shift=(2,), out_low=-(1 << 15), out_high=(1 << 15) - 1)
    builder.nodes[0] = replace(
        node,
        weight=node.weight[:, :, :1, :1],
        requantize=fine,
        mid_bias=node.mid_bias * 0,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
    )
    builder.tensors[conv] = TensorType(shape=(4, 6, 6), bits=16)
    total = builder.add(conv, source)
    builder.tensors[total] = TensorType(shape=(4, 6, 6))
    params = Requantize(shift=(6,), low=-128, high=127, out_low=-128, out_high=127)
    builder.nodes[1] = replace(builder.nodes[1], shifts=(0, 3), requantize=params)
    return builder, conv, total


def test_codes_of_16_bits_go_from_a_convolution_into_an_addition():
    builder, _, total = wide_network()
    graph = builder.graph([total])
    program = compile_graph(graph, CONFIG)
    assert len(program.layers) == 1
    check_program(graph, program, {n: c[0] for n, c in random_codes(graph, 1).items()})


def test_codes_of_16_bits_stay_in_the_accumulators_though_the_other_operand_is_made_later():
    builder, conv, total = wide_network()
    later = builder.conv(builder.inputs[0], "dense", channels=4)
    builder.nodes[2] = replace(
        builder.nodes[2],
        weight=builder.nodes[2].weight[:, :, :1, :1],
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        mid_bias=builder.nodes[2].mid_bias * 0,
        requantize=Requantize(shift=(5,), out_low=-128, out_high=127),
    )
    builder.tensors[later] = TensorType(shape=(4, 6, 6))
    wide, addition, other = builder.nodes
    builder.nodes[:] = [wide, other, replace(addition, inputs=(conv, later), shifts=(0, 0))]
    graph = builder.graph([total])
    program = compile_graph(graph, CONFIG)
    assert [layer.operator for layer in program.layers] == ["conv 1x1", "conv 1x1 + add"]
    check_program(graph, program, {n: c[0] for n, c in random_codes(graph, 1).items()})


def test_codes_of_16_bits_are_never_stored():
    builder, conv, total = wide_network()
    with pytest.raises(CompileError, match="n0: more than 8 bits"):
        compile_graph(builder.graph([conv, total]), CONFIG)
