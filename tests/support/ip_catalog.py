"""Components as Vivado's catalog has them: pins, interfaces and settings that our designs use.

From the product guides: PG082 (Zynq-7000 processing system), PG164 (processor system reset), PG247
(SmartConnect), PG065 (clocking wizard), PG174 (JTAG to AXI), UG586 (memory interface); our own from
its ``component.xml``.
"""

from dataclasses import dataclass, field
from xml.etree import ElementTree

__all__ = ["CATALOG", "Component", "read_component"]

SPIRIT = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}"


@dataclass
class Component:
    """A component: pins are ``in``, ``out`` or ``optional``, interfaces ``master`` or ``slave``.

    ``spaces`` gives address spaces by master, ``segments`` address segments by slave.
    """

    pins: dict
    interfaces: dict = field(default_factory=dict)
    spaces: dict = field(default_factory=dict)
    segments: dict = field(default_factory=dict)
    settings: tuple = ()


def _pins(inputs="", outputs="", optional=""):
    kinds = (("in", inputs), ("out", outputs), ("optional", optional))
    return {name: kind for kind, names in kinds for name in names.split()}


def _smartconnect(settings):
    slaves = int(settings.get("CONFIG.NUM_SI", 2))
    masters = int(settings.get("CONFIG.NUM_MI", 1))
    clocks = int(settings.get("CONFIG.NUM_CLKS", 1))
    names = ["aclk", *(f"aclk{n}" for n in range(1, clocks))]
    interfaces = {f"S{n:02}_AXI": "slave" for n in range(slaves)}
    interfaces |= {f"M{n:02}_AXI": "master" for n in range(masters)}
    return Component(pins=_pins(f"{' '.join(names)} aresetn"), interfaces=interfaces)


#: Settings of the processing system that our designs may make.
_PS_SETTINGS = (
    *("CRYSTAL_PERIPHERAL_FREQMHZ", "FPGA0_PERIPHERAL_FREQMHZ", "EN_CLK0_PORT", "EN_RST0_PORT"),
    *("USE_M_AXI_GP0", "USE_S_AXI_HP0", "S_AXI_HP0_DATA_WIDTH"),
    *("USE_FABRIC_INTERRUPT", "IRQ_F2P_INTR"),
)


def _processing_system(settings):
    """Return the processors: what is not switched on is not there."""
    on = {name.removeprefix("CONFIG.PCW_") for name, value in settings.items() if value == "1"}
    found = Component(pins={}, settings=tuple(f"CONFIG.PCW_{name}" for name in _PS_SETTINGS))
    for setting, pin in (("EN_CLK0_PORT", "FCLK_CLK0"), ("EN_RST0_PORT", "FCLK_RESET0_N")):
        if setting in on:
            found.pins[pin] = "out"
    if {"USE_FABRIC_INTERRUPT", "IRQ_F2P_INTR"} <= on:
        found.pins["IRQ_F2P"] = "in"
    for name, mode in (("M_AXI_GP0", "master"), ("S_AXI_HP0", "slave")):
        if f"USE_{name}" in on:
            found.pins[f"{name}_ACLK"] = "in"
            found.interfaces[name] = mode
    found.spaces = {"M_AXI_GP0": "Data"}
    found.segments = {"S_AXI_HP0": "S_AXI_HP0/HP0_DDR_LOWOCM"}
    return found


CATALOG = {
    "xilinx.com:ip:processing_system7:5.5": _processing_system,
    "xilinx.com:ip:proc_sys_reset:5.0": lambda _: Component(
        pins=_pins(
            "slowest_sync_clk ext_reset_in",
            "peripheral_aresetn peripheral_reset interconnect_aresetn mb_reset bus_struct_reset",
            "dcm_locked aux_reset_in mb_debug_sys_rst",
        )
    ),
    "xilinx.com:ip:smartconnect:1.0": _smartconnect,
    "xilinx.com:ip:clk_wiz:6.0": lambda settings: Component(
        pins=_pins(
            "clk_in1 resetn" if settings.get("CONFIG.RESET_TYPE") == "ACTIVE_LOW" else "clk_in1",
            " ".join(
                ["clk_out1", "locked"]
                + [f"clk_out{n}" for n in (2, 3) if f"CONFIG.CLKOUT{n}_USED" in settings]
            ),
        )
    ),
    "xilinx.com:ip:jtag_axi:1.2": lambda _: Component(
        pins=_pins("aclk aresetn"), interfaces={"M_AXI": "master"}, spaces={"M_AXI": "Data"}
    ),
    "xilinx.com:ip:mig_7series:4.2": lambda _: Component(
        pins=_pins(
            "sys_clk_i clk_ref_i sys_rst aresetn",
            "ui_clk ui_clk_sync_rst mmcm_locked init_calib_complete",
        ),
        interfaces={"S_AXI": "slave"},
        segments={"S_AXI": "memmap/memaddr"},
    ),
}


def read_component(text):
    """Return name and component of a ``component.xml``."""
    root = ElementTree.fromstring(text)
    parts = ("vendor", "library", "name", "version")
    vlnv = ":".join(root.findtext(f"{SPIRIT}{part}") for part in parts)
    found = Component(pins={})
    mapped = set()
    for bus in root.iter(f"{SPIRIT}busInterface"):
        name = bus.findtext(f"{SPIRIT}name")
        if bus.find(f"{SPIRIT}busType").get(f"{SPIRIT}name") != "aximm":
            continue
        mapped |= {p.findtext(f"{SPIRIT}name") for p in bus.iter(f"{SPIRIT}physicalPort")}
        master = bus.find(f"{SPIRIT}master")
        found.interfaces[name] = "slave" if master is None else "master"
        if master is not None:
            reference = master.find(f"{SPIRIT}addressSpaceRef")
            found.spaces[name] = reference.get(f"{SPIRIT}addressSpaceRef")
        else:
            memory = root.find(f"{SPIRIT}memoryMaps/{SPIRIT}memoryMap")
            block = memory.findtext(f"{SPIRIT}addressBlock/{SPIRIT}name")
            found.segments[name] = f"{name}/{block}"
    for port in root.iter(f"{SPIRIT}port"):
        name = port.findtext(f"{SPIRIT}name")
        if name not in mapped:
            found.pins[name] = port.findtext(f"{SPIRIT}wire/{SPIRIT}direction")
    return vlnv, found
