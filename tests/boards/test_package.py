"""The folder of a component: what lies in it, and what people read about it."""

import pytest

from shiftloom.boards.ip.package import ip_files, litex_module, package_script, pynq_driver
from shiftloom.flow.generate import generate
from shiftloom.isa.python_header import python_header
from shiftloom.isa.registers import REGISTERS, Control, Error, Status


@pytest.fixture
def folder(least, least_verilog, monkeypatch):
    """Return the files that a component has, by name."""
    monkeypatch.setattr("shiftloom.hw.verilog.accelerator_verilog", lambda _: least_verilog)
    return generate(least, ip=True)


def test_everything_is_there_and_described(folder, least, least_verilog, least_top):
    expected = ip_files(least, least_verilog, least_top)
    assert expected.items() <= folder.items()
    assert folder[f"{least_top}.v"] == least_verilog
    assert all(f"| `{name}` | " in folder["README.md"] for name in folder if name != "README.md")
    assert not [name for name in folder if name.startswith("build_")]


def test_texts_are_the_same_each_time(folder, least, least_verilog, least_top):
    assert ip_files(least, least_verilog, least_top).items() <= folder.items()


def test_python_modules_compile(folder):
    names = [name for name in folder if name.endswith(".py")]
    assert len(names) == 3
    for name in names:
        compile(folder[name], name, "exec")


def test_the_register_module_is_the_register_map():
    found = {}
    exec(python_header(), found)
    assert found["OFFSETS"] == {entry.name: entry.offset for entry in REGISTERS}
    for kind, prefix in ((Control, "CONTROL"), (Status, "STATUS")):
        bits = {name: value for name, value in found.items() if name.startswith(f"{prefix}_")}
        assert bits == {f"{prefix}_{bit.name}": 1 << bit for bit in kind}
    assert list(found["ERRORS"]) == list(Error)


def test_drivers_are_made_for_one_accelerator(least, least_top):
    assert f'"shiftloom:accelerator:{least_top}:' in pynq_driver(least_top)
    assert f'TOP = "{least_top}"' in litex_module(least, least_top)
    assert f"BUS_BITS = {8 * least.bus_bytes}\n" in litex_module(least, least_top)
    assert f"set top {{{least_top}}}" in package_script(least_top)
