"""The files of the accelerator as a component: description, register map, drivers."""

import re
from importlib import resources

from ...isa.config import Config
from ...isa.python_header import python_header
from .component import component_xml, vlnv

__all__ = ["MEANINGS", "ip_files", "litex_module", "package_script", "pynq_driver", "source"]

REGISTER_MODULE, PYNQ_DRIVER = "shiftloom_registers.py", "shiftloom_pynq.py"
LITEX_MODULE = "shiftloom_litex.py"

#: What the files are, for people.
MEANINGS = {
    "component.xml": "the accelerator for Vivado's IP catalog (IP-XACT), registers included",
    "package.tcl": "script that lets Vivado write `component.xml` itself",
    REGISTER_MODULE: "register map as a Python module",
    PYNQ_DRIVER: "driver for PYNQ: one file, which needs `pynq` and NumPy",
    LITEX_MODULE: "module for LiteX",
}

_REGISTER_IMPORT = re.compile(r"^from shiftloom_registers import \(.*?\)\n", re.M | re.S)


def source(name: str) -> str:
    """Return the text of a file that comes with this package."""
    return (resources.files(__package__ or "") / name).read_text(encoding="utf-8")


def ip_files(config: Config, verilog: str, top: str) -> dict[str, str]:
    """Return the files of a component by name, its Verilog left out.

    Parameters
    ----------
    config : Config
        The accelerator.
    verilog, top : str
        Its Verilog and the name of its top module.
    """
    return {
        "component.xml": component_xml(config, verilog, top),
        REGISTER_MODULE: python_header(),
        PYNQ_DRIVER: pynq_driver(top),
        LITEX_MODULE: litex_module(config, top),
        "package.tcl": package_script(top),
    }


def pynq_driver(top: str) -> str:
    """Return the PYNQ driver of an accelerator: one file, the register map inside."""
    registers = python_header().partition("\n\n")[2]
    constants = f'VLNV = "{":".join(vlnv(top))}"\n{registers}'
    text, count = _REGISTER_IMPORT.subn(lambda _: f"\n{constants}", source("pynq_driver.py"))
    if count != 1:
        raise ValueError(f"the driver imports the register map {count} times, not once")
    return text


def litex_module(config: Config, top: str) -> str:
    """Return the LiteX module of an accelerator."""
    values = {"TOP": f'"{top}"', "BUS_BITS": str(8 * config.bus_bytes)}
    text = source("litex_module.py")
    for name, value in values.items():
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
        if count != 1:
            raise ValueError(f"the module sets {name} {count} times, not once")
    return text


def package_script(top: str) -> str:
    """Return the script that lets Vivado write ``component.xml`` itself."""
    vendor, library, name, version = vlnv(top)
    settings = {"top": top, "vendor": vendor, "library": library, "name": name, "version": version}
    lines = [f"set {key} {{{value}}}" for key, value in settings.items()]
    return "\n".join([*lines, "", source("vivado_package.tcl")])
