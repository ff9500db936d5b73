"""Copies of an ECP5's registers and tables that lead to more cells than lie near each other."""

import re
from collections.abc import Iterable
from itertools import pairwise

from .flat_module import FlatModule, Pin

__all__ = ["GROUP", "MOST_READERS", "copy_driver", "copy_drivers"]

#: Inputs that a net may lead to before its driver is copied, and those that each copy leads to; an
#: input of a memory, which lies in one of few columns of the chip, counts as several.
MOST_READERS, GROUP = 28, 20
_MEMORY, _MEMORY_INPUTS = "DP16KD", 5

_COPIED = ("TRELLIS_FF", "LUT4", "PFUMX")

#: Inputs that a table leads to beside the cell: its copy goes with it. PFUMX makes one table of
#: five inputs out of two.
_BESIDE = {"TRELLIS_FF": ("DI",), "PFUMX": ("ALUT", "BLUT")}


def copy_drivers(module: FlatModule) -> None:
    """Give a register or table that leads to very many cells copies, each for some of them.

    What all lanes or columns read lies far from most of them, and so its net is among the slowest
    ones. With copies, which read the same, only the wires to the copies are long. Which cells
    share one follows from names: those of a lane lie near each other.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    labels = module.labels()

    def weight(pins: Iterable[Pin]) -> int:
        kinds = (module.cells[pin.cell]["type"] for pin in pins)
        return sum(_MEMORY_INPUTS if kind == _MEMORY else 1 for kind in kinds)

    def order(pin: Pin) -> list[tuple[bool, int, str]]:
        """Sort by the name of what a register holds, or of a table; numbers as numbers."""
        held = module.cells[pin.cell]["connections"].get("Q", [pin.cell])[0]
        parts = re.split(r"(\d+)", labels.get(held, pin.cell))
        return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]

    copied_nets = (net for net in module.readers if module.kind(net) in _COPIED)
    weights = {net: weight(module.readers[net]) for net in copied_nets}
    wide = [net for net in weights if weights[net] > MOST_READERS]
    for net in sorted(wide, key=lambda net: -weights[net]):
        readers = sorted(module.readers[net], key=order)
        groups = min(-(-weight(readers) // GROUP), len(readers))
        bounds = [number * len(readers) // groups for number in range(1, groups + 1)]
        for first, end in pairwise(bounds):
            copied = copy_driver(module, net)
            for pin in readers[first:end]:
                module.move(pin, copied)


def copy_driver(module: FlatModule, net: int) -> int:
    """Copy what drives a net, and the table in front of it if there is one; return the new net."""
    copied = module.copy(net)
    name = module.drivers[copied].cell
    for port in _BESIDE.get(module.kind(net), ()):
        data = Pin(name, port, 0)
        before = module.cells[name]["connections"].get(port, ["0"])[0]
        if module.kind(before) in ("LUT4", "PFUMX"):
            module.move(data, copy_driver(module, before))
    return copied
