"""``component.xml``: what Vivado must find in it, and that it says what the Verilog has."""

import re
from xml.etree import ElementTree

import pytest

from shiftloom.boards.ip.component import component_xml, vlnv
from shiftloom.boards.ip.interfaces import interfaces_of, read_ports
from shiftloom.isa.config import ISA_VERSION
from shiftloom.isa.registers import REGISTERS, Control, Status

SPIRIT = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}"

#: The order of elements in IEEE 1685-2009, where it matters here.
ORDER = {
    "component": "vendor library name version busInterfaces addressSpaces memoryMaps model "
    "fileSets description parameters vendorExtensions",
    "busInterface": "name busType abstractionType slave master portMaps parameters",
    "portMap": "logicalPort physicalPort",
    "addressSpace": "name range width",
    "addressBlock": "name baseAddress range width usage access register",
    "register": "name description addressOffset size volatile access field",
    "field": "name description bitOffset bitWidth access",
    "model": "views ports",
    "view": "name displayName envIdentifier language modelName fileSetRef",
    "port": "name wire",
    "wire": "direction vector driver",
    "vector": "left right",
    "fileSet": "name file",
    "file": "name fileType",
    "parameter": "name value",
}

#: What AXI4 and AXI4-Lite ask for at least, by channel.
ADDRESS, DATA = "ADDR PROT VALID READY", "VALID READY"
LITE = {"AW": ADDRESS, "AR": ADDRESS, "W": "DATA STRB " + DATA, "R": "DATA RESP " + DATA}
LITE |= {"B": "RESP " + DATA}
BURST = "ID LEN SIZE BURST CACHE"
FULL = {"AW": f"{ADDRESS} {BURST}", "AR": f"{ADDRESS} {BURST}", "B": "ID RESP " + DATA}
FULL |= {"W": "DATA STRB LAST " + DATA, "R": "ID DATA RESP LAST " + DATA}


@pytest.fixture(scope="module")
def root(least, least_verilog, least_top):
    """Return the document."""
    return ElementTree.fromstring(component_xml(least, least_verilog, least_top))


def tag(element):
    return element.tag.removeprefix(SPIRIT)


def text(element, path):
    """Return the text at a path of names of the standard."""
    return element.findtext("/".join(f"{SPIRIT}{part}" for part in path.split("/")))


def every(root, name):
    return list(root.iter(f"{SPIRIT}{name}"))


def verilog_ports(least_verilog, least_top):
    """Return the ports of the module's own list."""
    listed = re.search(rf"^module {least_top}\((.*?)\);", least_verilog, re.M | re.S)[1]
    return sorted(name.strip() for name in listed.split(","))


def test_elements_stand_in_the_order_of_the_standard(root):
    checked = set()
    for element in root.iter():
        order = ORDER.get(tag(element), "").split()
        children = [tag(child) for child in element]
        if order:
            checked.add(tag(element))
            assert set(children) <= set(order), tag(element)
            assert children == sorted(children, key=order.index), tag(element)
    assert checked == set(ORDER)


def test_every_port_of_the_verilog_is_in_one_interface(root, least_verilog, least_top):
    wanted = verilog_ports(least_verilog, least_top)
    mapped = sorted(text(entry, "name") for entry in every(root, "physicalPort"))
    assert mapped == wanted
    assert sorted(text(entry, "name") for entry in every(root, "port")) == wanted


def test_directions_and_widths_are_those_of_the_verilog(root, least_verilog):
    for port in every(root, "port"):
        name, direction = text(port, "name"), text(port, "wire/direction")
        left = text(port, "wire/vector/left")
        size = rf"\[{left}:0\] " if left else ""
        assert re.search(rf"^  {direction}put {size}{name};$", least_verilog, re.M), name


@pytest.mark.parametrize(("name", "channels"), [("s_axi", LITE), ("m_axi", FULL)])
def test_buses_have_the_signals_of_their_protocol(name, channels, root, least):
    (bus,) = [b for b in every(root, "busInterface") if text(b, "name") == name]
    logical = {text(entry, "name") for entry in bus.iter(f"{SPIRIT}logicalPort")}
    assert logical == {f"{c}{s}" for c, signals in channels.items() for s in signals.split()}
    parameters = {text(p, "name"): text(p, "value") for p in every(bus, "parameter")}
    assert parameters["PROTOCOL"] == ("AXI4LITE" if name == "s_axi" else "AXI4")
    assert parameters["DATA_WIDTH"] == ("32" if name == "s_axi" else str(8 * least.bus_bytes))


def test_clock_reset_and_interrupt_are_known(root):
    found = {}
    for bus in every(root, "busInterface"):
        kind = bus.find(f"{SPIRIT}busType").get(f"{SPIRIT}name")
        if kind != "aximm":
            parameters = {text(p, "name"): text(p, "value") for p in every(bus, "parameter")}
            mode = "master" if bus.find(f"{SPIRIT}master") is not None else "slave"
            found[kind] = (text(bus, "name"), mode, parameters)
    assert found == {
        "clock": (
            "aclk",
            "slave",
            {"ASSOCIATED_BUSIF": "s_axi:m_axi", "ASSOCIATED_RESET": "aresetn"},
        ),
        "reset": ("aresetn", "slave", {"POLARITY": "ACTIVE_LOW"}),
        "interrupt": ("interrupt", "master", {"SENSITIVITY": "LEVEL_HIGH"}),
    }


def test_references_lead_somewhere(root):
    names = {text(s, "name") for s in every(root, "addressSpace")}
    maps = {text(m, "name") for m in every(root, "memoryMap")}
    sets = {text(f, "name") for f in every(root, "fileSet")}
    attribute = f"{SPIRIT}addressSpaceRef"
    assert {e.get(attribute) for e in every(root, "addressSpaceRef")} == names == {"m_axi"}
    attribute = f"{SPIRIT}memoryMapRef"
    assert {e.get(attribute) for e in every(root, "memoryMapRef")} == maps == {"s_axi"}
    assert {text(r, "localName") for r in every(root, "fileSetRef")} == sets
    identifiers = [e.get(f"{SPIRIT}id") for e in root.iter() if e.get(f"{SPIRIT}id")]
    assert len(identifiers) == len(set(identifiers)) > 5


def test_views_name_the_module_and_its_file(root, least_top):
    assert {text(view, "modelName") for view in every(root, "view")} == {least_top}
    assert {text(file, "name") for file in every(root, "file")} == {f"{least_top}.v"}
    assert len(every(root, "view")) == 2


def test_registers_are_those_of_the_hardware(root):
    found = [
        (text(r, "name"), int(text(r, "addressOffset"), 0), text(r, "access"))
        for r in every(root, "register")
    ]
    access = {"rw": "read-write", "ro": "read-only"}
    assert found == [(r.name, r.offset, access[r.access]) for r in REGISTERS]
    assert int(text(every(root, "addressBlock")[0], "range")) > REGISTERS[-1].offset


def test_fields_are_the_bits_of_the_registers(root):
    for register in every(root, "register"):
        fields = {
            text(f, "name"): (int(text(f, "bitOffset")), int(text(f, "bitWidth")))
            for f in every(register, "field")
        }
        kind = {"CONTROL": Control, "STATUS": Status}.get(text(register, "name"))
        whole = {text(register, "name"): (0, 32)}
        assert fields == (whole if kind is None else {bit.name: (bit.value, 1) for bit in kind})


def test_the_version_is_that_of_the_instruction_set(root, least_top):
    found = tuple(text(root, part) for part in ("vendor", "library", "name", "version"))
    assert found == vlnv(least_top)
    assert found[-1] == f"{ISA_VERSION}.0"


def test_equal_accelerators_have_equal_descriptions(least, least_verilog, least_top):
    made = [component_xml(least, least_verilog, least_top) for _ in range(2)]
    assert made[0] == made[1]


def test_ports_without_an_interface_are_an_error(least_verilog, least_top):
    stray = least_verilog.replace("  input aclk;", "  input aclk;\n  output [3:0] leds;", 1)
    with pytest.raises(ValueError, match="port leds belongs to no interface"):
        interfaces_of(read_ports(stray, least_top))
    with pytest.raises(ValueError, match="no module shiftloom_most"):
        read_ports(least_verilog, "shiftloom_most")
