"""Lattice iCE40 UltraPlus: its cells, and how Project IceStorm's tools are called."""

from collections.abc import Sequence
from typing import Any

from .clocks import make_ice40_clock
from .family import Family
from .tools import NEXTPNR_ICE40, PACK_ICE40

__all__ = ["FAMILY"]

#: Names that nextpnr gives to what Amaranth's platform names otherwise.
_DEVICES = {"iCE40UP5K": "up5k"}


#: The placer is asked for more than the clock: it stops where it believes to have enough.
_MORE = 1.1


def _place(platform: Any, clock_hz: int, seed: int) -> Sequence[str]:
    return (
        *(f"--{_DEVICES[platform.device]}", "--package", platform.package.lower()),
        *("--json", "top.json", "--pcf", "top.pcf", "--asc", "top.config"),
        *("--report", "report.json", "--freq", f"{_MORE * clock_hz / 1e6:g}"),
        # On a chip as full as the iCE40UP5K is with us, the default router takes ten times as long,
        # and what went far around the first time is worth another try.
        *("--seed", str(seed), "--router", "router2", "--tmg-ripup", "--timing-allow-fail"),
    )


#: Flip-flops: with or without enable, and with each kind of reset.
_FLIP_FLOPS = (
    *("SB_DFF", "SB_DFFE", "SB_DFFSR", "SB_DFFESR", "SB_DFFSS", "SB_DFFESS"),
    *("SB_DFFR", "SB_DFFER", "SB_DFFS", "SB_DFFES"),
)

FAMILY = Family(
    name="ice40",
    # Multipliers only where a block asks for one: of sums of products, Yosys 0.70 with -dsp makes
    # multipliers that leave an addend out, which the comparison of netlists found.
    # Eight cells share an enable: with few flip-flops for each there is less choice for placement.
    synthesis="synth_ice40 -device u -spram -dffe_min_ce_use 4",
    placer=NEXTPNR_ICE40,
    packer=PACK_ICE40,
    constraints="pcf",
    place=_place,
    pack=("top.config", "top.bit"),
    bitstream="top.bit",
    make_clock=make_ice40_clock,
    kinds={
        "SB_LUT4": "LUT",
        **dict.fromkeys(_FLIP_FLOPS, "FF"),
        "SB_MAC16": "DSP",
        "SB_RAM40_4K": "memory",
        "SB_SPRAM256KA": "memory",
    },
    weights={},
    memory_bits={"ICESTORM_RAM": 4_096, "ICESTORM_SPRAM": 262_144},
    models=("ice40/cells_sim.v",),
)
