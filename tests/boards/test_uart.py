"""Uart: bytes, whatever their distance and the other side's clock."""

import pytest

from shiftloom.boards.board import BoardError
from shiftloom.boards.uart import UartReceiver, UartTransmitter, uart_divisor
from tests.support.pysim import send, simulate

BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x7E, 0x01, 0x80]


async def put(ctx, wire, bits, cycles):
    """Drive a wire with bits of a length that need not be whole cycles."""
    passed = 0
    for number, bit in enumerate(bits):
        ctx.set(wire, bit)
        while passed < round((number + 1) * cycles):
            await ctx.tick()
            passed += 1


def frame(byte, stop=1):
    return [0, *(byte >> k & 1 for k in range(8)), stop]


@pytest.mark.parametrize(
    ("divisor", "skew"), [(4, 1.0), (5, 1.0), (8, 0.97), (8, 1.03), (16, 0.97), (16, 1.03)]
)
def test_receiver_takes_bytes_from_a_clock_that_is_not_quite_ours(divisor, skew):
    dut = UartReceiver(divisor)
    received = []

    async def drive(ctx):
        await ctx.tick().repeat(3)
        for byte in BYTES:
            await put(ctx, dut.rx, frame(byte), divisor * skew)
        await ctx.tick().repeat(3 * divisor)

    async def watch(ctx):
        while True:
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                received.append(byte)

    simulate(dut, drive, background=[watch])
    assert received == BYTES


def test_receiver_leaves_out_what_has_no_stop_bit():
    dut = UartReceiver(8)
    received = []

    async def drive(ctx):
        await put(ctx, dut.rx, [*frame(0x12, stop=0), 1, 1, *frame(0x34), 1], 8)
        await ctx.tick().repeat(20)

    async def watch(ctx):
        while True:
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                received.append(byte)

    simulate(dut, drive, background=[watch])
    assert received == [0x34]


@pytest.mark.parametrize(("clock_hz", "divisor"), [(25_000_000, 25), (4_000_000, 4)])
def test_divisor_of_a_clock(clock_hz, divisor):
    assert uart_divisor(clock_hz, 1_000_000) == divisor


@pytest.mark.parametrize("clock_hz", [3_000_000, 4_400_000])
def test_clocks_that_make_no_bits_are_refused(clock_hz):
    with pytest.raises(BoardError, match=f"1000000 bits per second .* {clock_hz} Hz"):
        uart_divisor(clock_hz, 1_000_000)


@pytest.mark.parametrize("divisor", [2, 7])
def test_transmitter_gives_every_bit_its_time(divisor):
    dut = UartTransmitter(divisor)
    levels = []

    async def feed(ctx):
        await send(ctx, dut.i, BYTES)
        await ctx.tick().repeat(12 * divisor)

    async def watch(ctx):
        while True:
            _, _, level = await ctx.tick().sample(dut.tx)
            levels.append(level)

    simulate(dut, feed, background=[watch])
    found, at = [], 0
    while 0 in levels[at:]:
        at = levels.index(0, at)
        bits = levels[at : at + 10 * divisor]
        assert all(len({*bits[k : k + divisor]}) == 1 for k in range(0, 10 * divisor, divisor))
        found.append(sum(bits[(k + 1) * divisor] << k for k in range(8)))
        at += 10 * divisor
    assert found == BYTES
