"""Whether a request of the host can be carried out."""

from collections.abc import Mapping

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data

from .frames import MOST_WORDS, Area, Command, ReplyStatus

__all__ = ["ADDRESS", "judge_request"]

#: An address as the two parts that it has: an area, and a byte in it.
ADDRESS = data.StructLayout({"byte": 30, "area": 2})

#: Bits of a number of words that is not too large.
_AMOUNT_BITS = MOST_WORDS.bit_length()


def judge_request(m: Module, request: data.View, sizes: Mapping[Area, int]) -> Value:
    """Return what becomes of a request, as a :class:`.ReplyStatus`.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    request : View
        As :class:`.FrameReceiver` gives it.
    sizes : mapping from Area to int
        Bytes of each area.

    Returns
    -------
    Value
        Two bits; a cycle late, which requests wait for.
    """
    address = data.View(ADDRESS, request.address)
    size = Signal(range(max(sizes.values()) + 1))
    end = Signal(len(size) + 1, reset_less=True)
    near, fits = Signal(reset_less=True), Signal(reset_less=True)
    m.d.sync += size.eq(0)
    with m.Switch(address.area):
        for area, area_bytes in sizes.items():
            with m.Case(area):
                m.d.sync += size.eq(area_bytes)
    writes = request.command == Command.WRITE
    known = writes | (request.command == Command.READ)
    writable = ~writes | (address.area != Area.LINK)
    aligned = address.byte[:2] == 0
    amount = (request.words != 0) & (request.words <= MOST_WORDS)
    given = request.data_bytes == Mux(writes, request.words << 2, 0)
    m.d.sync += [
        end.eq(address.byte[: len(size)] + (request.words[:_AMOUNT_BITS] << 2)),
        near.eq(~address.byte[len(size) :].any() & aligned & writable),
        fits.eq(known & amount & given),
    ]
    place = Mux(near & (end <= size), ReplyStatus.OK, ReplyStatus.BAD_ADDRESS)
    return Mux(fits, place, ReplyStatus.BAD_REQUEST)
