"""Every lane does what the first one does, whatever its neighbours are given.

With the proofs about first lanes this makes them proofs about all lanes.
"""

import re

import pytest
from amaranth import Assert, Module, signed
from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw.interfaces import fields_layout
from shiftloom.hw.requantizer import Requantizer, lane_layout
from shiftloom.hw.threshold_unit import ThresholdUnit, pair_layout
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Opcode

from .harness import broken, opened
from .inside import part as inside
from .inside import rows
from .prove import RefutedError, inductive, needs_solver

pytestmark = needs_solver

#: Lanes beside the first one.
OTHERS = (1, 2)


def config(bits):
    return Config(
        name="three", rows=2, columns=3, bus_bytes=8, activation_bytes=256, weight_bytes=256,
        parameter_bytes=1024, accumulator_pixels=8, burst_beats=16, threshold_bits=bits,
    )  # fmt: skip


def registers(fragment, lane):
    """Return the signals of a lane that an elaborated block drives, by name without the lane.

    Copies that all lanes share have numbers as well, from 1 on; they go by their whole name.
    """
    driven = {
        signal.name: signal
        for statements in fragment.statements.values()
        for statement in statements
        for signal in statement._lhs_signals()  # not public; see harness.inner
    }
    matches = {name: re.fullmatch(r"(.*)_(\d)", name) for name in driven}
    numbered = {name: m for name, m in matches.items() if m}
    copies = {n: driven[n] for n, m in numbered.items() if f"{m[1]}_0" not in driven}
    own = {m[1]: driven[n] for n, m in numbered.items() if n not in copies and int(m[2]) == lane}
    return copies | own


def tables(fragment, lane, number):
    """Return what a lane's memories hold, row by row, by name without the lane."""
    found = {}
    for memory in (name for _, name, _ in fragment.subfragments if name):
        match = re.fullmatch(r"(.*)_(\d)", memory)
        if match and int(match[2]) == lane:
            held = rows(inside(fragment, memory), f"{memory}_of_{number}")
            found |= {f"{match[1]} {place}": row for place, row in enumerate(held)}
    return found


class Twins(wiring.Component):
    """Two equal blocks: the first lane of one, and a lane of the other, are given the same.

    What all other lanes are given is free, and each block has its own.

    Parameters
    ----------
    blocks : pair of wiring.Component
        The blocks.
    lane : int
        A lane of the second one.
    lanes : dict
        What a lane is given: by the name of an input the shape of one lane's part.
    shared : dict
        What all lanes are given, likewise.
    """

    def __init__(self, blocks, lane, lanes, shared):
        self.blocks, self.lane, self.lanes, self.shared = blocks, lane, lanes, shared
        count = blocks[0].config.columns
        free = {f"{n}_{k}_{b}": s for n, s in lanes.items() for k in range(count) for b in (0, 1)}
        super().__init__({name: In(shape) for name, shape in {**free, **lanes, **shared}.items()})

    def elaborate(self, platform):
        m = Module()
        kept = []
        for number, (block, own) in enumerate(zip(self.blocks, (0, self.lane), strict=True)):
            unit = opened(m, f"block_{number}", block, platform)
            kept.append({**registers(unit, own), **tables(unit, own, number)})
            for name in self.shared:
                m.d.comb += self.input(block, name).eq(getattr(self, name))
            for name, shape in self.lanes.items():
                for lane in range(block.config.columns):
                    free = getattr(self, f"{name}_{lane}_{number}")
                    given = getattr(self, name) if lane == own else free
                    m.d.comb += self.part(block, name, lane, shape).eq(given)
        first, second = kept
        assert first.keys() == second.keys() and first
        for name in first:
            m.d.comb += Assert(first[name] == second[name], name)
        codes = self.blocks[0].codes[0], self.blocks[1].codes[self.lane]
        m.d.comb += Assert(codes[0] == codes[1], "codes")
        return m

    def input(self, block, name):
        """Return an input; underscores lead into its fields."""
        found = block
        for part in name.split("__"):
            found = getattr(found, part)
        return Value.cast(found)

    def part(self, block, name, lane, shape):
        """Return a lane's part of an input."""
        width = Value.cast(getattr(self, name)).shape().width
        return self.input(block, name)[lane * width : (lane + 1) * width]


def shifting(lane, block=Requantizer):
    """Return two requantizers without thresholds."""
    lanes = {"values": signed(32), "parameters": lane_layout(), "residual": 8}
    shared = {"settings": fields_layout(Opcode.VECTOR_REQUANTIZE)}
    return Twins((block(config(0)), block(config(0))), lane, lanes, shared)


def comparing(lane, block=ThresholdUnit, bits=4):
    """Return two threshold units; words of thresholds may come at any time."""
    lanes = {"sums": signed(32), "write__pairs": pair_layout()}
    shared = {
        "settings": fields_layout(Opcode.VECTOR_REQUANTIZE),
        "write__valid": 1,
        "write__word": bits - 1,
    }
    return Twins((block(config(bits)), block(config(bits))), lane, lanes, shared)


@pytest.mark.parametrize("lane", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_lane_shifts_as_the_first_one(lane):
    inductive(shifting(lane))


@pytest.mark.slow
@pytest.mark.parametrize("lane", OTHERS)
def test_every_lane_compares_as_the_first_one(lane):
    inductive(comparing(lane))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        ("self.parameters[lane].bias", "self.parameters[0].bias", "biased"),
        ("self.residual[8 * lane : 8 * lane + 8]", "self.residual[8 : 16]", "addend"),
        ("codes[lane].eq(limited)", "codes[lane].eq(limited + (lane == 2))", "codes"),
    ],
)
def test_a_lane_that_differs_or_looks_aside_is_found(was, instead, message):
    with pytest.raises(RefutedError, match=message):
        inductive(shifting(2, broken(Requantizer, was, instead)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("threshold = self.write.pairs[lane][half]", "threshold = self.write.pairs[0][half]"),
        ("value, found = self.sums[lane], Const(0, 0)", "value, found = self.sums[1], Const(0, 0)"),
        ("lows[lane] + found", "lows[lane] + found + (lane == 2)"),
    ],
)
def test_a_lane_that_compares_otherwise_is_found(was, instead):
    with pytest.raises(RefutedError, match="violated"):
        inductive(comparing(2, broken(ThresholdUnit, was, instead)))
