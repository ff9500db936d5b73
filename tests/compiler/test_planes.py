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
from tests.support.bit_graphs import WEIGHTS, random_bit_graph
from tests.support.graphs import random_codes
from tests.support.levels import check_program

BITS = load_config("bits")
SHAPE = (4, 1, 1)
TENSORS = [
    *(TensorType(shape=SHAPE, bits=b, signed=s) for b, s in product(range(1, 5), (False, True))),
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


@pytest.mark.parametrize("weights", sorted(WEIGHTS))
@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: f"{t.bits}{t.signed}{t.bipolar}")
def test_passes_add_up_to_products(tensor, weights):
    weight = WEIGHTS[weights](np.random.default_rng(3), (6, 4, 1, 1)).astype(np.int8)
    source = bit_source(tensor, weight)
    codes = np.array(tensor.levels)
    total = np.zeros((len(codes), *weight.shape), np.int64)
    for term in source.terms:
        bits = np.arange(len(codes)) >> term.plane & 1
        a = 2 * bits - 1 if source.inputs.bipolar else bits
        w = source.weights.weight_bits(term.weight_plane, weight).astype(int)
        w = 2 * w - 1 if source.weights.bipolar else w
        power = term.shift - source.inputs.bipolar - source.weights.bipolar
        total += (-1 if term.negative else 1) * np.multiply.outer(a, w) << power
    assert (total == np.multiply.outer(codes, weight.astype(int))).all()


def test_what_the_bit_array_cannot_take():
    binary = np.ones((1, 3, 1, 1), np.int8)
    tensor = TensorType(shape=(3, 1, 1), bits=2, bipolar=(1,))
    assert bit_source(tensor, binary) is None  # an odd number of bipolar products
    assert bit_source(replace(tensor, bipolar=()), binary) is not None
    eight = TensorType(shape=(3, 1, 1), bits=8)
    assert bit_source(eight, binary) is None
    large = np.array([[[[100]], [[-100]], [[3]], [[0]]]], np.int8)
    four = TensorType(shape=SHAPE, bits=4, signed=False)
    assert bit_source(four, large) is None  # shifts beyond 7


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


def test_without_a_bit_array_the_same_networks_run_on_the_array():
    small = load_config("small")
    for seed, graph, program in programs(range(5), small):
        codes = {name: values[0] for name, values in random_codes(graph, seed).items()}
        check_program(graph, program, codes)
        assert not bitwise_jobs(program)
