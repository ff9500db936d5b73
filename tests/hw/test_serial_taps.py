"""SerialTaps: sums and maxima over kernels, with a multiplier that sees codes less 128."""

import random

import pytest

from shiftloom.hw.serial_taps import SerialTaps
from shiftloom.isa.instructions import Instruction, Opcode, VectorOperation
from tests.support.serial import SERIAL, pass_words

NOTHING = -(1 << 30)


def signed(value, bits=16):
    return (value + (1 << bits >> 1)) % (1 << bits) - (1 << bits >> 1)


@pytest.mark.parametrize("unsigned", [0, 1])
@pytest.mark.parametrize("operation", VectorOperation)
def test_totals_are_those_of_the_definition(simulate, operation, unsigned):
    dut, rng = SerialTaps(SERIAL), random.Random(unsigned)
    maximum = operation == VectorOperation.MAX
    lengths = [1, 9, 3, 4, 9]
    codes = [[rng.randrange(256) - 128 * (not unsigned) for _ in range(n)] for n in lengths]
    extremes = [-256, 255, -128, 127, 0, 0]
    taps = [[rng.choice([rng.randrange(-256, 256), *extremes]) for _ in range(n)] for n in lengths]
    taps[3] = [0] * 4  # a maximum over nothing
    settings = Instruction(Opcode.VECTOR_LOOPS, {"operation": operation, "unsigned": unsigned})
    found = []

    async def kernel(ctx, codes, taps):
        """Let a kernel's codes follow each other; multiply as the array does."""
        factors, addends, products = {}, {}, {}
        for cycle in range(len(codes) + dut.latency):
            ctx.set(dut.valid, cycle < len(codes))
            ctx.set(dut.first, cycle == 0)
            ctx.set(dut.tap, taps[cycle - 1] if 1 <= cycle <= len(codes) else 77)
            ctx.set(dut.products, products.get(cycle, [111, -5]))
            assert ctx.get(dut.load) == (1 <= cycle <= len(codes))
            if 1 <= cycle <= len(codes):
                factors[cycle] = [ctx.get(factor) for factor in dut.factors]
            if 2 <= cycle <= len(codes) + 1:
                operand = codes[cycle - 2] - 128 * unsigned
                addends = [ctx.get(addend) for addend in dut.addends]
                pairs = zip(factors[cycle - 1], addends, strict=True)
                products[cycle + 2] = [signed(operand * f + a) for f, a in pairs]
            await ctx.tick()
        found.append(ctx.get(dut.total))

    async def testbench(ctx):
        await pass_words(ctx, dut.word, settings)
        for code, tap in zip(codes, taps, strict=True):
            await kernel(ctx, code, tap)

    simulate(dut, testbench)
    wanted = []
    for code, tap in zip(codes, taps, strict=True):
        if maximum:
            wanted.append(max((c for c, t in zip(code, tap, strict=True) if t), default=NOTHING))
        else:
            wanted.append(sum(c * t for c, t in zip(code, tap, strict=True)))
    assert found == wanted
