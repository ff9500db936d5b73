"""BitArray against sums of bits: all signs, kinds and lanes."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from shiftloom.hw import and_adder
from shiftloom.hw.bit_array import BitArray
from shiftloom.isa.bitwise import bit_sums
from shiftloom.isa.config import Config
from tests.support.ecp5 import Cell, OnEcp5

CONFIG = Config(
    name="bits",
    rows=7,
    columns=8,
    bus_bytes=8,
    activation_bytes=1024,
    weight_bytes=1024,
    parameter_bytes=1024,
    accumulator_pixels=8,
    burst_beats=16,
    bit_lanes=64,
)
COLUMNS, LANES = CONFIG.columns, CONFIG.bit_lanes
FIRST = 2  # the first column's weights enter at cycle 0, the swap follows at once
INTERVAL = COLUMNS + 1


def controls(counts):
    """Return every legal control of each of these counts of lanes."""
    names = "bipolar_inputs", "bipolar_weights", "negative", "lanes"
    every = product((0, 1), (0, 1), (0, 1), counts)
    found = [{"valid": 1, **dict(zip(names, values, strict=True))} for values in every]
    legal = []
    for c in found:
        both = c["bipolar_inputs"] and c["bipolar_weights"]
        odd = both and c["lanes"] % 2
        if not odd:
            legal.append(c)
    return legal


def number(bits):
    """Return bits as a number, the first lowest."""
    return int("".join(map(str, bits[::-1].tolist())), 2)


def dense(rng, shape):
    """Return bits, in some rows nearly all or nearly none of them set."""
    share = rng.choice([0.0, 0.02, 0.5, 0.98, 1.0], shape[:-1])
    return (rng.random(shape) < share[..., None]).astype(np.uint8)


def expected(control, operand, weights):
    """Return what every column gives."""
    if not control["valid"]:
        return [0] * COLUMNS
    kinds = bool(control["bipolar_inputs"]), bool(control["bipolar_weights"])
    sums = bit_sums(operand[None], weights, control["lanes"], *kinds)[0]
    return (-sums if control["negative"] else sums).tolist()


def check(simulate, design, dut, work, seed):
    """Give a stream of operands, one each cycle, with tiles that change as fast as they can."""
    rng = np.random.default_rng(seed)
    tiles = -(-len(work) // INTERVAL)
    weights, operands = dense(rng, (tiles, COLUMNS, LANES)), dense(rng, (len(work), LANES))
    for operand, control in zip(operands, work, strict=True):
        operand[control["lanes"] :] = 0
    totals = []

    async def bench(ctx):
        for cycle in range(FIRST + len(work) + dut.latency + COLUMNS):
            tile, column = divmod(cycle, INTERVAL)
            loads, index = tile < tiles and column < COLUMNS, cycle - FIRST
            ctx.set(dut.load.valid, loads)
            ctx.set(dut.load.column, column if loads else 0)
            ctx.set(dut.load.weights, number(weights[tile, column]) if loads else 77)
            ctx.set(dut.swap, cycle % INTERVAL == FIRST - 1)
            fed = 0 <= index < len(work)
            ctx.set(dut.operands, number(operands[index]) if fed else 55)
            ctx.set(dut.control, work[index] if fed else {"valid": 0})
            _, _, now = await ctx.tick().sample(dut.totals)
            totals.append(list(now))

    simulate(design, bench)
    for index, control in enumerate(work):
        ready = FIRST + index + dut.latency
        got = [totals[ready + c][c] for c in range(COLUMNS)]
        assert got == expected(control, operands[index], weights[index // INTERVAL]), control


@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("form", ["generic", pytest.param("ecp5", marks=pytest.mark.slow)])
def test_products_of_planes(simulate, monkeypatch, form, pipeline):
    work = controls([2, 63, LANES]) * 8
    pauses = [{**control, "valid": 0} for control in work[::9]]
    work = [(work + pauses)[n] for n in np.random.default_rng(1).permutation(len(work + pauses))]
    monkeypatch.setattr(and_adder, "Instance", Cell)
    dut = BitArray(replace(CONFIG, pipeline=pipeline))
    check(simulate, OnEcp5(dut) if form == "ecp5" else dut, dut, work, seed=2)


@pytest.mark.slow
def test_products_of_planes_with_any_number_of_lanes(simulate):
    dut = BitArray(CONFIG)
    check(simulate, dut, dut, controls(range(1, LANES + 1)) * 4, seed=3)
