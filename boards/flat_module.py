"""A flat netlist that is changed before it is placed: what leads where, new cells, moved inputs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["FlatModule", "Pin", "Step"]


class Pin(NamedTuple):
    """One bit of a cell's port."""

    cell: str
    port: str
    bit: int


class FlatModule:
    """A flat module of Yosys' JSON.

    Parameters
    ----------
    module : dict
        What the JSON says of it; every change is made there.

    Attributes
    ----------
    cells : dict
        By name, as in the JSON.
    drivers : dict of int to Pin
        What drives a net.
    readers : dict of int to list of Pin
        All inputs of cells that a net leads to.
    """

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, dict[str, Any]] = module["cells"]
        self._module = module
        self._names: dict[str, dict[str, Any]] = module["netnames"]
        self.drivers: dict[int, Pin] = {}
        self.readers: dict[int, list[Pin]] = {}
        self._connect_all()
        named = (bit for name in self._names.values() for bit in name["bits"])
        numbers = (bit for bit in named if isinstance(bit, int))
        self._last = max((*numbers, *self.drivers, *self.readers), default=1)

    def set(self, settings: Mapping[str, str]) -> None:
        """Say what nextpnr is to do with it, which reads that as it reads its command line."""
        self._module.setdefault("settings", {}).update(settings)

    def kind(self, net: int | str) -> str:
        """Return the type of the cell that drives a net; nothing if none does."""
        pin = self.drivers.get(net) if isinstance(net, int) else None
        return self.cells[pin.cell]["type"] if pin else ""

    def labels(self) -> dict[int, str]:
        """Return the shortest name of each net, with the bit's number."""
        labels: dict[int, str] = {}
        for name in sorted(self._names, key=lambda name: (-len(name), name)):
            for index, bit in enumerate(self._names[name]["bits"]):
                if isinstance(bit, int):
                    labels[bit] = f"{name}[{index}]"
        return labels

    def add(
        self, name: str, kind: str, inputs: Mapping[str, int | str], output: str, **parameters: str
    ) -> int:
        """Add a cell with single bits as ports; return the new net that it drives."""
        connections = {port: [bit] for port, bit in inputs.items()}
        directions = {**dict.fromkeys(inputs, "input"), output: "output"}
        cell = {
            "hide_name": 1,
            "type": kind,
            "parameters": parameters,
            "attributes": {},
            "port_directions": directions,
            "connections": connections,
        }
        return self._drive(name, cell, output)

    def copy(self, net: int) -> int:
        """Copy the cell that drives a net; return the new net, which the copy drives."""
        driver = self.drivers[net]
        cell = self.cells[driver.cell]
        connections = {port: list(bits) for port, bits in cell["connections"].items()}
        name = f"{driver.cell}_copy_{self._last + 1}"
        return self._drive(name, {**cell, "connections": connections}, driver.port)

    def move(self, pin: Pin, net: int) -> None:
        """Let an input read another net."""
        bits = self.cells[pin.cell]["connections"][pin.port]
        before = bits[pin.bit]
        if isinstance(before, int):
            self.readers[before].remove(pin)
        bits[pin.bit] = net
        self.readers.setdefault(net, []).append(pin)

    def tie(self, pin: Pin, constant: str) -> None:
        """Give an input that reads a constant, or nothing, another constant."""
        cell = self.cells[pin.cell]
        cell["connections"][pin.port] = [constant]
        cell["port_directions"][pin.port] = "input"

    def absorb(self, output: Pin, absorbed: Pin) -> None:
        """Let an output drive what a cell drives, and take that cell away."""
        (net,) = self.cells[absorbed.cell]["connections"][absorbed.port]
        self._disconnect(absorbed.cell)
        del self.cells[absorbed.cell]
        self.cells[output.cell]["connections"][output.port][output.bit] = net
        self.drivers[net] = output

    def rename(self, names: Mapping[str, str]) -> None:
        """Give cells other names."""
        cells = {names.get(name, name): cell for name, cell in self.cells.items()}
        self.cells.clear()
        self.cells.update(cells)
        self._connect_all()

    def _drive(self, name: str, cell: dict[str, Any], output: str) -> int:
        self._last += 1
        cell["connections"][output] = [self._last]
        self.cells[name] = cell
        self._names[f"{name}_{output}"] = {"hide_name": 1, "bits": [self._last], "attributes": {}}
        self._connect(name)
        return self._last

    def _connect_all(self) -> None:
        self.drivers.clear()
        self.readers.clear()
        for name in self.cells:
            self._connect(name)

    def _disconnect(self, name: str) -> None:
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            for index, bit in enumerate(bits):
                if isinstance(bit, int) and cell["port_directions"][port] == "input":
                    self.readers[bit].remove(Pin(name, port, index))

    def _connect(self, name: str) -> None:
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            for index, bit in enumerate(bits):
                if not isinstance(bit, int):
                    continue
                pin = Pin(name, port, index)
                if cell["port_directions"][port] == "input":
                    self.readers.setdefault(bit, []).append(pin)
                else:
                    self.drivers[bit] = pin


#: What changes a netlist before it is placed.
Step = Callable[[FlatModule], None]
