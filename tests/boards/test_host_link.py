"""HostLink: requests are carried out, in their area, and answered."""

import random

import pytest

from shiftloom.boards.frame_receiver import BYTE_CYCLES
from shiftloom.boards.frames import (
    LINK_VERSION,
    MOST_WORDS,
    Area,
    Command,
    Decoder,
    LinkWord,
    Reply,
    ReplyStatus,
    Request,
    reply,
)
from shiftloom.boards.host_link import HostLink
from tests.support.pysim import simulate
from tests.support.stalls import sometimes

MEMORY_BYTES, REGISTER_BYTES, CLOCK_HZ = 4096, 128, 25_000_000


def read(address, words, tag=1):
    return Request(command=Command.READ, tag=tag, address=address, words=words)


def write(address, data, tag=1):
    words = len(data) // 4
    return Request(command=Command.WRITE, tag=tag, address=address, words=words, data=data)


def area(bus, words, stalls):
    """Return a testbench that answers accesses to words."""

    async def serve(ctx):
        while True:
            willing = ctx.get(bus.valid) and not next(stalls)
            ctx.set(bus.ready, willing)
            ctx.set(bus.read_data, 0)
            if willing:
                place = ctx.get(bus.addr)
                if ctx.get(bus.write):
                    words[place] = ctx.get(bus.write_data)
                ctx.set(bus.read_data, words[place])
            await ctx.tick()

    return serve


def run(requests, stall=0.3, **options):
    """Send requests one after the other; return the answers, the memory and the registers."""
    dut = HostLink(MEMORY_BYTES, REGISTER_BYTES, CLOCK_HZ, **options)
    memory = [0] * (MEMORY_BYTES // 4)
    registers = [0] * (REGISTER_BYTES // 4)
    answers, decoder, stalls = [], Decoder(), sometimes(stall, seed=1)

    async def feed(ctx):
        for number, request in enumerate(requests):
            for byte in request.to_bytes():
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                await ctx.tick().repeat(BYTE_CYCLES - 1)
            while len(answers) <= number:
                await ctx.tick()

    async def take(ctx):
        while True:
            ctx.set(dut.o.ready, not next(stalls))
            sampled = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if sampled[2] and sampled[3]:
                answers.extend(reply(body) for body in decoder.feed(bytes([sampled[4]])))

    servers = [area(dut.memory, memory, stalls), area(dut.registers, registers, stalls)]
    simulate(dut, feed, background=[*servers, take], timeout=100_000)
    assert decoder.damaged == 0
    return answers, memory, registers


def ok(data=b"", tag=1):
    return Reply(status=ReplyStatus.OK, tag=tag, data=data)


@pytest.mark.parametrize("holds_words", [False, True])
def test_words_come_back_from_where_they_were_written(holds_words):
    data = bytes(random.Random(2).randrange(256) for _ in range(64))
    requests = [
        write(0x100, data, tag=0x7E),
        write(Area.REGISTERS.base + 8, b"abcd", tag=0x7D),
        read(0x108, 3, tag=3),
        read(Area.REGISTERS.base + 4, 2, tag=4),
    ]
    answers, memory, registers = run(requests, holds_words=holds_words)
    assert answers == [ok(tag=0x7E), ok(tag=0x7D), ok(data[8:20], 3), ok(b"\0\0\0\0abcd", 4)]
    written = b"".join(word.to_bytes(4, "little") for word in memory)
    assert written == bytes(0x100) + data + bytes(MEMORY_BYTES - 0x100 - len(data))
    assert registers[2] == int.from_bytes(b"abcd", "little") and registers.count(0) == 31


@pytest.mark.slow
def test_the_largest_requests():
    data = bytes(random.Random(3).randrange(256) for _ in range(4 * MOST_WORDS))
    answers, _, _ = run([write(0, data), read(0, MOST_WORDS)], stall=0.0)
    assert answers == [ok(), ok(data)]


def test_the_link_describes_itself():
    whole = read(Area.LINK.base, len(LinkWord))
    answers, _, _ = run([whole, read(0, 1), read(0, 1), whole])
    words = [
        [int.from_bytes(answer.data[k : k + 4], "little") for k in range(0, len(answer.data), 4)]
        for answer in (answers[0], answers[-1])
    ]
    expected = [LINK_VERSION, MEMORY_BYTES, CLOCK_HZ]
    assert words == [[*expected, 1, 0, 0], [*expected, 4, 0, 0]]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (read(MEMORY_BYTES - 4, 1), ReplyStatus.OK),
        (read(MEMORY_BYTES - 4, 2), ReplyStatus.BAD_ADDRESS),
        (read(MEMORY_BYTES, 1), ReplyStatus.BAD_ADDRESS),
        (read(0x3FFF_FFFC, 256), ReplyStatus.BAD_ADDRESS),
        (read(0x4000_0000, 1), ReplyStatus.BAD_ADDRESS),
        (read(2, 1), ReplyStatus.BAD_ADDRESS),
        (read(Area.REGISTERS.base + REGISTER_BYTES, 1), ReplyStatus.BAD_ADDRESS),
        (read(Area.LINK.base + 4, len(LinkWord)), ReplyStatus.BAD_ADDRESS),
        (write(Area.LINK.base, b"abcd"), ReplyStatus.BAD_ADDRESS),
        (read(0, 0), ReplyStatus.BAD_REQUEST),
        (read(0, MOST_WORDS + 1), ReplyStatus.BAD_REQUEST),
        (
            Request(command=Command.WRITE, tag=1, address=0, words=2, data=b"abcd"),
            ReplyStatus.BAD_REQUEST,
        ),
        (
            Request(command=Command.READ, tag=1, address=0, words=1, data=b"abcd"),
            ReplyStatus.BAD_REQUEST,
        ),
        (Request(command=3, tag=1, address=0, words=1), ReplyStatus.BAD_REQUEST),
    ],
)
def test_what_cannot_be_done_is_refused_as_a_whole(request_, status):
    answers, memory, _ = run([request_, read(0, 1, tag=9)])
    assert answers[0].status is status
    assert answers[1] == ok(bytes(4), 9)
    assert not any(memory)
