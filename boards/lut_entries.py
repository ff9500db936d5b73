"""Lookup tables in front of an ECP5's flip-flops, so that their data come in where logic's do."""

from .flat_module import FlatModule

__all__ = ["enter_by_luts", "pass_by_lut"]

_LOGIC = ("LUT4", "PFUMX", "L6MUX21", "CCU2C")


def enter_by_luts(module: FlatModule) -> None:
    """Put a lookup table in front of each flip-flop that takes its data from no logic.

    Without one, data enter a tile beside its tables by wires of their own, which are the first to
    run out where many registers follow each other: with half of all flip-flops of that kind, the
    ULX3S's accelerator was not routed. Tables are what there is enough of.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    for name, cell in list(module.cells.items()):
        if cell["type"] != "TRELLIS_FF":
            continue
        (data,) = cell["connections"].get("DI", ["0"])
        if isinstance(data, int) and module.kind(data) not in _LOGIC:
            cell["connections"]["DI"] = [pass_by_lut(module, f"{name}_entry", data)]


def pass_by_lut(module: FlatModule, name: str, net: int) -> int:
    """Add a lookup table that says what a net says; return the net that it drives."""
    inputs: dict[str, int | str] = {"A": net, "B": "0", "C": "0", "D": "0"}
    return module.add(name, "LUT4", inputs, "Z", INIT="10" * 8)  # A
