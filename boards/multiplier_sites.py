"""Places of an LFE5U-85F's multipliers: those of a column beside each other, its lane's next."""

import re

from .flat_module import FlatModule

__all__ = ["SITES", "place_multipliers"]

#: Rows of the chip's tiles with multipliers, and where in them a group of four begins.
_ROWS = (10, 34, 58)
_GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)

#: Tiles of a group in which one is, and at the same time what nextpnr numbers it by.
_OFFSETS = (0, 1, 4, 5)

_ROW = [(group + offset, offset) for group in _GROUPS for offset in _OFFSETS]

#: nextpnr's names of all sites, along a line that turns around at the end of each row.
SITES = tuple(
    f"X{x}/Y{y}/MULT18_{number}"
    for index, y in enumerate(_ROWS)
    for x, number in (_ROW[::-1] if index % 2 else _ROW)
)


def place_multipliers(module: FlatModule) -> None:
    """Give multipliers places: column by column of the array, with those of the column's lane.

    nextpnr's HeAP finds sites for multipliers one by one, and where nearly all are taken those of
    one column end up all over the chip: their products filled the wires of two rows. With places
    given, all wires together are a tenth shorter.

    Parameters
    ----------
    module : FlatModule
        The netlist of a machine for this chip, which is changed. Names of cells say column and
        lane.
    """
    found = [name for name, cell in module.cells.items() if cell["type"] == "MULT18X18D"]
    for name, site in zip(sorted(found, key=_order), SITES, strict=False):
        module.cells[name]["attributes"]["BEL"] = site


def _order(name: str) -> tuple[int, str]:
    """Return the column or lane that a multiplier belongs to, and its name."""
    unit = re.search(r"(?:column|multiplier)_(\d+)", name)
    return int(unit[1]) if unit else 0, name
