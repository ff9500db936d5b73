"""FrameReceiver: whole frames come through, nothing else does."""

import random

import pytest

from shiftloom.boards.frame_receiver import BYTE_CYCLES, FrameReceiver
from shiftloom.boards.frames import FLAG, MOST_WORDS, Command, Request
from tests.support.pysim import simulate


def requests(count, seed, most=6):
    rng = random.Random(seed)
    for number in range(count):
        words = rng.randint(1, most)
        writes = rng.random() < 0.6
        size = 4 * words if writes else 0
        # Bytes that need an escape are frequent.
        data = bytes(rng.choice([0x7D, 0x7E, 0x5D, 0x5E, rng.randrange(256)]) for _ in range(size))
        yield Request(
            command=Command.WRITE if writes else Command.READ,
            tag=number % 256,
            address=rng.choice([0x7E7D7E7C, rng.randrange(1 << 32)]),
            words=words,
            data=data,
        )


def run(pieces, pause=0, busy=None):
    """Feed pieces of bytes; return what came of them: requests with their data, and counts."""
    dut = FrameReceiver()
    found, counts = [], {"good": 0, "damaged": 0, "overrun": 0}

    async def feed(ctx):
        for piece in pieces:
            for byte in piece:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                for _ in range(BYTE_CYCLES + pause):
                    signals = (dut.valid, dut.request, dut.good, dut.damaged, dut.overrun)
                    note(ctx, *(await ctx.tick().sample(*signals))[2:])
                    ctx.set(dut.i.valid, 0)
                    ctx.set(dut.i.payload, 0xA5)  # it need not hold still
            if busy:
                ctx.set(dut.busy, busy[0])
                ctx.set(dut.needed, busy[1])

    def note(ctx, valid, request, *pulses):
        for name, pulse in zip(counts, pulses, strict=True):
            counts[name] += pulse
        if valid:
            words = request.data_bytes // 4
            data = b"".join(ctx.get(dut.contents[k]).to_bytes(4, "little") for k in range(words))
            found.append(
                Request(
                    command=Command(request.command),
                    tag=request.tag,
                    address=request.address,
                    words=request.words,
                    data=data,
                )
            )

    simulate(dut, feed, timeout=200_000)
    return found, counts


@pytest.mark.parametrize("pause", [0, 3])
def test_requests_come_through(pause):
    sent = list(requests(15, seed=pause))
    found, counts = run([r.to_bytes() for r in sent], pause)
    assert found == sent
    assert counts == {"good": 15, "damaged": 0, "overrun": 0}


@pytest.mark.slow
def test_the_largest_request_comes_through():
    data = bytes(k % 256 for k in range(4 * MOST_WORDS))
    sent = Request(command=Command.WRITE, tag=1, address=4, words=MOST_WORDS, data=data)
    found, counts = run([sent.to_bytes()])
    assert found == [sent] and counts["good"] == 1


def test_longer_frames_are_damaged():
    data = bytes(4 * MOST_WORDS + 4)
    long = Request(command=Command.WRITE, tag=1, address=4, words=MOST_WORDS + 1, data=data)
    sent = next(requests(1, seed=5))
    found, counts = run([long.to_bytes(), sent.to_bytes()])
    assert found == [sent] and counts == {"good": 1, "damaged": 1, "overrun": 0}


def test_damage_is_seen_and_the_next_frame_is_found():
    rng = random.Random(1)
    pieces, intact = [], []
    for number, request in enumerate(requests(40, seed=2)):
        whole = bytearray(request.to_bytes())
        if number % 2:
            kind, at = rng.randrange(3), rng.randrange(1, len(whole) - 1)
            if kind == 0:
                whole[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del whole[at]
            else:
                whole[at:-1] = b""
        else:
            intact.append(request)
        pieces.append(bytes(whole))
    found, counts = run(pieces)
    assert found == intact
    assert counts["damaged"] >= 20 and counts["good"] == 20


def test_flags_alone_are_nothing():
    sent = next(requests(1, seed=3))
    found, counts = run([bytes([FLAG] * 5), sent.to_bytes(), bytes([FLAG] * 3)])
    assert found == [sent] and counts == {"good": 1, "damaged": 0, "overrun": 0}


@pytest.mark.parametrize(("needed", "dropped"), [(0, 1), (2, 1), (MOST_WORDS, 0)])
def test_words_that_are_needed_are_kept(needed, dropped):
    first, second = (
        Request(command=Command.WRITE, tag=t, address=0, words=4, data=bytes([t] * 16))
        for t in (1, 2)
    )
    found, counts = run([first.to_bytes(), second.to_bytes()], busy=(1, needed))
    assert found[:1] == [first]
    assert counts["overrun"] == 1  # it ends while the other is being carried out
    assert dropped in (0, 1)
