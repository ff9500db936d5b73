"""AXI4 and AXI4-Lite as streams, one per channel, and bursts as the blocks inside see them."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.reach import ADDRESS_BITS

__all__ = [
    "LITE_ADDRESS_BITS",
    "LITE_DATA_BITS",
    "OUTSTANDING",
    "address_layout",
    "axi4_signature",
    "axi_lite_signature",
    "beat_layout",
    "burst_layout",
    "read_layout",
    "response_layout",
    "strobed_layout",
    "write_data_layout",
]

#: Bursts in flight, for reads and for writes.
OUTSTANDING = 16

#: Bits of a register's byte address, and of a register.
LITE_ADDRESS_BITS = 7
LITE_DATA_BITS = 32

#: Bits of a response; the upper one is set for SLVERR and DECERR.
_RESPONSE_BITS = 2


def burst_layout(config: Config) -> data.StructLayout:
    """Return a burst: address of its first byte, number of beats."""
    return data.StructLayout({"addr": ADDRESS_BITS, "beats": range(config.burst_beats + 1)})


def beat_layout(config: Config) -> data.StructLayout:
    """Return a beat that was read, and whether the bus reported an error for it."""
    return data.StructLayout({"data": 8 * config.bus_bytes, "error": 1})


def strobed_layout(config: Config) -> data.StructLayout:
    """Return a beat to write, with one strobe per byte."""
    return data.StructLayout({"data": 8 * config.bus_bytes, "strobe": config.bus_bytes})


def address_layout() -> data.StructLayout:
    """Return the part of the AR and AW channels that is not constant."""
    return data.StructLayout({"addr": ADDRESS_BITS, "len": 8})


def read_layout(config: Config) -> data.StructLayout:
    """Return the R channel; the identifier is constant."""
    return data.StructLayout({"data": 8 * config.bus_bytes, "resp": _RESPONSE_BITS, "last": 1})


def write_data_layout(config: Config) -> data.StructLayout:
    """Return the W channel."""
    return data.StructLayout({"data": 8 * config.bus_bytes, "strb": config.bus_bytes, "last": 1})


def response_layout() -> data.StructLayout:
    """Return the B channel; the identifier is constant."""
    return data.StructLayout({"resp": _RESPONSE_BITS})


def axi4_signature(config: Config) -> wiring.Signature:
    """Return the memory port as its manager sees it: incrementing bursts of full beats."""
    return wiring.Signature(
        {
            "ar": Out(stream.Signature(address_layout())),
            "r": In(stream.Signature(read_layout(config))),
            "aw": Out(stream.Signature(address_layout())),
            "w": Out(stream.Signature(write_data_layout(config))),
            "b": In(stream.Signature(response_layout())),
        }
    )


def axi_lite_signature() -> wiring.Signature:
    """Return the register port as its manager sees it."""
    addr = data.StructLayout({"addr": LITE_ADDRESS_BITS})
    word = data.StructLayout({"data": LITE_DATA_BITS, "strb": LITE_DATA_BITS // 8})
    read = data.StructLayout({"data": LITE_DATA_BITS, "resp": _RESPONSE_BITS})
    return wiring.Signature(
        {
            "ar": Out(stream.Signature(addr)),
            "r": In(stream.Signature(read)),
            "aw": Out(stream.Signature(addr)),
            "w": Out(stream.Signature(word)),
            "b": In(stream.Signature(response_layout())),
        }
    )
