"""Tokens: counts of completed work."""

from shiftloom.hw.tokens import Tokens
from shiftloom.isa.instructions import Engine


def test_each_engine_has_its_count(simulate):
    dut, pulses = Tokens(), {Engine.LOAD: 3, Engine.MAC: 1, Engine.VECTOR: 0, Engine.STORE: 2}

    async def check(ctx):
        for cycle in range(4):
            ctx.set(dut.issued, sum(1 << e for e, count in pulses.items() if cycle < count))
            await ctx.tick()
            ctx.set(dut.issued, 0)
            assert not ctx.get(dut.idle)
        for cycle in range(3):
            assert not ctx.get(dut.idle)
            ctx.set(dut.done, sum(1 << e for e, count in pulses.items() if cycle < count))
            await ctx.tick()
        ctx.set(dut.done, 0)
        assert ctx.get(dut.idle)
        assert [ctx.get(dut.completed[e]) for e in pulses] == list(pulses.values())

    simulate(dut, check)


def test_issue_and_completion_in_one_cycle_cancel(simulate):
    dut = Tokens()

    async def check(ctx):
        ctx.set(dut.issued, 1)
        await ctx.tick()
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.issued, 0)
        assert not ctx.get(dut.idle)
        await ctx.tick()
        ctx.set(dut.done, 0)
        assert ctx.get(dut.idle)
        assert ctx.get(dut.completed[0]) == 2

    simulate(dut, check)


def test_count_stays_at_its_highest_value(simulate):
    dut = Tokens()

    async def check(ctx):
        ctx.set(dut.completed[2], 0xFFFE)
        ctx.set(dut.done, 1 << 2)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.completed[2]) == 0xFFFF

    simulate(dut, check)
