"""Lattice iCE40 UltraPlus: its cells, and how Project IceStorm's tools are called."""

from collections.abc import Sequence
from typing import Any

from .clocks import make_ice40_clock
from .family import Family
from .tools import ICEPACK, NEXTPNR_ICE40

__all__ = ["FAMILY"]


def _place(platform: Any, clock_hz: int, seed: int) -> Sequence[str]:
    return (
        *("--up5k", "--package", platform.package.lower()),
        *("--json", "top.json", "--pcf", "top.pcf", "--asc", "top.config"),
        *("--report", "report.json", "--freq", f"{clock_hz / 1e6:g}", "--seed", str(seed)),
        "--timing-allow-fail",
    )


FAMILY = Family(
    name="ice40",
    synthesis="synth_ice40 -device u -dsp -spram",
    placer=NEXTPNR_ICE40,
    packer=ICEPACK,
    constraints="pcf",
    place=_place,
    pack=("top.config", "top.bit"),
    make_clock=make_ice40_clock,
    kinds={
        "SB_LUT4": "LUT",
        **{f"SB_DFF{kind}": "FF" for kind in ("", "E", "R", "S", "SR", "SS", "ER", "ES")},
        **{f"SB_DFFE{kind}": "FF" for kind in ("SR", "SS")},
        "SB_MAC16": "DSP",
        "SB_RAM40_4K": "memory",
        "SB_SPRAM256KA": "memory",
    },
    weights={},
    memory_bits={"ICESTORM_RAM": 4_096, "ICESTORM_SPRAM": 262_144},
    models=("ice40/cells_sim.v",),
)
