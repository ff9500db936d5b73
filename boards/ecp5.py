"""Lattice ECP5: its cells, and how Project Trellis' tools are called."""

from collections.abc import Sequence
from typing import Any

from .clocks import make_ecp5_clock
from .copies import copy_drivers
from .family import Family
from .global_nets import reset_globally
from .lut_entries import enter_by_luts
from .output_registers import use_output_registers
from .resets_first import place_resets_first
from .router_settings import set_router
from .tools import NEXTPNR_ECP5, PACK_ECP5

__all__ = ["FAMILY"]

#: Names that nextpnr gives to what Amaranth's platform names otherwise.
_DEVICES = {"LFE5U-12F": "12k", "LFE5U-25F": "25k", "LFE5U-45F": "45k", "LFE5U-85F": "85k"}
_PACKAGES = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381"}


#: Yosys' own commands for this chip, but that a wire counts for 1 ns instead of 0.3: where a path
#: leads through many tables, fewer of them are worth more than fewer tables in all.
_SYNTHESIS = (
    "synth_ecp5 -run begin:map_luts; check -latchonly -assert; "
    "techmap -map +/lattice/latches_map.v; abc9 -W 1000; clean; synth_ecp5 -run map_cells:"
)

#: The router is asked for a little more than the clock: it does not know yet how many ways begin at
#: each wire, which makes them slower. Of one placement, 100.0, 100.4 and 100.7 MHz gave 99.9, 99.6
#: and 101.4. ``--freq`` would not do: it counts for no clock that comes from a loop.
_MORE = 1.007


def _aim(clock_hz: int) -> str:
    return f'\nFREQUENCY NET "clk" {_MORE * clock_hz:.0f} HZ;\n'


def _place(platform: Any, clock_hz: int, seed: int) -> Sequence[str]:
    return (
        f"--{_DEVICES[platform.device]}",
        *("--package", _PACKAGES[platform.package], "--speed", platform.speed),
        *("--json", "top.json", "--lpf", "top.lpf", "--textcfg", "top.config"),
        *("--report", "report.json", "--freq", f"{clock_hz / 1e6:g}", "--seed", str(seed)),
        # Cells are placed by a guess of the wires; what turns out to be late is routed anew, until
        # nothing is.
        *("--router", "router2", "--tmg-ripup", "--timing-allow-fail"),
        # Of half a chip: the static placer leaves twice as many wires that two nets want, for a
        # clock a sixth slower, and the other router takes hours. A cell that finds no place at once
        # may look on.
        *("--placer", "heap", "--placer-heap-cell-placement-timeout", "0"),
        # Cells lie less densely than they could: wires run out before places do.
        *("--placer-heap-beta", "0.8"),
        # Late nets count for more than others, and only the latest ones.
        *("--placer-heap-timingweight", "25", "--placer-heap-critexp", "3"),
    )


FAMILY = Family(
    name="ecp5",
    synthesis=_SYNTHESIS,
    placer=NEXTPNR_ECP5,
    packer=PACK_ECP5,
    constraints="lpf",
    aim=_aim,
    place=_place,
    pack=("--compress", "--input", "top.config", "--bit", "top.bit"),
    bitstream="top.bit",
    make_clock=make_ecp5_clock,
    kinds={
        "LUT4": "LUT",
        "CCU2C": "LUT",
        "TRELLIS_DPR16X4": "LUT",
        "TRELLIS_FF": "FF",
        "MULT18X18D": "DSP",
        "DP16KD": "memory",
    },
    # Two LUTs make a carry cell, six a distributed memory of 16 words of 4 bits.
    weights={"CCU2C": 2, "TRELLIS_DPR16X4": 6},
    memory_bits={"DP16KD": 16_384},
    models=("lattice/common_sim.vh", "lattice/ccu2c_sim.vh"),
    our_models=("models_ecp5.v",),
    finish=(
        reset_globally,
        use_output_registers,
        copy_drivers,
        enter_by_luts,
        place_resets_first,
        set_router,
    ),
)
