"""The accelerator's memory port keeps the rules of AXI4, whatever it is told to do."""

from dataclasses import replace

import pytest

from shiftloom.hw import machine, serial_machine, transfer, write_port
from shiftloom.isa.config import load_config

from .harness import broken
from .inside import anything
from .memory_port import Port
from .prove import RefutedError, bounded, inductive, needs_solver, reaches
from .serial_port import SerialPort

pytestmark = needs_solver

TINY = load_config("tiny")

#: A serial machine with as little memory as it may have.
SERIAL = replace(
    load_config("icebreaker"),
    activation_bytes=64,
    weight_bytes=64,
    parameter_bytes=128,
    accumulator_pixels=8,
)

#: A change that withdraws an address while data come.
DROPPED = "; m.d.comb += self.ar.valid.eq(addresses.o.valid & ~self.r.valid)"

#: What is left out: the decoder, the queues and what computes may say anything.
CUT = {
    machine: ("Compute", "Decode", "EngineQueue", "Tokens"),
    serial_machine: ("SerialMac", "SerialNest", "SerialVector"),
}


@pytest.fixture(autouse=True)
def cut(monkeypatch):
    for module, names in CUT.items():
        for name in names:
            monkeypatch.setattr(module, name, anything(getattr(module, name)))


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
    (
        transfer,
        "BurstSplitter",
        "final, run.beats, room",
        "final, run.beats, self.burst_beats",
        "across 4 KiB",
    ),
    (machine, "ReadArbiter", "flipped(self.ar))", "flipped(self.ar))" + DROPPED, "ar holds"),
    (
        write_port,
        "Skid",
        "valid & ~self.o.ready, ",
        "valid & ~self.o.ready & ~spare_valid, ",
        "holds|length",
    ),
    (machine, "WritePort", "beats.i.p.last.eq(last)", "beats.i.p.last.eq(position == 3)", "marked"),
    (
        machine,
        "WritePort",
        "lengths.o.valid & (self.beat.valid",
        "(self.beat.valid",
        "belong|written|marked",
    ),
    (machine, "Store", "& pending.i.ready & ~void", "& pending.i.ready", "length"),
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


@pytest.mark.slow
def test_the_serial_port_keeps_the_rules_for_ever():
    inductive(SerialPort(SERIAL), 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        ("self._beats == 0", "self._beats == 1", "marked"),
        ("Mux(self._left > room, room, self._left - 1)", "self._left - 1", "across 4 KiB"),
        ("moves.eq(bus.w.ready)", "moves.eq(1)", "w holds|left|part of the run"),
        ('"RUN", "HALTED")]', '"RUN", "HALTED", "REQUEST")]', "idle"),
        ("(self._runs == 0) | (self._words == 0)", "self._runs == 0", "empty|too long"),
    ],
)
def test_a_rule_that_the_serial_port_breaks_is_found(monkeypatch, was, instead, message):
    monkeypatch.setattr(
        serial_machine, "SerialTransfer", broken(serial_machine.SerialTransfer, was, instead)
    )
    with pytest.raises(RefutedError, match=message):
        inductive(SerialPort(SERIAL), 2)
