"""BitCount against population counts, in the form that synthesis sees and in that of the ECP5."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module, Signal

from shiftloom.hw import and_adder
from shiftloom.hw.and_adder import AndAdder
from shiftloom.hw.bit_count import BitCount
from tests.support.ecp5 import Cell, OnEcp5

FORMS = pytest.mark.parametrize("form", ["generic", "ecp5"])


@pytest.fixture
def formed(form, monkeypatch):
    """Return a function from a design to what is simulated."""
    monkeypatch.setattr(and_adder, "Instance", Cell)
    return OnEcp5 if form == "ecp5" else lambda design: design


def numbers(bits):
    """Return rows of bits as numbers, the first lowest."""
    return [int("".join(map(str, row[::-1])), 2) for row in bits.tolist()]


def patterns(lanes, seed):
    """Return bits that are alone, in pairs, all or none, dense and sparse."""
    one = np.eye(lanes, dtype=int)
    first, second = np.triu_indices(lanes, 1)
    chosen = slice(None) if lanes == 16 else slice(None, None, lanes)
    pairs = (one[first] | one[second])[chosen]
    edges = np.vstack([one, pairs, 1 - one, np.zeros_like(one[:1]), np.ones_like(one[:1])])
    share = np.random.default_rng(seed).random((150, lanes))
    random = (share < np.linspace(0, 1, 150)[:, None]).astype(int)
    return np.vstack([edges, random])


@pytest.mark.parametrize(
    ("form", "lanes"),
    [
        *[(form, lanes) for form in ("generic", "ecp5") for lanes in (16, 32)],
        ("generic", 128),
        pytest.param("ecp5", 128, marks=pytest.mark.slow),
    ],
)
def test_counts_are_population_counts(simulate, formed, lanes):
    rng = np.random.default_rng(lanes)
    both = patterns(lanes, lanes)
    # Of lanes that do not count, at most one has a bit set.
    one_sided = rng.integers(0, 3, both.shape)
    operands, weights = both | (one_sided == 1), both | (one_sided == 2)
    dut, latency = BitCount(lanes), BitCount.latency(lanes)
    given = list(zip(numbers(operands), numbers(weights), strict=True))
    found = []

    async def bench(ctx):
        for a, w in [*given, *[(0, 0)] * latency]:
            ctx.set(dut.operands, a)
            ctx.set(dut.weights, w)
            _, _, count, last = await ctx.tick().sample(dut.count, dut.last)
            found.append((count, last))

    simulate(formed(dut), bench)
    expected = list(zip(both[:, :-1].sum(1).tolist(), both[:, -1].tolist(), strict=True))
    assert found[latency:] == expected


class Clocked(Elaboratable):
    """A design without registers beside one: the simulator wants a clock."""

    def __init__(self, design):
        self.design = design

    def elaborate(self, platform):
        m = Module()
        m.submodules.design = self.design
        m.d.sync += Signal(name="tick").eq(1)
        return m


@FORMS
@pytest.mark.parametrize("width", [1, 2, 3])
def test_adder_of_all_operands(simulate, formed, width):
    dut, size = AndAdder(width), 1 << width

    async def bench(ctx):
        for a, b, c, d in np.ndindex(size, size, size, size):
            for name, value in zip("abcd", (a, b, c, d), strict=True):
                ctx.set(getattr(dut, name), value)
            await ctx.delay(1e-7)
            assert ctx.get(dut.total) == ((a & b) + (c & d)) % size

    simulate(Clocked(formed(dut)), bench)
