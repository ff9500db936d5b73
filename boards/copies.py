"""Copies of an ECP5's registers and tables that lead to more cells than lie near each other."""

import re
from collections.abc import Callable, Sequence
from itertools import accumulate

from .flat_module import FlatModule, Pin

__all__ = [
    "COPIES",
    "GROUP",
    "LANES",
    "MOST_COPIES",
    "MOST_LANES",
    "MOST_READERS",
    "copy_driver",
    "copy_drivers",
]

#: Inputs that a net may lead to before its driver is copied, and those that each copy leads to; an
#: input of a memory, which lies in one of few columns of the chip, counts as several.
MOST_READERS, GROUP = 28, 20
_MEMORY, _MEMORY_INPUTS = "DP16KD", 5

#: Likewise lanes, or columns, that a net may lead to, and those of each copy.
MOST_LANES, LANES = 8, 4

#: Likewise copies that a register may lead to: they lie wherever what they lead to does.
MOST_COPIES, COPIES = 12, 6

#: By what readers are sorted.
_Order = tuple[int, list[tuple[bool, int, str]]]

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

    def weight(pin: Pin) -> int:
        return _MEMORY_INPUTS if module.cells[pin.cell]["type"] == _MEMORY else 1

    def name(pin: Pin) -> str:
        held = module.cells[pin.cell]["connections"].get("Q", [pin.cell])[0]
        return labels.get(held, pin.cell)

    def copies(net: int) -> int:
        readers = module.readers[net]
        whole = sum(map(weight, readers))
        lanes = len({_lane(name(pin)) for pin in readers})
        enough = -(-whole // GROUP) if whole > MOST_READERS and len(readers) > 1 else 1
        return max(enough, -(-lanes // LANES) if lanes > MOST_LANES else 1)

    # What a copy's table reads has more readers than before: once more, until that is enough.
    while _copy_once(module, copies, lambda pin: _order(name(pin)), weight):
        pass


def _copy_once(
    module: FlatModule,
    copies: Callable[[int], int],
    order: Callable[[Pin], _Order],
    weight: Callable[[Pin], int],
) -> bool:
    """Copy what drives too many inputs; return whether anything does."""
    copied: set[str] = set()
    nets = [net for net in module.readers if module.kind(net) in _COPIED]
    wide = {net: number for net in nets if (number := copies(net)) > 1}
    weights = {net: sum(map(weight, module.readers[net])) for net in wide}
    for net, number in sorted(wide.items(), key=lambda item: -weights[item[0]]):
        readers = sorted(module.readers[net], key=order)
        copied |= _share(module, net, readers, [weight(pin) for pin in readers], number)
    for net in list(module.readers):
        readers = [pin for pin in module.readers[net] if pin.cell in copied]
        if len(readers) > MOST_COPIES and module.kind(net) == "TRELLIS_FF":
            _share(module, net, readers, [1] * len(readers), -(-len(readers) // COPIES))
    return bool(copied)


def _share(
    module: FlatModule, net: int, readers: Sequence[Pin], weights: Sequence[int], number: int
) -> set[str]:
    """Divide readers among a driver and its copies, evenly and in their order; name the copies."""
    groups: dict[int, list[Pin]] = {}
    whole = sum(weights)
    for pin, until in zip(readers, accumulate(weights), strict=True):
        groups.setdefault((until * number - 1) // whole, []).append(pin)
    copied = set()
    for group in list(groups.values())[1:]:
        to = copy_driver(module, net)
        copied.add(module.drivers[to].cell)
        for pin in group:
            module.move(pin, to)
    return copied


def _order(name: str) -> _Order:
    """Sort by lane, then by the rest of a name; numbers as numbers."""
    parts = re.split(r"(\d+)", name)
    return _lane(name), [
        (part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts
    ]


def _lane(name: str) -> int:
    """Return the column or lane that a name tells of, as ``column_3`` or ``.rounded_3[7]`` do."""
    block = re.search(r"column_(\d+)|\.[a-z_]+?_(\d+)[^.]*$", name)
    return int(block[1] or block[2]) if block else -1


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
