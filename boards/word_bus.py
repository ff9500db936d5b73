"""The bus between the host link and what it reaches: one 32-bit word at a time."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WORD_BITS", "word_bus_signature"]

WORD_BITS = 32

#: Bits of a word's address within an area.
_ADDRESS_BITS = 28


def word_bus_signature() -> wiring.Signature:
    """Return a bus as its manager sees it.

    An access takes place in the cycle with ``valid`` and ``ready``; until then nothing changes. A
    read's data are there in that cycle.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "ready": In(1),
            "write": Out(1),
            "addr": Out(_ADDRESS_BITS),
            "write_data": Out(WORD_BITS),
            "read_data": In(WORD_BITS),
        }
    )
