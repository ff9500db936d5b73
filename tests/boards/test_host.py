"""Host: words come and go over a line that damages frames."""

import random

import pytest

from shiftloom.boards.frames import (
    LINK_VERSION,
    Area,
    Command,
    Decoder,
    LinkWord,
    ReplyStatus,
    stuff,
)
from shiftloom.boards.host import Host, LinkError

SIZE = 8192


class Device:
    """A device in Python at the end of a line that loses and damages what it carries."""

    def __init__(self, noise=0.0, seed=0, version=LINK_VERSION, deaf=False):
        self.rng, self.noise = random.Random(seed), noise
        self.version, self.deaf = version, deaf
        self.memory, self.answers = bytearray(SIZE), bytearray()
        self.decoder = Decoder()

    def damaged(self, data):
        data = bytearray(data)
        if self.rng.random() < self.noise:
            at = self.rng.randrange(len(data))
            if self.rng.random() < 0.5:
                data[at] ^= 1 << self.rng.randrange(8)
            else:
                del data[at : at + self.rng.randint(1, len(data))]
        return bytes(data)

    def write(self, data):
        for body in self.decoder.feed(self.damaged(data)):
            if not self.deaf:
                status, answer = self.carry_out(body)
                self.answers += self.damaged(stuff(bytes([status, body[1]]) + answer))

    def read(self, size):
        taken, self.answers = bytes(self.answers[:size]), self.answers[size:]
        return taken

    def carry_out(self, body):
        command, address = body[0], int.from_bytes(body[2:6], "little")
        size = 4 * int.from_bytes(body[6:8], "little")
        if address >= Area.LINK.base:
            facts = {LinkWord.VERSION: self.version, LinkWord.MEMORY_BYTES: SIZE}
            word = (address - Area.LINK.base) // 4
            return ReplyStatus.OK, facts[word].to_bytes(4, "little")
        if address + size > SIZE:
            return ReplyStatus.BAD_ADDRESS, b""
        if command == Command.WRITE:
            self.memory[address : address + size] = body[8:]
            return ReplyStatus.OK, b""
        return ReplyStatus.OK, self.memory[address : address + size]


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_words_survive_the_line(noise, seed):
    device = Device(noise, seed)
    host, data = Host(device), random.Random(seed).randbytes(5000)
    host.check()
    host.write(100, data)
    assert device.memory == bytes(100) + data + bytes(SIZE - 5100)
    assert host.read(96, 5008) == bytes(4) + data + bytes(4)
    assert (host.repeated > 0) == (noise > 0)


def test_a_device_with_another_link_is_refused():
    with pytest.raises(LinkError, match="link has version 9, not 1"):
        Host(Device(version=9)).check()


def test_silence_is_an_error():
    with pytest.raises(LinkError, match="no answer after 5 attempts"):
        Host(Device(deaf=True)).check()


def test_a_refusal_is_an_error():
    with pytest.raises(LinkError, match="refused READ of 2 words at 0x1ffc: BAD_ADDRESS"):
        Host(Device()).read(SIZE - 4, 8)


def test_sizes_are_words():
    with pytest.raises(ValueError, match="multiple of 4, not 6"):
        Host(Device()).read(0, 6)


def test_answers_of_the_wrong_length_are_errors():
    device = Device()
    device.carry_out = lambda body: (ReplyStatus.OK, b"12345678")
    with pytest.raises(LinkError, match="sent 8 bytes instead of 4"):
        Host(device).read(0, 4)
