"""Frames of the host link: bytes between flags, a CRC at the end, words in between.

A frame begins and ends with :data:`FLAG`, which occurs nowhere inside: there, FLAG and
:data:`ESCAPE` are written as ESCAPE and the byte with bit 5 flipped, so that a receiver finds the
next frame whatever came before it. The last four bytes are the CRC-32 of the others (IEEE 802.3),
little-endian like everything else.

    request   command  tag  address (4)  words (2)  data (4 per word, WRITE only)  CRC (4)
    response  status   tag                          data (4 per word, READ only)   CRC (4)

A request is carried out when it is complete and its CRC is right; anything else is counted and
otherwise ignored. A response carries its request's tag.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ESCAPE",
    "FLAG",
    "LINK_VERSION",
    "MOST_WORDS",
    "Area",
    "Command",
    "Decoder",
    "LinkWord",
    "Reply",
    "ReplyStatus",
    "Request",
    "reply",
    "stuff",
]

#: Changes with every incompatible change of this page.
LINK_VERSION = 1

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20

#: Words that one request moves at most; the device keeps as many until their CRC has come.
MOST_WORDS = 256

#: Bytes of a CRC, and of what comes before the data.
CRC_BYTES, HEADER_BYTES, REPLY_HEADER_BYTES = 4, 8, 2

_HEADER = struct.Struct("<BBIH")


class Command(IntEnum):
    """What a request asks for."""

    READ = 1
    WRITE = 2


class ReplyStatus(IntEnum):
    """What became of it."""

    OK = 0
    #: No such command, or a number of words that the request may not have.
    BAD_REQUEST = 1
    #: Words that do not lie in one area.
    BAD_ADDRESS = 2


class Area(IntEnum):
    """What addresses mean, by their two highest bits."""

    MEMORY = 0
    REGISTERS = 2
    LINK = 3

    @property
    def base(self) -> int:
        """Byte address of the area."""
        return self << 30


class LinkWord(IntEnum):
    """Words of the link's own area, by index.

    Counts of frames are modulo 4,096 beside a serial machine, and modulo 2**32 beside others.
    """

    VERSION = 0
    #: Bytes of the memory.
    MEMORY_BYTES = 1
    #: Cycles per second of the machine.
    CLOCK_HZ = 2
    #: Frames that were complete and right.
    GOOD_FRAMES = 3
    #: Frames that were damaged.
    DAMAGED_FRAMES = 4
    #: Frames that came while another was being carried out, and were dropped.
    OVERRUNS = 5


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a host asks for.

    Parameters
    ----------
    command : Command
        What to do.
    tag : int
        0…255; comes back.
    address : int
        Byte address of the first word, a multiple of 4.
    words : int
        1…:data:`MOST_WORDS`.
    data : bytes
        Four per word for WRITE, else none.
    """

    command: Command
    tag: int
    address: int
    words: int
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the frame, flags included."""
        return stuff(_HEADER.pack(self.command, self.tag, self.address, self.words) + self.data)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the device answers: status, tag and the words that were read, as bytes."""

    status: ReplyStatus
    tag: int
    data: bytes = b""


def stuff(body: bytes) -> bytes:
    """Return a body as a frame: with its CRC, escapes and flags."""
    whole = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    whole = whole.replace(bytes([ESCAPE]), bytes([ESCAPE, ESCAPE ^ FLIP]))
    whole = whole.replace(bytes([FLAG]), bytes([ESCAPE, FLAG ^ FLIP]))
    return bytes([FLAG]) + whole + bytes([FLAG])


class Decoder:
    """Finds bodies in a stream of bytes, whatever else is in it.

    Attributes
    ----------
    damaged : int
        Frames so far whose CRC was wrong, or that were too short to have one.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._frame = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Take bytes and yield the bodies that they complete, without CRC."""
        for byte in received:
            if byte != FLAG:
                # A frame that nothing ends is garbage; it need not fill the host's memory.
                if len(self._frame) <= 8 * MOST_WORDS + 64:
                    self._frame.append(byte)
                continue
            frame, self._frame = bytes(self._frame), bytearray()
            body = _checked(frame)
            if body is not None:
                yield body
            elif frame:
                self.damaged += 1


def _checked(frame: bytes) -> bytes | None:
    """Return what is between flags without escapes and CRC; None if it is damaged."""
    plain, escaped = bytearray(), False
    for byte in frame:
        if byte == ESCAPE and not escaped:
            escaped = True
            continue
        plain.append(byte ^ FLIP if escaped else byte)
        escaped = False
    body, crc = bytes(plain[:-CRC_BYTES]), bytes(plain[-CRC_BYTES:])
    right = zlib.crc32(body).to_bytes(CRC_BYTES, "little") == crc
    return body if body and right and not escaped else None


def reply(body: bytes) -> Reply | None:
    """Return the answer that a body holds; None if it is none."""
    known = body[:1] in [bytes([status]) for status in ReplyStatus]
    if len(body) < REPLY_HEADER_BYTES or not known:
        return None
    return Reply(status=ReplyStatus(body[0]), tag=body[1], data=body[REPLY_HEADER_BYTES:])
