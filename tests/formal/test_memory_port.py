"""The accelerator's memory port keeps the rules of AXI4, whatever it is told to do."""

import pytest

from shiftloom.hw import machine, transfer, write_port
from shiftloom.isa.config import load_config

from .harness import broken
from .inside import anything
from .memory_port import Port
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")

#: A change that withdraws an address while data come.
DROPPED = "; m.d.comb += self.ar.valid.eq(addresses.o.valid & ~self.r.valid)"

#: What is left out: the decoder, the queues and what computes may say anything.
CUT = ("Compute", "Decode", "EngineQueue", "Tokens")


@pytest.fixture(autouse=True)
def cut(monkeypatch):
    for name in CUT:
        monkeypatch.setattr(machine, name, anything(getattr(machine, name)))


@pytest.mark.slow
def test_the_port_keeps_the_rules_for_ever():
    inductive(Port(TINY))


@pytest.mark.slow
def test_all_channels_are_used():
    reaches(Port(TINY, invariants=False), 11)


#: Where a block is named, the change in it, and the rule that breaks.
BROKEN = [
    (
        machine,
        "WritePort",
        "length = self.burst.p.beats - 1",
        "length = self.burst.p.beats",
        "length",
    ),
    (transfer, "BurstSplitter", "final, run.beats, room", "final, run.beats, 256", "across 4 KiB"),
    (machine, "ReadArbiter", "flipped(self.ar))", "flipped(self.ar))" + DROPPED, "ar holds"),
    (
        write_port,
        "Skid",
        "(~valid | self.o.ready)",
        "(~valid | self.o.ready | spare_valid)",
        "holds|length",
    ),
    (machine, "WritePort", "beats.i.p.last.eq(last)", "beats.i.p.last.eq(position == 3)", "marked"),
    (machine, "WritePort", "lengths.o.valid & (self.beat.valid", "(self.beat.valid", "belong"),
    (machine, "Store", "& pending.i.ready & ~void", "& pending.i.ready", "too long"),
    (machine, "ReadArbiter", "self.idle.eq(owners.empty)", "self.idle.eq(1)", "idle"),
    (machine, "WritePort", "self.idle.eq(in_flight == 0)", "self.idle.eq(1)", "idle"),
]


@pytest.mark.slow
@pytest.mark.parametrize("change", BROKEN, ids=lambda change: f"{change[1]}: {change[4]}")
def test_a_broken_rule_is_found(monkeypatch, change):
    module, name, was, instead, message = change
    monkeypatch.setattr(module, name, broken(getattr(module, name), was, instead))
    with pytest.raises(RefutedError, match=message):
        bounded(Port(TINY, invariants=False), 10)
