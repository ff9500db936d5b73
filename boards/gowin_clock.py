"""Phase-locked loop of Gowin's GW2A."""

from amaranth import Const, Instance, Module
from amaranth.lib import io

from .clocks import make_domain
from .loops import LoopLimits

__all__ = ["GOWIN_LOOPS", "make_gowin_clock"]

#: What the rPLL with internal feedback allows at speed C8/I7, as Project Apicula's gowin_pll has it
#: from the data sheet.
GOWIN_LOOPS = LoopLimits(
    vco_hz=(500_000_000, 1_250_000_000),
    detector_hz=(3_000_000, 500_000_000),
    dividers=range(1, 65),
    output_dividers=(2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128),
)


def make_gowin_clock(m: Module, pad: io.PortLike, input_hz: int, output_hz: int) -> None:
    """Add the domain ``sync`` to a module; it is reset until the loop has locked."""
    m.submodules.oscillator = oscillator = io.Buffer("i", pad)
    clock, locked = make_domain(m)
    loop = GOWIN_LOOPS.loop(input_hz, output_hz)
    m.submodules.loop = Instance(
        "rPLL",
        p_DEVICE="GW2A-18C",
        p_FCLKIN=f"{input_hz / 1e6:g}",
        p_IDIV_SEL=loop.input_divider - 1,
        p_FBDIV_SEL=loop.feedback_divider - 1,
        p_ODIV_SEL=loop.output_divider,
        i_CLKIN=oscillator.i,
        i_CLKFB=0,
        i_RESET=0,
        i_RESET_P=0,
        i_FBDSEL=Const(0, 6),
        i_IDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6),
        i_PSDA=Const(0, 4),
        i_DUTYDA=Const(0, 4),
        i_FDLY=Const(0, 4),
        o_CLKOUT=clock,
        o_LOCK=locked,
    )
