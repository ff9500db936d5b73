"""LaneParameters: each lane's parameters reach it in time, and each tap its lane."""

import random

from shiftloom.hw.lane_parameters import TAP_BITS, LaneParameters
from tests.support.serial import WIDE

LANES, LANE_BITS = WIDE.columns, 64


def test_parameters_and_taps_are_those_of_their_lanes(simulate):
    dut, rng = LaneParameters(WIDE), random.Random(1)
    memory = [rng.getrandbits(LANE_BITS) for _ in range(LANES * WIDE.parameter_words)]
    tap_words = [rng.getrandbits(TAP_BITS * LANES) for _ in range(WIDE.parameter_words)]
    begins, found, wanted = [], [], []

    async def job(ctx, addr):
        ctx.set(dut.job, {"work": {"parameter_addr": addr}})
        begin = None
        for cycle in range(LaneParameters.latency(WIDE) + 6):
            ctx.set(dut.start, cycle == 0)
            tap = rng.randrange(WIDE.parameter_words)
            ctx.set(dut.tap, tap)
            signals = dut.begin, dut.read.addr, dut.tap_read.addr, dut.parameters
            _, _, begins_now, read, tap_read, parameters = await ctx.tick().sample(*signals)
            if begins_now:
                begins.append(cycle)
                begin = cycle
            if begin is not None and cycle >= begin + 3:
                found.append(parameters)
                lanes = memory[LANES * addr :][:LANES]
                wanted.append(sum(lane << (LANE_BITS * n) for n, lane in enumerate(lanes)))
            ctx.set(dut.read.data, memory[read])
            ctx.set(dut.tap_read.data, tap_words[tap_read])
            taps, word = ctx.get(dut.taps), tap_words[tap]
            for lane in range(LANES):
                got = taps >> (LANE_BITS * lane) & ((1 << LANE_BITS) - 1)
                assert got == word >> (TAP_BITS * lane) & ((1 << TAP_BITS) - 1)

    async def bench(ctx):
        for addr in (3, 0, WIDE.parameter_words - 1):
            await job(ctx, addr)

    simulate(dut, bench)
    assert found == wanted and len(found) == 9
    assert begins == [LaneParameters.latency(WIDE)] * 3
