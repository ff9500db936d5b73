"""What a compiled program says of itself, and what the compiler refuses."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Opcode
from shiftloom.isa.program import HostStep, Segment, parse_program
from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import AveragePool, Host, TensorType
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes
from tests.support.levels import check_program

CONFIG = load_config("tiny")


def network(seed=3):
    builder = Builder(seed)
    first = builder.conv(builder.input((3, 10, 10)), "dense", channels=8)
    second = builder.conv(first, "depthwise")
    return builder, second


def test_compilation_is_deterministic():
    builder, last = network()
    graph = builder.graph([last])
    assert compile_graph(graph, CONFIG).to_bytes() == compile_graph(graph, CONFIG).to_bytes()


def test_program_survives_its_file():
    builder, last = network()
    program = compile_graph(builder.graph([last]), CONFIG)
    again = parse_program(program.to_bytes())
    assert again.to_bytes() == program.to_bytes()
    assert again.instructions == program.instructions


def test_every_instruction_knows_its_layer():
    builder, last = network()
    program = compile_graph(builder.graph([last]), CONFIG)
    opcodes = [i.opcode for i in program.instructions]
    layers = program.layer_of.tolist()
    outside = [o for o, layer in zip(opcodes, layers, strict=True) if layer < 0]
    assert outside == [Opcode.CONFIG, Opcode.END]
    assert [layer.engine for layer in program.layers] == ["array", "vector"]
    vectors = [n for n, opcode in enumerate(opcodes) if opcode is Opcode.VECTOR]
    assert program.tiles[:, 0].tolist() == vectors


def test_stages_are_listed():
    builder, last = network()
    listings = {}
    compile_graph(builder.graph([last]), CONFIG, dump=listings.__setitem__)
    assert list(listings) == ["parts", "part0.ops", "part0.order", "part0.program"]
    assert "depthwise" in listings["part0.ops"]
    assert "VECTOR_REQUANTIZE" in listings["part0.program"]


def test_progress_reaches_the_end():
    builder, last = network()
    seen = []
    compile_graph(builder.graph([last]), CONFIG, progress=lambda *pair: seen.append(pair))
    assert seen == [(0, 1), (1, 1)]


def negate(shape):
    """Return a one-node model for the host."""
    value = [helper.make_tensor_value_info(n, 1, [1, *shape]) for n in ("x", "y")]
    node = helper.make_node("Neg", ["x"], ["y"])
    graph = helper.make_graph([node], "neg", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_host_nodes_split_a_program():
    builder, before = network()
    tensor = builder.tensors[before]
    after = builder.tensor(tensor.shape, like=TensorType(shape=tensor.shape))
    model: onnx.ModelProto = negate(tensor.shape)
    host = Host(
        name="negate",
        inputs=(before,),
        output=after,
        op="Neg",
        reason="a test",
        model=model.SerializeToString(),
        requantized=True,
    )
    builder.nodes.append(host)
    last = builder.conv(after, "dense", channels=4)
    program = compile_graph(builder.graph([last]), CONFIG)
    assert [type(step) for step in program.steps] == [Segment, HostStep, Segment]
    first, second = program.segments
    assert first.outputs == (before,)
    assert second.inputs == (after,)
    assert {place.tensor for place in program.places} == {"t0", before, after, last}


def test_folded_input_saves_time():
    builder = Builder(1)
    last = builder.conv(builder.input((1, 12, 12)), "dense", channels=4)
    builder.nodes[0] = replace(builder.nodes[0], dilation=(1, 1))
    program = compile_graph(builder.graph([last]), CONFIG)
    folded = program.place("t0").layout == "folded"
    assert folded == (builder.nodes[0].weight.shape[3] > 1)


def test_residual_addition_happens_in_the_drain():
    builder = Builder(2)
    source = builder.input((4, 6, 6))
    conv = builder.conv(source, "dense", channels=4)
    node = builder.nodes[0]
    plain = replace(node.requantize, shift=(6,), low=-128, high=127, out_shift=0)
    plain = replace(plain, out_low=-50, out_high=60)
    square = node.weight[:, :, :1, :1]
    builder.nodes[0] = replace(
        node,
        weight=square,
        requantize=plain,
        mid_bias=node.mid_bias * 0,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
    )
    builder.tensors[conv] = TensorType(shape=(4, 6, 6))
    total = builder.add(conv, source)
    add = builder.nodes[1]
    builder.nodes[1] = replace(
        add,
        shifts=(0, 1),
        requantize=replace(plain, shift=(1,), out_low=-128, out_high=127),
    )
    builder.tensors[total] = TensorType(shape=(4, 6, 6))
    graph = builder.graph([total])
    program = compile_graph(graph, CONFIG)
    assert [layer.operator for layer in program.layers] == ["conv 1x1 + add"]
    check_program(graph, program, {n: c[0] for n, c in random_codes(graph, 1).items()})


def test_accumulator_that_could_overflow_is_refused():
    builder = Builder(4)
    last = builder.conv(builder.input((3, 4, 4)), "dense", channels=2)
    node = builder.nodes[0]
    bias = np.array([0, (1 << 31) - 1], np.int32)
    builder.nodes[0] = replace(node, bias=bias)
    with pytest.raises(CompileError, match=r"n0: the accumulator of output channel 1 can reach"):
        compile_graph(builder.graph([last]), CONFIG)


def test_layer_that_cannot_fit_is_refused():
    builder = Builder(4)
    last = builder.conv(builder.input((3, 2, 4000)), "dense", channels=2)
    builder.nodes[0] = replace(builder.nodes[0], groups=1)
    config = replace(CONFIG, activation_bytes=1024)
    with pytest.raises(CompileError, match=r"n0: one row .* but tiny has 1024; raise"):
        compile_graph(builder.graph([last]), config)


def test_map_beyond_the_instructions_is_refused():
    builder = Builder(4)
    last = builder.conv(builder.input((1, 2, 5000)), "whole", channels=2)
    with pytest.raises(CompileError, match="t0: a feature map of 1x2x5000 is too large"):
        compile_graph(builder.graph([last]), CONFIG)


def test_unread_input_is_refused():
    builder, last = network()
    builder.input((2, 3, 3))
    graph = replace(builder.graph([last]), inputs=tuple(builder.inputs))
    with pytest.raises(CompileError, match="an input that no layer reads"):
        compile_graph(graph, CONFIG)


@pytest.mark.parametrize("signed", [False, True])
def test_largest_accumulators_are_exact_or_refused(signed):
    """Just below the bound the sums are right; just above it the layer is refused."""
    builder = Builder(7)
    builder.tensors["x"] = TensorType(shape=(4, 2, 2), signed=signed)
    builder.inputs.append("x")
    last = builder.conv("x", "whole", channels=1)
    node = builder.nodes[0]
    weight = np.full_like(node.weight, 127)
    reach = int(weight.astype(int).sum()) * (128 if signed else 256)
    highest = (1 << 31) - 1 - reach
    for bias, good in ((highest, True), (highest + 1, False)):
        code = np.array([bias], np.int32)
        params = Requantize(shift=(24,), out_low=-128, out_high=127)
        builder.tensors[last] = TensorType(shape=(1, 1, 1))
        builder.nodes[0] = replace(
            node, weight=weight, bias=code, mid_bias=node.mid_bias * 0, requantize=params
        )
        graph = builder.graph([last])
        if not good:
            with pytest.raises(CompileError, match="accumulator of output channel 0"):
                compile_graph(graph, CONFIG)
            continue
        codes = np.full((4, 2, 2), builder.tensors["x"].high)
        check_program(graph, compile_graph(graph, CONFIG), {"x": codes})


def test_layer_whose_parameters_need_the_whole_buffer_runs_alone():
    builder = Builder(8)
    builder.tensors["x"] = TensorType(shape=(20, 5, 5))
    builder.inputs.append("x")
    first = builder.conv("x", "dense", channels=20)
    same = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}
    node = builder.nodes[0]
    builder.nodes[0] = replace(node, weight=node.weight[:, :, :1, :1], **same)
    builder.tensors[first] = TensorType(shape=(20, 5, 5))
    mean = builder.tensor((20, 1, 1), like=builder.tensors[first])
    params = Requantize(shift=(4,), out_low=-128, out_high=127)
    common = {"kernel": (5, 5), "stride": (1, 1), "reciprocal": 3, "requantize": params}
    builder.nodes.append(AveragePool(name="mean", inputs=(first,), output=mean, **common))
    last = builder.conv(mean, "whole", channels=20)
    graph = builder.graph([last])
    codes = {n: c[0] for n, c in random_codes(graph, 1).items()}
    for words in (64, 13):
        config = replace(CONFIG, parameter_bytes=words * CONFIG.parameter_word_bytes)
        check_program(graph, compile_graph(graph, config), codes)
    config = replace(CONFIG, parameter_bytes=11 * CONFIG.parameter_word_bytes)
    with pytest.raises(CompileError, match="mean: a window of 5x5 does not fit the vector unit"):
        compile_graph(graph, config)


def test_kernel_rows_of_a_thin_input_are_folded_too():
    builder = Builder(9)
    builder.tensors["x"] = TensorType(shape=(1, 9, 9), signed=False)
    builder.inputs.append("x")
    last = builder.conv("x", "dense", channels=5)
    node = builder.nodes[0]
    weight = np.resize(node.weight, (5, 1, 4, 2))
    same = {"stride": (2, 2), "dilation": (2, 1), "padding": (1, 1, 0, 2)}
    builder.nodes[0] = replace(node, weight=weight, **same)
    builder.tensors[last] = replace(builder.tensors[last], shape=(5, 2, 6))
    graph = builder.graph([last])
    program = compile_graph(graph, CONFIG)
    place = program.place("x")
    assert (place.layout, place.unroll, place.rows) == ("folded", (4, 2, 2, 1), 2)
    loops = next(i for i in program.instructions if i.opcode is Opcode.MAC_LOOPS)
    assert loops["kernel_rows"] == 1
    check_program(graph, program, {n: c[0] for n, c in random_codes(graph, 1).items()})
