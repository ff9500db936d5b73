"""Layers on the bit array: passes over planes, and random networks against the golden model."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.planes import bit_source, level_bank
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Opcode, decode
from shiftloom.isa.thresholds import Thresholds, apply_thresholds
from shiftloom.quant.graph import TensorType
from tests.support.bit_graphs import WIDE_WEIGHTS, prefer_bits, random_bit_graph, wide_bit_graph
from tests.support.graphs import random_codes
from tests.support.levels import check_program

BITS = load_config("bits")
SHAPE = (4, 1, 1)
TENSORS = [
    *(TensorType(shape=SHAPE, bits=b, signed=s) for b, s in product(range(1, 9), (False, True))),
    TensorType(shape=SHAPE, bits=2, bipolar=(1,)),
    TensorType(shape=SHAPE, bits=4, bipolar=(3, 1)),
    TensorType(shape=SHAPE, bits=5, bipolar=(5, 2)),
]


def programs(seeds, config=BITS):
    for seed in seeds:
        graph = random_bit_graph(seed)
        yield seed, graph, compile_graph(graph, config)


def bitwise_jobs(program):
    """Return the loops of bitwise work."""
    code = program.code
    found = [decode(code[k : k + 32]) for k in range(0, len(code), 32)]
    return [i for i in found if i.opcode is Opcode.MAC_LOOPS and i["bitwise"]]


@pytest.mark.parametrize("weights", sorted(WIDE_WEIGHTS))
@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: f"{t.bits}{t.signed}{t.bipolar}")
def test_passes_add_up_to_products(tensor, weights):
    weight = WIDE_WEIGHTS[weights](np.random.default_rng(3), (6, 4, 1, 1)).astype(np.int8)
    source = bit_source(tensor, weight)
    codes = np.array(tensor.levels)
    total = np.zeros((len(codes), *weight.shape), np.int64)
    for term in source.terms:
        total = 2 * total if term.double else total
        if term.weight_plane is None:
            continue
        bits = np.arange(len(codes)) >> term.plane & 1
        a = 2 * bits - 1 if source.inputs.bipolar else bits
        w = source.weights.weight_bits(term.weight_plane, weight).astype(int)
        w = 2 * w - 1 if source.weights.bipolar else w
        total += (-1 if term.negative else 1) * np.multiply.outer(a, w)
    assert (total == np.multiply.outer(codes, weight.astype(int))).all()


@pytest.mark.parametrize(
    ("tensor", "weights", "passes", "doublings"),
    [
        ({"bits": 2, "signed": False}, [1, -2], 4, 0),  # 1 + 2, times 1 - 2
        ({"bits": 8}, [-128, 127], 64, 0),
        ({"bits": 3, "bipolar": (3,)}, [1, -1], 2, 0),  # 2 + 1, no smaller than 4 - 1
        ({"bits": 4, "bipolar": (4, 1)}, [1, -1], 2, 1),  # doubled twice between
        ({"bits": 2, "bipolar": (1,)}, [8, -8], 1, 3),
    ],
)
def test_passes_are_as_few_as_there_can_be(tensor, weights, passes, doublings):
    weight = np.array(weights, np.int8).reshape(1, 2, 1, 1)
    source = bit_source(TensorType(shape=(2, 1, 1), **tensor), weight)
    empty = [term for term in source.terms if term.weight_plane is None]
    assert (len(source.terms) - len(empty), len(empty)) == (passes, doublings)


def test_what_the_bit_array_cannot_take():
    binary = np.ones((1, 3, 1, 1), np.int8)
    tensor = TensorType(shape=(3, 1, 1), bits=2, bipolar=(1,))
    assert bit_source(tensor, binary) is None  # an odd number of bipolar products
    assert bit_source(replace(tensor, bipolar=()), binary) is not None
    three = TensorType(shape=(2, 1, 1), bits=6, bipolar=(4, 2, 1))
    assert bit_source(three, np.full((1, 2, 1, 1), 2, np.int8)) is None  # planes of levels


@pytest.mark.parametrize("low", [-3, -5, -1])
def test_a_bank_of_levels_numbers_them(low):
    tensor = TensorType(shape=(1, 1, 1), bits=4, bipolar=(2, 1))  # -3, -1, 1, 3
    values = np.arange(10, 10 + 8, dtype=np.int32)[None]
    bank = Thresholds(values=values, low=low)
    acc = np.arange(5, 25)[:, None]
    codes = apply_thresholds(acc, bank)
    numbers = apply_thresholds(acc, level_bank(bank, tensor))
    assert (numbers == (codes[..., None] >= np.array(tensor.levels[1:])).sum(axis=-1)).all()


def test_random_networks_equal_golden():
    used = 0
    for seed, graph, program in programs(range(60)):
        codes = {name: values[0] for name, values in random_codes(graph, seed).items()}
        check_program(graph, program, codes)
        used += len(bitwise_jobs(program))
    assert used > 40  # most networks use the bit array


@pytest.mark.slow
def test_many_random_networks_equal_golden():
    for seed, graph, program in programs(range(1000, 1600)):
        codes = {name: values[0] for name, values in random_codes(graph, seed).items()}
        check_program(graph, program, codes)


@pytest.mark.parametrize("seed", range(6))
def test_layers_of_up_to_eight_bits_equal_golden(monkeypatch, seed):
    prefer_bits(monkeypatch)
    graph = wide_bit_graph(seed)
    program = compile_graph(graph, BITS)
    assert bitwise_jobs(program)
    codes = {name: values[0] for name, values in random_codes(graph, seed).items()}
    check_program(graph, program, codes)


def test_without_a_bit_array_the_same_networks_run_on_the_array():
    small = load_config("small")
    for seed, graph, program in programs(range(5), small):
        codes = {name: values[0] for name, values in random_codes(graph, seed).items()}
        check_program(graph, program, codes)
        assert not bitwise_jobs(program)
