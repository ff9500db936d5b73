"""Lookup tables in front of an ECP5's flip-flops, so that their data come in where logic's do."""

from typing import Any

__all__ = ["enter_by_luts"]


def enter_by_luts(module: dict[str, Any]) -> None:
    """Put a lookup table in front of each flip-flop that takes its data from no logic.

    Without one, data enter a tile beside its tables by wires of their own, which are the first to
    run out where many registers follow each other: with half of all flip-flops of that kind, the
    ULX3S's accelerator was not routed. Tables are what there is enough of.

    Parameters
    ----------
    module : dict
        A flat module of Yosys' JSON, which is changed.
    """
    logic = ("LUT4", "PFUMX", "L6MUX21", "CCU2C")
    cells, names = module["cells"], module["netnames"]
    outputs = [
        (bit, cell["type"])
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        for bit in bits
        if cell["port_directions"][port] == "output"
    ]
    drivers = {bit: kind for bit, kind in outputs if isinstance(bit, int)}
    bits = [bit for name in names.values() for bit in name["bits"] if isinstance(bit, int)]
    new = 1 + max((*bits, *drivers), default=1)
    directions = {**dict.fromkeys("ABCD", "input"), "Z": "output"}
    for name, cell in list(cells.items()):
        if cell["type"] != "TRELLIS_FF":
            continue
        (data,) = cell["connections"].get("DI", ["0"])
        if not isinstance(data, int) or drivers.get(data) in logic:
            continue
        cells[f"{name}_entry"] = {
            "hide_name": 1,
            "type": "LUT4",
            "parameters": {"INIT": "10" * 8},  # A
            "attributes": {},
            "port_directions": directions,
            "connections": {"A": [data], "B": ["0"], "C": ["0"], "D": ["0"], "Z": [new]},
        }
        names[f"{name}_entered"] = {"hide_name": 1, "bits": [new], "attributes": {}}
        cell["connections"]["DI"] = [new]
        new += 1
