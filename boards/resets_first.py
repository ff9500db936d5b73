"""Names by which an ECP5's registers with a reset are placed before those without."""

from .flat_module import FlatModule

__all__ = ["FIRST", "place_resets_first"]

#: Begins names of cells that are placed before others; comes after every other name.
FIRST = "zz."


def place_resets_first(module: FlatModule) -> None:
    """Rename registers that a net resets, and the tables in front of them.

    Four flip-flops of a tile share what resets them. nextpnr's HeAP gives pairs of a table and a
    flip-flop their places in the reverse order of their names, and never takes a place away from
    a pair: once one of the 40,000 without a reset lay in each group of four, there was no place for
    one with a reset, and the placer looked for it without end.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    chosen = set()
    for name, cell in module.cells.items():
        connections = cell["connections"]
        if cell["type"] != "TRELLIS_FF" or not isinstance(connections.get("LSR", ["0"])[0], int):
            continue
        chosen.add(name)
        (data,) = connections.get("DI", ["0"])
        if module.kind(data) == "LUT4":
            chosen.add(module.drivers[data].cell)
    module.rename({name: FIRST + name for name in chosen})
