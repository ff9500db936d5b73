"""Registers behind an ECP5's block memories become the memories' own output registers."""

from collections.abc import Sequence
from typing import Any

from .flat_module import FlatModule, Pin
from .lut_entries import pass_by_lut

__all__ = ["use_output_registers"]

#: What a flip-flop must be for an output register to do the same: it takes data in every cycle.
#: (Yosys writes a space behind a text of nothing but ones and zeros.)
_PLAIN = {"CLKMUX": "CLK", "CEMUX": "1", "REGSET": "RESET", "GSR": "DISABLED"}

#: Width of data that go to both ports' outputs and are read by port B alone.
_BOTH = 36


def use_output_registers(module: FlatModule) -> None:
    """Let block memories hold what they read, where flip-flops do nothing else with it.

    A word leaves a memory 5 ns sooner from its output register than from its array (REGMODE
    "OUTREG", Lattice TN1264). A port gets its registers if each of its outputs that leads anywhere
    leads to one flip-flop on its own clock, without enable and reset.

    Four memories share nine tiles and their wires: what leads from one to several places goes out
    to a lookup table first, which has wires of its own, as the flip-flop had.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    for name, cell in list(module.cells.items()):
        if cell["type"] != "DP16KD":
            continue
        # What both ports' outputs read together has its registers together.
        groups = ("AB",) if _both(cell) else ("A", "B")
        for ports in groups:
            _use(module, name, ports)


def _both(cell: dict[str, Any]) -> bool:
    return int(cell["parameters"]["DATA_WIDTH_B"], 2) == _BOTH


def _use(module: FlatModule, name: str, ports: str) -> None:
    """Absorb what is behind one port, or behind both, if all of it can be."""
    cell = module.cells[name]
    outputs = [
        Pin(name, port, 0)
        for port, bits in cell["connections"].items()
        if port[:2] == "DO" and port[2] in ports and module.readers.get(bits[0])
    ]
    reads = "B" if len(ports) > 1 else ports
    clock = cell["connections"][f"CLK{reads}"]
    plain = cell["parameters"][f"CLK{reads}MUX"] == f"CLK{reads}"
    registers = [_register(module, output, clock) for output in outputs]
    if not outputs or not plain or not all(registers):
        return
    for port in ports:
        cell["parameters"][f"REGMODE_{port}"] = "OUTREG"
        module.tie(Pin(name, f"OCE{port}", 0), "1")
    for output, register in zip(outputs, registers, strict=True):
        module.absorb(output, Pin(register, "Q", 0))
        _lead_out(module, output)


def _lead_out(module: FlatModule, output: Pin) -> None:
    """Put a table behind an output that leads to several places."""
    (net,) = module.cells[output.cell]["connections"][output.port]
    readers = list(module.readers.get(net, ()))
    if len(readers) > 1:
        beyond = pass_by_lut(module, f"{output.cell}_{output.port}_exit", net)
        for pin in readers:
            module.move(pin, beyond)


def _register(module: FlatModule, output: Pin, clock: Sequence[int | str]) -> str:
    """Return the flip-flop that an output register can replace; nothing if there is none."""
    readers = module.readers[module.cells[output.cell]["connections"][output.port][0]]
    register = module.cells[readers[0].cell]
    found, parameters = register["connections"], register["parameters"]
    fits = (
        len(readers) == 1
        and register["type"] == "TRELLIS_FF"
        and readers[0].port == "DI"
        and found["CLK"] == clock
        and found.get("LSR", ["0"]) == ["0"]
        and all(parameters[key].rstrip() == value for key, value in _PLAIN.items())
    )
    return readers[0].cell if fits else ""
