"""Phase-locked loop of Gowin's GW2A."""

from dataclasses import dataclass

from amaranth import Const, Instance, Module
from amaranth.lib import io

from .board import BoardError
from .clocks import make_domain, within

__all__ = ["GowinLoop", "gowin_loop", "make_gowin_clock"]

#: Limits at speed C8/I7, as Project Apicula's gowin_pll has them from the data sheet.
_VCO_HZ = 500_000_000, 1_250_000_000
_DETECTOR_HZ = 3_000_000, 500_000_000

#: Dividers: those in front of the phase detector, and those behind the oscillator.
_DIVIDERS = range(1, 65)
_OUTPUT_DIVIDERS = 2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128


@dataclass(frozen=True, kw_only=True)
class GowinLoop:
    """Dividers of an rPLL with internal feedback."""

    input_divider: int
    feedback_divider: int
    output_divider: int


def gowin_loop(input_hz: int, output_hz: int) -> GowinLoop:
    """Return dividers that give exactly a frequency.

    Raises
    ------
    BoardError
        There are none.
    """
    for input_divider in _DIVIDERS:
        feedback, rest = divmod(output_hz * input_divider, input_hz)
        detector = input_hz / input_divider
        if rest or feedback not in _DIVIDERS or not within(detector, _DETECTOR_HZ):
            continue
        for output_divider in _OUTPUT_DIVIDERS:
            if within(output_hz * output_divider, _VCO_HZ):
                return GowinLoop(
                    input_divider=input_divider,
                    feedback_divider=feedback,
                    output_divider=output_divider,
                )
    raise BoardError(f"no dividers make {output_hz} Hz from {input_hz} Hz")


def make_gowin_clock(m: Module, pad: io.PortLike, input_hz: int, output_hz: int) -> None:
    """Add the domain ``sync`` to a module; it is reset until the loop has locked."""
    m.submodules.oscillator = oscillator = io.Buffer("i", pad)
    clock, locked = make_domain(m)
    loop = gowin_loop(input_hz, output_hz)
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
