"""Gowin GW2A: its cells, and how Project Apicula's tools are called."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .family import Family
from .flat_module import FlatModule
from .gowin_clock import make_gowin_clock
from .netlist import count_alone
from .tools import NEXTPNR_GOWIN, PACK_GOWIN

__all__ = ["FAMILY"]

#: What nextpnr and the packer call the chip; the memory in its package changes nothing for them.
_CHIP = "GW2A-18C"


def _place(platform: Any, clock_hz: int, seed: int) -> Sequence[str]:
    return (
        *("--device", platform.part, "--vopt", f"family={_CHIP}", "--vopt", "cst=top.cst"),
        *("--json", "top.json", "--write", "top.config", "--report", "report.json"),
        *("--freq", f"{clock_hz / 1e6:g}", "--seed", str(seed), "--timing-allow-fail"),
        # Spread wider than by default, which shortens the placer's first rounds: few flip-flops may
        # lie together, for they share enables.
        *("--placer-heap-beta", "0.5"),
    )


_LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "ALU")
_FLIP_FLOPS = tuple(f"DFF{k}{enable}" for k in ("", "S", "R", "P", "C") for enable in ("", "E"))

#: What a GW2A-18 has, and what a distributed memory takes of it. A flip-flop takes its data from
#: the LUT, or carry, beside it: where neither gives them, nextpnr makes a LUT that passes them on.
_HAS = {"LUTs": 20_736, "flip-flops": 15_552}
_MEMORY_TAKES = {"LUTs": 8, "flip-flops": 6}


def _shortage(module: FlatModule) -> str:
    """Count with what distributed memories take as a whole, and flip-flops without logic."""
    types = Counter(cell["type"] for cell in module.cells.values())
    needs = {}
    for name, kinds in (("LUTs", _LUTS), ("flip-flops", _FLIP_FLOPS)):
        own = sum(types[kind] for kind in kinds)
        needs[name] = own + _MEMORY_TAKES[name] * types["RAM16SDP4"]
    needs["LUTs"] += count_alone(module, _FLIP_FLOPS, _LUTS)
    return " and ".join(
        f"{needs[name]:,} {name} of {has:,}" for name, has in _HAS.items() if needs[name] > has
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
        **dict.fromkeys((*_LUTS, "RAM16SDP4"), "LUT"),
        **dict.fromkeys(_FLIP_FLOPS, "FF"),
        **dict.fromkeys(("MULT9X9", "MULT18X18"), "DSP"),
        **dict.fromkeys(("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B"), "memory"),
    },
    # Multipliers count as 9x9. A distributed memory of 16 words of 4 bits takes a block of eight
    # LUTs, whose six flip-flops nothing else can use then; nextpnr counts those too, we do not.
    weights={"MULT18X18": 2, "RAM16SDP4": _MEMORY_TAKES["LUTs"]},
    shortage=_shortage,
    memory_bits={"BSRAM": 18_432},
    models=(),
    # Project Apicula's database (0.32) has delays of LUTs, carries, flip-flops, memories and wires.
    untimed="multipliers",
)
