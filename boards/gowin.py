"""Gowin GW2A: its cells, and how Project Apicula's tools are called."""

from collections.abc import Sequence
from typing import Any

from .family import Family
from .gowin_clock import make_gowin_clock
from .tools import NEXTPNR_GOWIN, PACK_GOWIN

__all__ = ["FAMILY"]

#: What nextpnr and the packer call the chip; the memory in its package changes nothing for them.
_CHIP = "GW2A-18C"


def _place(platform: Any, clock_hz: int, seed: int) -> Sequence[str]:
    return (
        *("--device", platform.part, "--vopt", f"family={_CHIP}", "--vopt", "cst=top.cst"),
        *("--json", "top.json", "--write", "top.config", "--report", "report.json"),
        *("--freq", f"{clock_hz / 1e6:g}", "--seed", str(seed), "--timing-allow-fail"),
    )


FAMILY = Family(
    name="gowin",
    # Yosys has no rule that puts registers into multipliers: products and their registers are
    # replaced before it maps anything. The multiplexers that join LUTs would cost more than they
    # save, for many of them are fed constants by LUTs of their own.
    synthesis=(
        "proc; flatten; opt_clean; extract -map products_gowin.v; "
        "techmap -map multipliers_gowin.v; synth_gowin -family gw2a -nowidelut"
    ),
    maps=("products_gowin.v", "multipliers_gowin.v"),
    placer=NEXTPNR_GOWIN,
    packer=PACK_GOWIN,
    constraints="cst",
    place=_place,
    pack=("-d", _CHIP, "-o", "top.fs", "--sspi_as_gpio", "--mspi_as_gpio", "top.config"),
    bitstream="top.fs",
    make_clock=make_gowin_clock,
    kinds={
        **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "ALU", "RAM16SDP4"), "LUT"),
        **{f"DFF{kind}{enable}": "FF" for kind in ("", "S", "R", "P", "C") for enable in ("", "E")},
        **dict.fromkeys(("MULT9X9", "MULT18X18"), "DSP"),
        **dict.fromkeys(("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B"), "memory"),
    },
    # Multipliers count as 9x9. A distributed memory of 16 words of 4 bits takes a block of eight
    # LUTs, whose six flip-flops nothing else can use then; nextpnr counts those too, we do not.
    weights={"MULT18X18": 2, "RAM16SDP4": 8},
    memory_bits={"BSRAM": 18_432},
    models=(),
    # Project Apicula's database (0.32) has delays of LUTs, carries, flip-flops, memories and wires.
    untimed="multipliers",
)
