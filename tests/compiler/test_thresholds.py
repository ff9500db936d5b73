"""Layers that compare with thresholds: programs that are right, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.compiler import compile as stages
from shiftloom.compiler import hazards
from shiftloom.compiler.audit import audit
from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.compiler.fit import misfits
from shiftloom.compiler.items import Vector
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.requantize import Requantize
from shiftloom.isa.thresholds import NEVER, Thresholds
from shiftloom.quant.graph import TensorType
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes, random_thresholds
from tests.support.levels import check_program

CONFIG = load_config("tiny")


def network(shape=(6, 9, 7), bits=4, seed=3):
    """Return two dense layers with a depthwise one between; all compare, codes are narrow."""
    builder = Builder(seed)
    first = builder.conv(builder.input(shape), "dense", channels=6)
    second = builder.conv(first, "depthwise")
    last = builder.conv(second, "dense", channels=9)
    for name, node in zip((first, second, last), builder.nodes[:], strict=True):
        form = replace(builder.tensors[name], bits=max(2, bits))
        builder.tensors[name] = form
        bank = random_thresholds(node, form, (seed, len(node.weight)), bits)
        builder.nodes[int(node.name[1:])] = replace(node, thresholds=bank)
    return builder.graph([first, second, last])


def sample(graph, seed=1):
    return {name: codes[0] for name, codes in random_codes(graph, seed).items()}


def settings(program):
    found = [i for i in program.instructions if i.opcode is Opcode.VECTOR_REQUANTIZE]
    return [i["threshold_bits"] for i in found]


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("config", ["tiny", "odd"])
def test_all_layers_compare(config, bits):
    graph = network(bits=bits)
    program = compile_graph(graph, load_config(config))
    assert set(settings(program)) == {bits}
    assert len(program.layers) == 3
    check_program(graph, program, sample(graph))


@pytest.mark.parametrize("channels", [1, 7])
@pytest.mark.parametrize("signed", [False, True])
def test_stored_codes_of_eight_bits_become_four(channels, signed):
    """A depthwise kernel of a single one; every threshold is met exactly by some code."""
    builder, size = Builder(1), 16
    builder.tensors["x"] = TensorType(shape=(channels, size, size), signed=signed)
    builder.inputs.append("x")
    name = builder.conv("x", "depthwise")
    node = builder.nodes[0]
    plain = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}
    generator, low = np.random.default_rng(channels), builder.tensors["x"].low
    picks = [generator.choice(256, 15, replace=False) for _ in range(channels)]
    values = low + np.sort(picks, axis=1)
    builder.nodes[0] = replace(
        node,
        weight=np.ones((channels, 1, 1, 1), np.int8),
        bias=np.zeros(channels, np.int32),
        thresholds=Thresholds(values=values.astype(np.int32), low=0),
        **plain,
    )
    builder.tensors[name] = TensorType(shape=(channels, size, size), bits=4, signed=False)
    graph = builder.graph([name])
    codes = low + np.arange(size * size).reshape(1, size, size) * np.ones((channels, 1, 1), int)
    check_program(graph, compile_graph(graph, CONFIG), {"x": codes})


def test_an_addition_behind_thresholds_is_not_fused():
    builder = Builder(2)
    source = builder.input((4, 6, 6))
    conv = builder.conv(source, "dense", channels=4)
    plain = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}
    node = replace(builder.nodes[0], weight=builder.nodes[0].weight[:, :, :1, :1], **plain)
    builder.tensors[conv] = TensorType(shape=(4, 6, 6))
    builder.nodes[0] = replace(node, thresholds=random_thresholds(node, builder.tensors[conv], 1))
    total = builder.add(conv, source)
    shift = Requantize(shift=(1,), low=-128, high=127, out_low=-128, out_high=127)
    builder.nodes[1] = replace(builder.nodes[1], shifts=(0, 1), requantize=shift)
    builder.tensors[total] = TensorType(shape=(4, 6, 6))
    graph = builder.graph([total])
    program = compile_graph(graph, CONFIG)
    assert [layer.operator for layer in program.layers] == ["conv 1x1", "add"]
    check_program(graph, program, sample(graph))


@pytest.mark.parametrize("words", [14, 20, 32])
def test_blocks_take_turns_in_a_small_parameter_buffer(words):
    """What is loaded next overwrites blocks that were used, thresholds and all."""
    config = replace(CONFIG, parameter_bytes=words * CONFIG.parameter_word_bytes)
    for seed in range(6):
        builder = Builder(seed)
        last = builder.input((3, 6, 6))
        for bits in (3, 1, 4, 2):
            last = builder.conv(last, "whole" if bits == 2 else "dense", channels=17)
            node = builder.nodes[-1]
            bank = random_thresholds(node, builder.tensors[last], seed, bits)
            builder.nodes[-1] = replace(node, thresholds=bank)
        graph = builder.graph([last])
        check_program(graph, compile_graph(graph, config), sample(graph, seed))


def test_tokens_know_threshold_words(monkeypatch):
    seen = []

    def spy(items, plans, config):
        seen.append((items, plans))
        return hazards.waits(items, plans, config)

    monkeypatch.setattr(stages, "waits", spy)
    program = compile_graph(network(bits=3), CONFIG)
    ((items, plans),) = seen
    drains = [i for i in program.instructions if i.opcode is Opcode.VECTOR]
    first = [(8 * i["parameter_addr"], 8 * (i["threshold_addr"] + 4)) for i in drains]
    reads = [
        (access.start, access.stop)
        for item in items
        for access in hazards.accesses(item, plans)
        if isinstance(item, Vector) and access.memory == "PARAMETER"
    ]
    assert reads == first


def test_too_narrow_a_configuration_is_refused_by_name():
    graph, config = network(bits=3), replace(CONFIG, threshold_bits=2)
    match = r"n0: [4-7] thresholds make codes of 3 bits, but tiny has 2; raise threshold_bits"
    with pytest.raises(CompileError, match=match):
        compile_graph(graph, config)
    assert [m.node for m in misfits(graph, config)] == ["n0", "n1", "n2"]
    assert misfits(graph, config)[0].remedy == "raise threshold_bits"
    assert misfits(graph, CONFIG) == []


def test_sums_stay_below_the_threshold_that_is_never_reached():
    builder = Builder(7)
    builder.tensors["x"] = TensorType(shape=(4, 2, 2))
    builder.inputs.append("x")
    last = builder.conv("x", "whole", channels=1)
    weight = np.full_like(builder.nodes[0].weight, -127)
    highest = NEVER - 1 - 127 * 16 * 128
    builder.tensors[last] = TensorType(shape=(1, 1, 1))
    bank = Thresholds(values=np.array([[0, NEVER - 1, NEVER]], np.int32), low=-1)
    for bias, good in ((highest, True), (highest + 1, False)):
        node = replace(builder.nodes[0], weight=weight, bias=np.array([bias], np.int32))
        builder.nodes[0] = replace(node, thresholds=bank)
        graph = builder.graph([last])
        if not good:
            with pytest.raises(CompileError, match=f"beyond {NEVER - 1}"):
                compile_graph(graph, CONFIG)
            continue
        program = compile_graph(graph, CONFIG)
        check_program(graph, program, {"x": np.full((4, 2, 2), -128)})
        check_program(graph, program, {"x": np.full((4, 2, 2), -127)})


def test_thresholds_that_do_not_fit_the_buffer_are_refused():
    graph = network(bits=4)
    config = replace(CONFIG, parameter_bytes=8 * CONFIG.parameter_word_bytes)
    with pytest.raises(CompileError, match=r"n1: a window .* vector unit \(.* 0 steps\)"):
        compile_graph(graph, config)
    dense = replace(graph, nodes=graph.nodes[:1], outputs=graph.outputs[:1])
    with pytest.raises(CompileError, match=r"n0: its weights or parameters .*parameter_bytes"):
        compile_graph(dense, config)


def test_the_audit_knows_threshold_words():
    program = compile_graph(network(), CONFIG)
    instructions = program.instructions
    index = next(n for n, i in enumerate(instructions) if i.opcode is Opcode.VECTOR)
    moved = {**instructions[index].fields, "threshold_addr": CONFIG.parameter_words - 1}
    edited = [*instructions]
    edited[index] = Instruction(Opcode.VECTOR, moved)
    with pytest.raises(CompileError, match=f"instruction {index}: leaves PARAMETER"):
        audit(edited, CONFIG, program.region_bytes)


def test_listings_name_thresholds():
    listings = {}
    compile_graph(network(bits=1), CONFIG, dump=listings.__setitem__)
    assert "1 thresholds" in listings["part0.ops"]
    assert "threshold_addr=" in listings["part0.program"]
