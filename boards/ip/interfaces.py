"""Ports of a generated top module, and the interfaces that they make."""

import re
from dataclasses import dataclass

__all__ = ["Interface", "Port", "interfaces_of", "read_ports"]

#: A port of the top module, with the attributes above it.
_PORT = re.compile(
    r"((?:^ *\(\* X_\w+ = \"[^\"]*\" \*\)\n)*)"
    r"^ *(input|output) (?:\[(\d+):0\] )?(\w+);",
    re.MULTILINE,
)
_ATTRIBUTE = re.compile(r"X_INTERFACE_(\w+) = \"([^\"]*)\"")

#: Buses by the prefix of their ports: mode, protocol.
_BUSES = {"s_axi": ("slave", "AXI4LITE"), "m_axi": ("master", "AXI4")}


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port of a module.

    Parameters
    ----------
    name : str
        Its name.
    direction : str
        ``in`` or ``out``.
    width : int
        Bits.
    info, parameter : str
        Values of the attributes ``X_INTERFACE_INFO`` and ``X_INTERFACE_PARAMETER``; empty without.
    """

    name: str
    direction: str
    width: int
    info: str = ""
    parameter: str = ""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """Ports that tools connect as one.

    Parameters
    ----------
    name : str
        Its name.
    mode : str
        ``slave`` or ``master``.
    library, type : str
        Kind: ``interface`` and ``aximm``, or ``signal`` and ``clock``, ``reset``, ``interrupt``.
    ports : dict
        Port of the module by its name in the kind's definition.
    parameters : dict
        What tools must know besides.
    """

    name: str
    mode: str
    library: str
    type: str
    ports: dict[str, Port]
    parameters: dict[str, str]


def read_ports(verilog: str, top: str) -> tuple[Port, ...]:
    """Return the ports of a module as the generator writes it, in the order of the text.

    Raises
    ------
    ValueError
        There is no such module.
    """
    start = verilog.find(f"\nmodule {top}(")
    if start < 0:
        raise ValueError(f"the Verilog has no module {top}")
    body = verilog[start : verilog.index("\nendmodule", start)]
    return tuple(_port(match) for match in _PORT.finditer(body))


def _port(match: re.Match[str]) -> Port:
    found = dict(_ATTRIBUTE.findall(match[1]))
    return Port(
        name=match[4],
        direction=match[2].removesuffix("put"),
        width=int(match[3] or 0) + 1,
        info=found.get("INFO", ""),
        parameter=found.get("PARAMETER", ""),
    )


def interfaces_of(ports: tuple[Port, ...]) -> tuple[Interface, ...]:
    """Return the interfaces that the ports make: each port belongs to one.

    Raises
    ------
    ValueError
        A port that belongs to none: it has neither a bus's prefix nor the attributes of a signal.
    """
    signals: list[Interface] = []
    buses: dict[str, list[Port]] = {prefix: [] for prefix in _BUSES}
    for port in ports:
        prefix = port.name.rpartition("_")[0]
        if port.info:
            signals.append(_signal(port))
        elif prefix in buses:
            buses[prefix].append(port)
        else:
            raise ValueError(f"port {port.name} belongs to no interface")
    return (*(_bus(prefix, buses[prefix]) for prefix in _BUSES), *signals)


def _bus(prefix: str, ports: list[Port]) -> Interface:
    mode, protocol = _BUSES[prefix]
    widths = {port.name.removeprefix(f"{prefix}_"): port.width for port in ports}
    parameters = {
        "PROTOCOL": protocol,
        "DATA_WIDTH": str(widths["wdata"]),
        "ADDR_WIDTH": str(widths["awaddr"]),
        "SUPPORTS_NARROW_BURST": "0",
    }
    return Interface(
        name=prefix,
        mode=mode,
        library="interface",
        type="aximm",
        ports={port.name.removeprefix(f"{prefix}_").upper(): port for port in ports},
        parameters=parameters,
    )


def _signal(port: Port) -> Interface:
    kind, name, logical = port.info.split(" ")
    _, library, type_, _ = kind.split(":")
    words = [part.split(" ", 1) for part in port.parameter.split(", ")]
    return Interface(
        name=name,
        mode="slave" if port.direction == "in" else "master",
        library=library,
        type=type_,
        ports={logical: port},
        parameters=dict(words),
    )
