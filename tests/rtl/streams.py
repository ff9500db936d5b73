"""What benches of blocks do to ports: reset, offer, take, watch."""

import os

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from tests.support.stalls import never

__all__ = ["receive", "send", "start", "until", "watch"]

PERIOD = 10


async def start(dut, **inputs):
    """Start the clock and leave reset; inputs are low but for those that are given."""
    for name in os.environ["SHIFTLOOM_INPUTS"].split():
        dut[name].value = inputs.get(name, 0)
    dut.rst.value = 0
    Clock(dut.clk, PERIOD, unit="ns").start()
    await Timer(1, unit="ns")
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def until(dut, condition):
    """Wait for the first cycle at whose end a condition holds."""
    while not condition():
        await RisingEdge(dut.clk)


async def send(dut, port, payloads, stalls=None):
    """Offer payloads in order on a stream that the bench produces."""
    stalls = stalls or never()
    valid, ready, payload = (dut[f"{port}_{n}"] for n in ("valid", "ready", "payload"))
    for value in payloads:
        while next(stalls):
            await RisingEdge(dut.clk)
        payload.value = value
        valid.value = 1
        await RisingEdge(dut.clk)
        while not ready.value:
            await RisingEdge(dut.clk)
        valid.value = 0


async def receive(dut, port, stalls=None, take=None):
    """Take payloads for ever from a stream that the bench consumes; none may be withdrawn."""
    stalls, held = stalls or never(), None
    valid, ready, payload = (dut[f"{port}_{n}"] for n in ("valid", "ready", "payload"))
    while True:
        willing = not next(stalls)
        ready.value = willing
        await RisingEdge(dut.clk)
        offer = int(payload.value) if valid.value else None
        assert held in (None, offer), f"{port} changed its offer"
        held = None if willing else offer
        if take and willing and offer is not None:
            take(offer)


async def watch(dut, signals, take):
    """Give the values of signals at the end of each cycle, for ever."""
    while True:
        await RisingEdge(dut.clk)
        take(*(int(dut[name].value) for name in signals))
