"""An ECP5's global network for nets that reset thousands of flip-flops."""

from collections import Counter
from typing import Any

__all__ = ["LEAST_RESETS", "reset_globally"]

#: Flip-flops that make a net worth one of the chip's global networks.
LEAST_RESETS = 1_000


def reset_globally(module: dict[str, Any]) -> None:
    """Bring a net that resets very many flip-flops to them by a global network.

    Clocks alone are put there by nextpnr. As an ordinary net, the reset of the accelerator's run
    took longer than any other path, and the wires of its surroundings. What else the net leads to
    is left alone.

    Parameters
    ----------
    module : dict
        A flat module of Yosys' JSON, which is changed.
    """
    cells, names = module["cells"], module["netnames"]
    flip_flops = [cell for cell in cells.values() if cell["type"] == "TRELLIS_FF"]
    resets = Counter(_reset(cell) for cell in flip_flops)
    connected = (bits for cell in cells.values() for bits in cell["connections"].values())
    named = (name["bits"] for name in names.values())
    used = (bit for bits in (*connected, *named) for bit in bits if isinstance(bit, int))
    new = 1 + max(used, default=1)
    for net, count in resets.items():
        if not isinstance(net, int) or count < LEAST_RESETS:
            continue
        cells[f"reset_{net}_buffer"] = {
            "hide_name": 1,
            "type": "DCCA",
            "parameters": {},
            "attributes": {},
            "port_directions": {"CLKI": "input", "CE": "input", "CLKO": "output"},
            "connections": {"CLKI": [net], "CE": ["1"], "CLKO": [new]},
        }
        names[f"reset_{net}_global"] = {"hide_name": 1, "bits": [new], "attributes": {}}
        for cell in flip_flops:
            if _reset(cell) == net:
                cell["connections"]["LSR"] = [new]
        new += 1


def _reset(cell: dict[str, Any]) -> int | str | None:
    """Return the net, or constant, that resets a flip-flop."""
    net: int | str | None = cell["connections"].get("LSR", [None])[0]
    return net
