"""BlockMemory and SharedMemory: bursts and single words see one memory."""

import random

import pytest

from shiftloom.boards.block_memory import BlockMemory, check_memory
from shiftloom.boards.board import BoardError
from shiftloom.boards.shared_memory import SharedMemory
from shiftloom.isa.config import load_config
from tests.support.pysim import simulate
from tests.support.stalls import sometimes

SIZE = 256
DECODE_ERROR = 3


async def write_burst(ctx, port, address, beats, stalls):
    """Write beats ``(data, strobes)``; return the answer."""
    ctx.set(port.aw.payload, {"addr": address, "len": len(beats) - 1})
    ctx.set(port.aw.valid, 1)
    await ctx.tick().until(port.aw.ready)
    ctx.set(port.aw.valid, 0)
    for number, (data, strobe) in enumerate(beats):
        while next(stalls):
            await ctx.tick()
        last = number == len(beats) - 1
        ctx.set(port.w.payload, {"data": data, "strb": strobe, "last": last})
        ctx.set(port.w.valid, 1)
        await ctx.tick().until(port.w.ready)
        ctx.set(port.w.valid, 0)
    while next(stalls):
        await ctx.tick()
    ctx.set(port.b.ready, 1)
    (answer,) = await ctx.tick().sample(port.b.payload).until(port.b.valid)
    ctx.set(port.b.ready, 0)
    return answer.resp


async def read_burst(ctx, port, address, count, stalls):
    """Return the beats of a burst."""
    ctx.set(port.ar.payload, {"addr": address, "len": count - 1})
    ctx.set(port.ar.valid, 1)
    await ctx.tick().until(port.ar.ready)
    ctx.set(port.ar.valid, 0)
    beats = []
    while len(beats) < count:
        ctx.set(port.r.ready, not next(stalls))
        values = await ctx.tick().sample(port.r.valid, port.r.ready, port.r.payload)
        if values[2] and values[3]:
            beats.append(values[4])
    ctx.set(port.r.ready, 0)
    assert [beat.last for beat in beats] == [0] * (count - 1) + [1]
    return beats


async def access(ctx, bus, address, data=None):
    """Read or write one word as the host."""
    ctx.set(bus.addr, address // 4)
    ctx.set(bus.write, data is not None)
    ctx.set(bus.write_data, data or 0)
    ctx.set(bus.valid, 1)
    (value,) = await ctx.tick().sample(bus.read_data).until(bus.ready)
    ctx.set(bus.valid, 0)
    return value


KINDS = pytest.mark.parametrize(
    ("kind", "config"), [(BlockMemory, "tiny"), (BlockMemory, "base"), (SharedMemory, "icebreaker")]
)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@KINDS
def test_both_sides_see_what_either_wrote(kind, config, stall):
    config = load_config(config)
    step = config.bus_bytes
    dut = kind(SIZE, config)
    model, rng, stalls = bytearray(SIZE), random.Random(1), sometimes(stall, seed=2)

    async def drive(ctx):
        for _ in range(60):
            kind = rng.randrange(4)
            if kind < 2:
                count = rng.randint(1, 4)
                start = step * rng.randrange(SIZE // step - count + 1)
            if kind == 0:
                beats = [(rng.getrandbits(8 * step), rng.getrandbits(step)) for _ in range(count)]
                assert await write_burst(ctx, dut.axi, start, beats, stalls) == 0
                for number, (data, strobe) in enumerate(beats):
                    for byte in range(step):
                        if strobe >> byte & 1:
                            model[start + number * step + byte] = data >> 8 * byte & 0xFF
            elif kind == 1:
                beats = await read_burst(ctx, dut.axi, start, count, stalls)
                found = b"".join(beat.data.to_bytes(step, "little") for beat in beats)
                assert found == model[start : start + count * step]
                assert not any(beat.resp for beat in beats)
            else:
                place = 4 * rng.randrange(SIZE // 4)
                if kind == 2:
                    word = rng.getrandbits(32)
                    await access(ctx, dut.host, place, word)
                    model[place : place + 4] = word.to_bytes(4, "little")
                else:
                    found = await access(ctx, dut.host, place)
                    assert found.to_bytes(4, "little") == model[place : place + 4]

    simulate(dut, drive)


@KINDS
def test_the_host_reads_while_bursts_run(kind, config):
    config = load_config(config)
    dut = kind(SIZE, config)
    model = random.Random(3).randbytes(SIZE)
    step, done = config.bus_bytes, []

    async def fill(ctx):
        for k in range(SIZE // step):
            value = int.from_bytes(model[k * step : (k + 1) * step], "little")
            ctx.set(dut.contents[k], value)
        stalls = sometimes(0.2, seed=4)
        for _ in range(12):
            beats = await read_burst(ctx, dut.axi, 64, 12, stalls)
            found = b"".join(beat.data.to_bytes(step, "little") for beat in beats)
            assert found == model[64 : 64 + 12 * step]
        done.append(True)

    async def host(ctx):
        place = 0
        while not done:
            await ctx.tick()
            found = await access(ctx, dut.host, place)
            assert found.to_bytes(4, "little") == model[place : place + 4]
            place = (place + 20) % SIZE

    simulate(dut, fill, host)


@KINDS
def test_beats_beyond_the_end_are_errors_and_change_nothing(kind, config):
    config = load_config(config)
    dut, step = kind(SIZE, config), config.bus_bytes
    stalls, ones, all_bytes = sometimes(0.0, seed=0), (1 << 8 * step) - 1, (1 << step) - 1

    async def drive(ctx):
        beats = [(ones, all_bytes)] * 2
        assert await write_burst(ctx, dut.axi, SIZE - step, beats, stalls) == DECODE_ERROR
        assert await write_burst(ctx, dut.axi, 0, [(1, all_bytes)], stalls) == 0
        for far in (2 * SIZE, 1 << 20):
            assert await write_burst(ctx, dut.axi, far, beats[:1], stalls) == DECODE_ERROR
        found = await read_burst(ctx, dut.axi, SIZE - step, 2, stalls)
        assert [beat.resp for beat in found] == [0, DECODE_ERROR]
        assert found[0].data == ones
        assert ctx.get(dut.contents[0]) == 1

    simulate(dut, drive)


@pytest.mark.parametrize("size", [0, 12])
def test_sizes_are_beats(size):
    with pytest.raises(BoardError, match=f"multiple of 8 bytes, not {size}"):
        check_memory(size, load_config("tiny"))
