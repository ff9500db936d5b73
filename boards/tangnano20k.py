"""Tang Nano 20K with a GW2AR-18: 20,736 LUTs, 96 multipliers 9x9, 46 block RAMs."""

from .board import Board

__all__ = ["board"]


def _platform():
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth.vendor import GowinPlatform
    from amaranth_boards.resources import LEDResources, UARTResource

    levels = Attrs(IO_TYPE="LVCMOS33")

    class TangNano20kPlatform(GowinPlatform):
        # Pins as in LiteX-Boards' sipeed_tang_nano_20k.py.
        part = "GW2AR-LV18QN88C8/I7"
        family = "GW2AR-18C"
        default_clk = "clk27"
        resources = (
            Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), levels),
            *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=levels),
            UARTResource(0, rx="70", tx="69", attrs=levels),
        )
        connectors = ()

    return TangNano20kPlatform()


def board() -> Board:
    """Return the board."""
    return Board(
        name="tangnano20k",
        title="Tang Nano 20K, Gowin GW2AR-18",
        family="gowin",
        platform=_platform,
        oscillator="clk27",
        oscillator_hz=27_000_000,
        clock_hz=60_000_000,
        baud=1_000_000,
        memory_bytes=32_768,
        loader="openFPGALoader -b tangnano20k {}",
    )
