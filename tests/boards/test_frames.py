"""Frames: what is stuffed comes out again, and nothing else does."""

import random

import pytest

from shiftloom.boards.frames import (
    FLAG,
    Command,
    Decoder,
    Reply,
    ReplyStatus,
    Request,
    reply,
    stuff,
)


def test_a_request_is_what_the_format_says():
    request = Request(command=Command.WRITE, tag=5, address=0x100, words=1, data=b"\x7e\x7d12")
    frame = request.to_bytes()
    assert frame[:9] == bytes([FLAG, 2, 5, 0, 1, 0, 0, 1, 0])
    assert frame[9:15] == bytes([0x7D, 0x5E, 0x7D, 0x5D, 0x31, 0x32])
    assert frame[-1] == FLAG and FLAG not in frame[1:-1]


def test_crc_is_that_of_ethernet():
    assert stuff(b"123456789") == b"\x7e123456789" + bytes.fromhex("2639f4cb") + b"\x7e"


@pytest.mark.parametrize("seed", range(3))
def test_bodies_come_out_of_garbage(seed):
    rng = random.Random(seed)
    bodies, stream = [], b""
    for _ in range(200):
        body = bytes(
            rng.choice([0x7D, 0x7E, rng.randrange(256)]) for _ in range(rng.randint(1, 40))
        )
        bodies.append(body)
        stream += rng.randbytes(rng.randrange(9)) + bytes([FLAG]) + stuff(body)
    decoder, found = Decoder(), []
    while stream:
        count = rng.randint(1, 50)
        found.extend(decoder.feed(stream[:count]))
        stream = stream[count:]
    assert found == bodies
    assert decoder.damaged > 100


def test_one_flipped_bit_is_seen_wherever_it_is():
    frame = stuff(b"\x01\x02\x7e\x7d words")
    for bit in range(8, 8 * (len(frame) - 1)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        assert not list(Decoder().feed(bytes(damaged)))


def test_garbage_without_an_end_takes_no_memory():
    decoder = Decoder()
    for _ in range(100):
        assert not list(decoder.feed(bytes(1000)))
    assert len(decoder._frame) < 3000
    assert list(decoder.feed(bytes([FLAG]) + stuff(b"body"))) == [b"body"]
    assert decoder.damaged == 1


def test_bodies_that_are_no_replies():
    assert reply(b"\x00\x07data") == Reply(status=ReplyStatus.OK, tag=7, data=b"data")
    assert reply(b"\x00") is None
    assert reply(b"\x09\x07") is None
