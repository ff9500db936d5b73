"""SerialRequantizer: both stages beside the integer definition, back to back and with gaps."""

import random

import pytest

from shiftloom.hw.serial_requantizer import SerialRequantizer, scale_layout
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.requantize import Rounding, shift_round
from tests.support.serial import SERIAL, pass_words

WORD = 1 << 32


def settings(rng, rounding):
    out = rng.choice([(-128, 127), (-128, 255), (-8, 7)])
    fields = {
        "rounding": int(rounding),
        "low": rng.choice([-(1 << 15), -300]),
        "high": rng.choice([(1 << 15) - 1, 400]),
        "out_shift": rng.choice([-16, -8, -1, 0, 0, 0, 3, 15]),
        "out_low": out[0],
        "out_high": out[1],
        "residual": rng.random() < 0.3,
        "residual_unsigned": rng.randrange(2),
        "residual_shift": rng.randrange(8),
    }
    return Instruction(Opcode.VECTOR_REQUANTIZE, fields)


def sample(rng):
    """Return sum, bias, shift, addend and residual: anything, the limits, and near ties."""
    shift, bits = rng.randrange(32), rng.choice([8, 20, 31])
    value, bias = (rng.randrange(-(1 << bits), 1 << bits) for _ in range(2))
    kind = rng.randrange(4)
    if kind == 0:
        value = rng.choice([1, -1]) * ((1 << 31) - 1) - bias
    if kind > 1:
        shift = rng.randrange(1, 24)
        # A bit alone, also where one step of the shifter ends and the next begins.
        step = rng.randrange(1, 5)
        between = (shift >> step << step) - 1
        beside = rng.choice([0, 1 << rng.randrange(shift), 1 << max(0, between) % shift])
        value = (rng.randrange(-100, 100) << shift) + (1 << shift >> 1) + beside - bias
    return (
        value,
        bias,
        shift,
        rng.choice([0, rng.randrange(-(1 << 15), 1 << 15)]),
        rng.randrange(256),
    )


def expected(q, given):
    value, bias, shift, addend, residual = given
    biased = (value + bias + WORD // 2) % WORD - WORD // 2
    rounding = Rounding(q["rounding"])
    first = min(max(int(shift_round(biased, shift, rounding)), q["low"]), q["high"])
    code = residual if q["residual_unsigned"] or residual < 128 else residual - 256
    total = first + addend + (code << q["residual_shift"] if q["residual"] else 0)
    second = int(shift_round(total, max(q["out_shift"], -8), rounding))
    return min(max(second, q["out_low"]), q["out_high"]) % 256


@pytest.mark.parametrize("rounding", Rounding)
def test_codes_are_those_of_the_definition(simulate, rounding):
    dut, rng = SerialRequantizer(SERIAL), random.Random(int(rounding))
    rounds = [(settings(rng, rounding), [sample(rng) for _ in range(15)]) for _ in range(5)]
    wanted, due, found = [], {}, []

    async def testbench(ctx):
        now, scale = 0, None
        for q, samples in rounds:
            await pass_words(ctx, dut.word, q)
            for value in samples:
                gap = rng.choice([2, 2, 4, 5, 7])
                for cycle in range(gap):
                    if now in due:
                        found.append(ctx.get(dut.code))
                        wanted.append(due.pop(now))
                    ctx.set(dut.start, cycle == 0)
                    ctx.set(dut.scale, scale or {})
                    scale = None
                    if cycle == 0:
                        ctx.set(dut.value, value[0])
                        ctx.set(dut.bias, value[1])
                        ctx.set(dut.residual, value[4])
                        due[now + dut.latency] = expected(q, value)
                        scale = {"shift": value[2], "unused": 5, "addend": value[3]}
                    await ctx.tick()
                    now += 1
            for _ in range(dut.latency):  # settings hold still while values are inside
                ctx.set(dut.start, 0)
                ctx.set(dut.scale, scale or {})
                scale = None
                if now in due:
                    found.append(ctx.get(dut.code))
                    wanted.append(due.pop(now))
                await ctx.tick()
                now += 1

    assert scale_layout().size == 32
    simulate(dut, testbench)
    assert len(found) == 75 and found == wanted
