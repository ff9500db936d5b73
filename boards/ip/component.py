"""``component.xml``: the accelerator as IP-XACT (IEEE 1685-2009), as Vivado's IP catalog reads it.

Elements come in the order that the standard's schema asks for. What lies below
``vendorExtensions`` is Vivado's own.
"""

from collections.abc import Mapping
from xml.etree import ElementTree

from ...isa.config import ISA_VERSION, Config
from .interfaces import Interface, Port, interfaces_of, read_ports
from .memory_map import REGISTER_BLOCK, add_memory_map
from .xml_tree import SPIRIT, VENDOR, add, to_text

__all__ = ["FAMILIES", "LIBRARY", "OWNER", "component_xml", "vlnv"]

OWNER, LIBRARY = "shiftloom", "accelerator"

#: Chips whose tools may use it; the Verilog itself asks for nothing special.
FAMILIES = ("artix7", "kintex7", "spartan7", "virtex7", "zynq", "kintexu", "zynquplus", "virtexu")

#: Name of a view, what it is for, and the files that it takes.
_VIEWS = (
    ("xilinx_anylanguagesynthesis", "Synthesis", ":vivado.xilinx.com:synthesis"),
    ("xilinx_anylanguagebehavioralsimulation", "Simulation", ":vivado.xilinx.com:simulation"),
)

_ADDRESSES = 1 << 32


def vlnv(top: str) -> tuple[str, str, str, str]:
    """Return vendor, library, name and version of an accelerator.

    The version is that of the instruction set: drivers of another version do not bind.
    """
    return OWNER, LIBRARY, top, f"{ISA_VERSION}.0"


def component_xml(config: Config, verilog: str, top: str) -> str:
    """Return the component's description.

    Parameters
    ----------
    config : Config
        The accelerator.
    verilog : str
        Its Verilog, from which ports and interfaces are read.
    top : str
        Its top module, whose file is called like it.
    """
    ports = read_ports(verilog, top)
    root = ElementTree.Element(f"{SPIRIT}component")
    for name, value in zip(("vendor", "library", "name", "version"), vlnv(top), strict=True):
        add(root, name, value)
    buses = add(root, "busInterfaces")
    for interface in interfaces_of(ports):
        _add_interface(buses, interface)
    _add_address_space(root, 8 * config.bus_bytes)
    add_memory_map(root)
    _add_model(root, top, ports)
    _add_files(root, top)
    array = f"{config.rows} x {config.columns}"
    add(root, "description", f"Accelerator for quantized neural networks, {array} multipliers")
    _add_parameters(root, {"Component_Name": top}, "PARAM_VALUE")
    _add_extensions(root, f"Shiftloom {config.name}")
    return to_text(root)


def _add_interface(parent: ElementTree.Element, interface: Interface) -> None:
    bus = add(parent, "busInterface")
    add(bus, "name", interface.name)
    for name, suffix in (("busType", ""), ("abstractionType", "_rtl")):
        full = f"{interface.type}{suffix}"
        library = {"vendor": "xilinx.com", "library": interface.library}
        add(bus, name, **library, name=full, version="1.0")
    mode = add(bus, interface.mode)
    if interface.type == "aximm":
        kind = "memoryMapRef" if interface.mode == "slave" else "addressSpaceRef"
        add(mode, kind, None, **{kind: interface.name})
    maps = add(bus, "portMaps")
    for logical, port in interface.ports.items():
        pair = add(maps, "portMap")
        add(add(pair, "logicalPort"), "name", logical)
        add(add(pair, "physicalPort"), "name", port.name)
    _add_parameters(bus, interface.parameters, f"BUSIFPARAM_VALUE.{interface.name.upper()}")


def _add_parameters(parent: ElementTree.Element, values: Mapping[str, str], id_: str) -> None:
    parameters = add(parent, "parameters")
    for name, value in values.items():
        parameter = add(parameters, "parameter")
        add(parameter, "name", name)
        add(parameter, "value", value, id=f"{id_}.{name}")


def _add_address_space(root: ElementTree.Element, width: int) -> None:
    space = add(add(root, "addressSpaces"), "addressSpace")
    add(space, "name", "m_axi")
    add(space, "range", str(_ADDRESSES), format="long")
    add(space, "width", str(width), format="long")


def _add_model(root: ElementTree.Element, top: str, ports: tuple[Port, ...]) -> None:
    model = add(root, "model")
    views = add(model, "views")
    for name, title, environment in _VIEWS:
        view = add(views, "view")
        add(view, "name", name)
        add(view, "displayName", title)
        add(view, "envIdentifier", environment)
        add(view, "language", "Verilog")
        add(view, "modelName", top)
        add(add(view, "fileSetRef"), "localName", f"{name}_view_fileset")
    listed = add(model, "ports")
    for port in ports:
        entry = add(listed, "port")
        add(entry, "name", port.name)
        wire = add(entry, "wire")
        add(wire, "direction", port.direction)
        if port.width > 1:
            vector = add(wire, "vector")
            add(vector, "left", str(port.width - 1), format="long")
            add(vector, "right", "0", format="long")
        if port.direction == "in" and not port.info:
            add(add(wire, "driver"), "defaultValue", "0", format="long")


def _add_files(root: ElementTree.Element, top: str) -> None:
    sets = add(root, "fileSets")
    for name, _, _ in _VIEWS:
        files = add(sets, "fileSet")
        add(files, "name", f"{name}_view_fileset")
        file = add(files, "file")
        add(file, "name", f"{top}.v")
        add(file, "fileType", "verilogSource")


def _add_extensions(root: ElementTree.Element, title: str) -> None:
    core = add(add(root, "vendorExtensions"), f"{VENDOR}coreExtensions")
    families = add(core, f"{VENDOR}supportedFamilies")
    for family in FAMILIES:
        entry = add(families, f"{VENDOR}family", family)
        entry.set(f"{VENDOR}lifeCycle", "Production")
    add(add(core, f"{VENDOR}taxonomies"), f"{VENDOR}taxonomy", "/UserIP")
    add(core, f"{VENDOR}displayName", title)
    add(core, f"{VENDOR}coreRevision", "1")


#: Where block designs find the registers: below the interface.
REGISTER_SEGMENT = f"s_axi/{REGISTER_BLOCK}"
