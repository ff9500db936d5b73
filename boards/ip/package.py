"""The files of the accelerator as a component: description, register map, drivers."""

import re
from importlib import resources

from ...isa.config import Config
from ...isa.python_header import python_header
from .component import component_xml, vlnv

__all__ = ["PYNQ_DRIVER", "REGISTER_MODULE", "ip_files", "pynq_driver", "source"]

REGISTER_MODULE, PYNQ_DRIVER = "shiftloom_registers.py", "shiftloom_pynq.py"

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
    }


def pynq_driver(top: str) -> str:
    """Return the PYNQ driver of an accelerator: one file, the register map inside."""
    registers = python_header().partition("\n\n")[2]
    constants = f'VLNV = "{":".join(vlnv(top))}"\n{registers}'
    text, count = _REGISTER_IMPORT.subn(lambda _: f"\n{constants}", source("pynq_driver.py"))
    if count != 1:
        raise ValueError(f"the driver imports the register map {count} times, not once")
    return text
