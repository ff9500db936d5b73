"""SerialCrc: what zlib says, and back."""

import random
import zlib

import pytest

from shiftloom.boards.serial_crc import SerialCrc
from tests.support.pysim import simulate


async def divide(ctx, dut, data):
    """Let the component take bytes."""
    for byte in data:
        ctx.set(dut.valid, 1)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        for k in range(8):
            assert ctx.get(dut.shifts)
            ctx.set(dut.bit, byte >> k & 1)
            await ctx.tick()
        assert not ctx.get(dut.shifts)
    await ctx.tick()


async def restart(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


@pytest.mark.parametrize("size", [1, 2, 17])
def test_crc_of_bytes_is_given_and_matches(size):
    dut, data = SerialCrc(), random.Random(size).randbytes(size)
    crc = zlib.crc32(data).to_bytes(4, "little")

    async def drive(ctx):
        await divide(ctx, dut, data)
        given = []
        ctx.set(dut.gives, 1)
        for _ in crc:
            ctx.set(dut.valid, 1)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            bits = []
            for _ in range(8):
                bits.append(ctx.get(dut.crc_bit))
                await ctx.tick()
            given.append(sum(bit << k for k, bit in enumerate(bits)))
        assert bytes(given) == crc
        ctx.set(dut.gives, 0)
        await restart(ctx, dut)
        await divide(ctx, dut, data)
        assert not ctx.get(dut.match)
        await divide(ctx, dut, crc)
        assert ctx.get(dut.match)
        await divide(ctx, dut, b"x")
        assert not ctx.get(dut.match)

    simulate(dut, drive)


def test_a_flipped_bit_does_not_match():
    dut, data = SerialCrc(), b"shiftloom"
    whole = bytearray(data + zlib.crc32(data).to_bytes(4, "little"))
    whole[3] ^= 0x10

    async def drive(ctx):
        await divide(ctx, dut, whole)
        assert not ctx.get(dut.match)

    simulate(dut, drive)
