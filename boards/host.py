"""Host: the other end of a board's host link, for programs in Python.

Needs nothing but an object with ``write(bytes)`` and ``read(size)``, such as a serial port with a
timeout or the simulated line.
"""

import struct
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from .frames import (
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

__all__ = ["Host", "LinkError", "Port"]

#: Requests that may be on their way at a time; the device drops those that come too early.
_WINDOW = 4

#: Times that a request is sent before the line counts as dead.
_ATTEMPTS = 5


class LinkError(RuntimeError):
    """The device does not answer, or answers what makes no sense."""


class Port(Protocol):
    """A line: bytes out, and bytes in, fewer than asked for when they do not come in time."""

    def write(self, data: bytes, /) -> object:
        """Send bytes."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes."""
        ...


class Host:
    """Reads and writes words of a device; damaged frames in either direction are sent again.

    Everything it asks for may be carried out twice without harm: that is how an answer that got
    lost is told from a request that did.

    Parameters
    ----------
    port : Port
        The line.

    Attributes
    ----------
    repeated : int
        Requests that had to be sent again.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._decoder = Decoder()
        self._tag = 0
        self.repeated = 0

    def check(self) -> None:
        """Make sure that a device is there whose link we understand.

        Raises
        ------
        LinkError
            There is none, or its link has another version.
        """
        version = self.link_word(LinkWord.VERSION)
        if version != LINK_VERSION:
            raise LinkError(f"the device's link has version {version}, not {LINK_VERSION}")

    def link_word(self, word: LinkWord) -> int:
        """Return a word of the link's own area."""
        return self.read_words(Area.LINK.base + 4 * word, 1)[0]

    def read_register(self, offset: int) -> int:
        """Return an accelerator's register."""
        return self.read_words(Area.REGISTERS.base + offset, 1)[0]

    def write_register(self, offset: int, value: int) -> None:
        """Write an accelerator's register."""
        self.write(Area.REGISTERS.base + offset, struct.pack("<I", value))

    def read_words(self, address: int, words: int) -> tuple[int, ...]:
        """Return words as numbers."""
        return struct.unpack(f"<{words}I", self.read(address, 4 * words))

    def read(self, address: int, size: int) -> bytes:
        """Return bytes, a multiple of 4, from an address that is one too."""
        requests = [
            Request(command=Command.READ, tag=0, address=address + at, words=count)
            for at, count in _pieces(size)
        ]
        return b"".join(self._exchange(requests, window=1))

    def write(self, address: int, data: bytes) -> None:
        """Write bytes, a multiple of 4, to an address that is one too."""
        requests = [
            Request(
                command=Command.WRITE,
                tag=0,
                address=address + at,
                words=count,
                data=data[at : at + 4 * count],
            )
            for at, count in _pieces(len(data))
        ]
        self._exchange(requests, window=_WINDOW)

    def _exchange(self, requests: Iterable[Request], window: int) -> list[bytes]:
        """Send requests, some ahead of their answers; return the answers' data in order."""
        waiting = deque(enumerate(requests))
        answers: dict[int, bytes] = {}
        pending: dict[int, tuple[int, Request]] = {}
        attempts = 0
        while waiting or pending:
            while waiting and len(pending) < window:
                number, request = waiting.popleft()
                pending[self._send(request)] = number, request
            found = self._receive(pending)
            if found is None:
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise LinkError(f"no answer after {_ATTEMPTS} attempts")
                self.repeated += len(pending)
                waiting.extendleft(reversed(pending.values()))
                pending.clear()
                continue
            number, request = pending.pop(found.tag)
            answers[number] = _data(request, found)
            attempts = 0
        return [answers[number] for number in sorted(answers)]

    def _send(self, request: Request) -> int:
        """Send a request with a tag of its own; return the tag."""
        self._tag = (self._tag + 1) % 256
        fields = request.__dict__ | {"tag": self._tag}
        self._port.write(Request(**fields).to_bytes())
        return self._tag

    def _receive(self, pending: dict[int, tuple[int, Request]]) -> Reply | None:
        """Return the next answer to a request that is pending; None if nothing comes."""
        while True:
            received = self._port.read(1)
            if not received:
                return None
            for body in self._decoder.feed(received):
                found = reply(body)
                if found is not None and found.tag in pending:
                    return found


def _pieces(size: int) -> list[tuple[int, int]]:
    """Return offset and words of the requests that so many bytes take."""
    if size % 4:
        raise ValueError(f"size must be a multiple of 4, not {size}")
    step = 4 * MOST_WORDS
    return [(at, min(step, size - at) // 4) for at in range(0, size, step)]


def _data(request: Request, found: Reply) -> bytes:
    """Return an answer's data, or raise what is wrong with it."""
    if found.status is not ReplyStatus.OK:
        raise LinkError(
            f"the device refused {request.command.name} of {request.words} words at "
            f"{request.address:#x}: {found.status.name}"
        )
    expected = 4 * request.words if request.command is Command.READ else 0
    if len(found.data) != expected:
        raise LinkError(f"the device sent {len(found.data)} bytes instead of {expected}")
    return found.data
