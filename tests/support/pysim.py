"""Amaranth simulator: run testbenches, drive and drain streams."""

from contextlib import nullcontext

from amaranth.sim import Simulator

from tests.support.stalls import never

__all__ = ["receive", "send", "simulate"]

PERIOD = 1e-6


def simulate(dut, *testbenches, background=(), timeout=10_000, vcd=None):
    """Run testbenches to their end; raise after ``timeout`` cycles instead of hanging."""

    async def watchdog(ctx):
        await ctx.delay(timeout * PERIOD)
        raise TimeoutError(f"no end after {timeout} cycles")

    sim = Simulator(dut)
    sim.add_clock(PERIOD)
    for testbench in testbenches:
        sim.add_testbench(testbench)
    for testbench in (*background, watchdog):
        sim.add_testbench(testbench, background=True)
    with sim.write_vcd(str(vcd)) if vcd else nullcontext():
        sim.run()


async def send(ctx, port, payloads, stalls=None):
    """Offer payloads in order on a stream the testbench produces."""
    stalls = stalls or never()
    for payload in payloads:
        while next(stalls):
            await ctx.tick()
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)


async def receive(ctx, port, count, stalls=None):
    """Return the next payloads of a stream the testbench consumes."""
    stalls = stalls or never()
    payloads = []
    while len(payloads) < count:
        ready = not next(stalls)
        ctx.set(port.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
        if valid and ready:
            payloads.append(payload)
    ctx.set(port.ready, 0)
    return payloads
