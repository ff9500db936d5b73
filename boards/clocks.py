"""Phase-locked loops: the machine's clock from a board's oscillator."""

from dataclasses import dataclass

from amaranth import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

from .board import BoardError
from .loops import LoopLimits, within

__all__ = [
    "ECP5_LOOPS",
    "Ice40Loop",
    "ice40_loop",
    "make_domain",
    "make_ecp5_clock",
    "make_ice40_clock",
]

#: What the ECP5's EHXPLLL allows with its first output as its feedback, as Project Trellis' ecppll
#: has it.
ECP5_LOOPS = LoopLimits(
    vco_hz=(400_000_000, 800_000_000),
    detector_hz=(3_125_000, 400_000_000),
    dividers=range(1, 129),
    output_dividers=range(128, 0, -1),
)

#: Limits of the iCE40's loop in hertz, and the detector's frequencies from which on each filter is
#: meant, as Project IceStorm's icepll has them.
_ICE40_VCO_HZ = 533_000_000, 1_066_000_000
_ICE40_DETECTOR_HZ = 10_000_000, 133_000_000
_ICE40_FILTER_HZ = 0, 17_000_000, 26_000_000, 44_000_000, 66_000_000, 101_000_000


def make_domain(m: Module) -> tuple[Signal, Signal]:
    """Add the domain ``sync``; return its clock and what lets it run."""
    m.domains.sync = ClockDomain("sync")
    locked, clock = Signal(), Signal()
    m.d.comb += ClockSignal("sync").eq(clock)
    m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
    return clock, locked


def make_ecp5_clock(m: Module, pad: io.PortLike, input_hz: int, output_hz: int) -> None:
    """Add the domain ``sync`` to a module; its clock stands until the loop has locked.

    Registers have their first values from the bitstream, so that it needs no reset: a net that
    would go to half of the chip.
    """
    m.submodules.oscillator = oscillator = io.Buffer("i", pad)
    m.domains.loop = ClockDomain("loop", reset_less=True, local=True)
    m.domains.sync = ClockDomain("sync", reset_less=True)
    locked, runs, clock = Signal(), Signal(), ClockSignal("loop")
    m.submodules.locked = FFSynchronizer(locked, runs, o_domain="loop")
    m.submodules.gate = Instance("DCCA", i_CLKI=clock, i_CE=runs, o_CLKO=ClockSignal("sync"))
    loop = ECP5_LOOPS.loop(input_hz, output_hz)
    m.submodules.loop = Instance(
        "EHXPLLL",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=loop.output_divider,
        p_CLKOP_CPHASE=loop.output_divider - 1,
        p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=loop.input_divider,
        p_CLKFB_DIV=loop.feedback_divider,
        a_FREQUENCY_PIN_CLKI=f"{input_hz / 1e6:g}",
        a_FREQUENCY_PIN_CLKOP=f"{output_hz / 1e6:g}",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        i_RST=0,
        i_STDBY=0,
        i_CLKI=oscillator.i,
        i_CLKFB=clock,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=1,
        i_PHASESTEP=1,
        i_PHASELOADREG=1,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
        o_CLKOP=clock,
        o_LOCK=locked,
    )


@dataclass(frozen=True, kw_only=True)
class Ice40Loop:
    """Dividers of an SB_PLL40_PAD with simple feedback, each as its field has it."""

    reference: int
    feedback: int
    output: int
    filter: int


def ice40_loop(input_hz: int, output_hz: int) -> Ice40Loop:
    """Return dividers that give exactly a frequency.

    Raises
    ------
    BoardError
        There are none.
    """
    for reference in range(16):
        detector = input_hz / (reference + 1)
        if not within(detector, _ICE40_DETECTOR_HZ):
            continue
        for output in range(1, 7):
            vco = output_hz << output
            feedback, rest = divmod(vco * (reference + 1), input_hz)
            if rest or not 1 <= feedback <= 128 or not within(vco, _ICE40_VCO_HZ):
                continue
            chosen = sum(detector >= least for least in _ICE40_FILTER_HZ)
            return Ice40Loop(
                reference=reference, feedback=feedback - 1, output=output, filter=chosen
            )
    raise BoardError(f"no dividers make {output_hz} Hz from {input_hz} Hz")


def make_ice40_clock(m: Module, pad: io.PortLike, input_hz: int, output_hz: int) -> None:
    """Add the domain ``sync`` to a module; it is reset until the loop has locked.

    The loop sits at the pad and takes it as a whole: there is no buffer between.
    """
    clock, locked = make_domain(m)
    loop = ice40_loop(input_hz, output_hz)
    m.submodules.loop = Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(loop.reference, 4),
        p_DIVF=Const(loop.feedback, 7),
        p_DIVQ=Const(loop.output, 3),
        p_FILTER_RANGE=Const(loop.filter, 3),
        i_PACKAGEPIN=pad.io,
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
    )
