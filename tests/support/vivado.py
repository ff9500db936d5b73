"""Vivado's commands, as far as our scripts use them, in a Tcl interpreter.

They record what is asked for and complain where Vivado would: about components, pins, interfaces
and settings that do not exist, and about designs whose inputs, buses or addresses are left open.
"""

from pathlib import Path

from tests.support.ip_catalog import CATALOG, read_component

try:
    import tkinter
except ImportError:  # some distributions package it apart
    tkinter = None

__all__ = ["ScriptError", "Vivado", "has_tcl"]

#: Commands of which nothing is asked but that they are there.
_SILENT = (
    *("update_ip_catalog", "create_bd_design", "save_bd_design", "add_files"),
    *("update_compile_order", "wait_on_run", "open_run", "report_utilization"),
    *("report_timing_summary", "write_hw_platform", "create_project", "read_verilog"),
)

_UNITS = {"M": 20, "K": 10, "G": 30}


def has_tcl():
    """Return whether Python comes with a Tcl interpreter."""
    return tkinter is not None


class ScriptError(Exception):
    """A script failed; the message is Tcl's, or says what it asked for."""


class Vivado:
    """An interpreter in which a script runs.

    Parameters
    ----------
    folder : Path
        Where the scripts and ``component.xml`` lie.
    boards : bool
        Whether the files of boards are installed.
    """

    def __init__(self, folder, *, boards=True, slack="0.5"):
        self.folder, self.boards, self.slack = Path(folder), boards, slack
        self.tcl, self.calls, self.complaint = tkinter.Tcl(), [], ""
        self.cells, self.ports, self.settings = {}, {}, {}
        self.nets, self.buses, self.external = {}, [], set()
        self.addresses, self.excluded, self.valid = {}, set(), False
        self.catalog = dict(CATALOG)
        vlnv, component = read_component((self.folder / "component.xml").read_text())
        self.own, self.catalog[vlnv] = vlnv, lambda _: component
        for name in _SILENT:
            self.command(name, lambda *_: "")
        for name in dir(self):
            if name.startswith("tcl_"):
                self.command(name.removeprefix("tcl_"), getattr(self, name))

    def command(self, name, function):
        def call(*words):
            self.calls.append((name, *words))
            try:
                return function(*words)
            except (ValueError, KeyError) as error:  # Tcl would lose the message
                self.complaint = str(error)
                raise

        self.tcl.createcommand(name, call)

    def run(self, script):
        """Run a script of the folder."""
        try:
            self.tcl.eval(f"source {{{self.folder / script}}}")
        except tkinter.TclError as error:
            raise ScriptError(self.complaint or str(error)) from error

    def words(self, text):
        return list(self.tcl.splitlist(text))

    def require(self, good, message):
        if not good:
            raise ValueError(message)

    # Projects, files and runs.

    def tcl_get_board_parts(self, *words):
        return words[-1] if self.boards else ""

    def tcl_get_ipdefs(self, *words):
        return words[-1] if words[-1] in self.catalog else ""

    def tcl_current_project(self):
        return "project"

    def tcl_current_fileset(self):
        return "sources_1"

    def tcl_get_files(self, name):
        return name

    def tcl_get_runs(self, name):
        return name

    def tcl_generate_target(self, *_words):
        self.require(self.valid, "the design was not validated")
        folder = self.folder / "vivado/shiftloom.gen/sources_1/bd/shiftloom/hw_handoff"
        folder.mkdir(parents=True)
        (folder / "shiftloom.hwh").write_text("hand-off")

    def tcl_make_wrapper(self, *_words):
        return "wrapper.v"

    def tcl_launch_runs(self, *words):
        self.require("write_bitstream" in words, "no bitstream was asked for")
        run = self.folder / "vivado/shiftloom.runs/impl_1"
        run.mkdir(parents=True)
        (run / "shiftloom_wrapper.bit").write_text("bitstream")

    def tcl_get_property(self, name, _object):
        folder = str(self.folder / "vivado/shiftloom.runs/impl_1")
        return {"PROGRESS": "100%", "STATS.WNS": self.slack, "DIRECTORY": folder}[name]

    def tcl_set_property(self, first, *rest):
        pairs, where = (
            (rest[0], rest[1]) if first == "-dict" else (f"{{{first}}} {{{rest[0]}}}", rest[1])
        )
        words = self.words(pairs)
        known = self.settings.setdefault(where, {})
        known.update(zip(words[::2], words[1::2], strict=True))
        if where in self.cells and (legal := self.component(where).settings):
            unknown = sorted(set(known) - set(legal))
            self.require(not unknown, f"no settings {unknown} of {where}")

    # The block design.

    def component(self, cell):
        return self.catalog[self.cells[cell]](self.settings.get(cell, {}))

    def tcl_create_bd_cell(self, *words):
        vlnv, name = words[words.index("-vlnv") + 1], words[-1]
        self.require(vlnv in self.catalog, f"no component {vlnv}")
        self.require(name not in self.cells, f"two cells {name}")
        self.cells[name] = vlnv
        return name

    def tcl_create_bd_port(self, *words):
        self.ports[words[-1]] = "out" if words[words.index("-dir") + 1] == "I" else "in"
        return words[-1]

    def tcl_apply_bd_automation(self, *words):
        cell, rule = words[-1], words[words.index("-rule") + 1]
        self.require(rule.split(":")[-1] == self.cells[cell].split(":")[2], f"{rule} for {cell}")
        self.external.add(cell)
        if "mig" in rule:  # leads what it does not know out of the design
            for pin in ("sys_clk_i", "clk_ref_i", "sys_rst"):
                self.ports[f"{pin}_0"] = "out"
                self.tcl_connect_bd_net(f"{pin}_0", f"{cell}/{pin}")

    def tcl_get_bd_cells(self, name):
        self.require(name in self.cells, f"no cell {name}")
        return name

    def tcl_get_bd_ports(self, *words):
        if "-of_objects" in words:
            return words[-1].removeprefix("net:")
        self.require(words[-1] in self.ports, f"no port {words[-1]}")
        return words[-1]

    def tcl_get_bd_pins(self, name):
        self.require(self.pin(name) is not None, f"no pin {name}")
        return name

    def pin(self, name):
        cell, _, pin = name.partition("/")
        return self.component(cell).pins.get(pin) if cell in self.cells else self.ports.get(name)

    def tcl_get_bd_nets(self, *words):
        driver = self.nets.get(words[-1])
        return f"net:{driver}" if driver else ""

    def tcl_delete_bd_objs(self, name):
        if name.startswith("net:"):
            driver = name.removeprefix("net:")
            self.nets = {sink: d for sink, d in self.nets.items() if d != driver}
        else:
            del self.ports[name]

    def tcl_connect_bd_net(self, *ends):
        drivers = [end for end in ends if self.pin(end) == "out"]
        self.require(len(drivers) == 1, f"{len(drivers)} drivers among {ends}")
        for end in set(ends) - set(drivers):
            self.require(end not in self.nets, f"{end} is driven twice")
            self.nets[end] = drivers[0]

    def tcl_get_bd_intf_pins(self, name):
        self.require(self.interface(name) is not None, f"no interface {name}")
        return name

    def interface(self, name):
        cell, _, interface = name.partition("/")
        return self.component(cell).interfaces.get(interface) if cell in self.cells else None

    def tcl_connect_bd_intf_net(self, first, second):
        modes = self.interface(first), self.interface(second)
        self.require(modes == ("master", "slave"), f"{first} to {second}: {modes}")
        used = {end for bus in self.buses for end in bus}
        self.require(not used & {first, second}, f"{first} or {second} is connected twice")
        self.buses.append((first, second))

    def tcl_get_bd_addr_spaces(self, name):
        self.require(name in self.spaces(), f"no address space {name}")
        return name

    def tcl_get_bd_addr_segs(self, name):
        self.require(name in self.segments().values(), f"no address segment {name}")
        return name

    def spaces(self):
        """Return masters by the name of their address space."""
        return {
            f"{cell}/{space}": f"{cell}/{master}"
            for cell in self.cells
            for master, space in self.component(cell).spaces.items()
        }

    def segments(self):
        """Return address segments by slave."""
        return {
            f"{cell}/{slave}": f"{cell}/{segment}"
            for cell in self.cells
            for slave, segment in self.component(cell).segments.items()
        }

    def tcl_assign_bd_address(self, *words):
        given = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
        size = given["-range"]
        size = int(size[:-1]) << _UNITS[size[-1]] if size[-1] in _UNITS else int(size)
        begin, space = int(given["-offset"], 0), given["-target_address_space"]
        self.require(size >= 4096 and begin % size == 0, f"{words[-1]} at {begin:#x}")
        self.addresses[space, words[-1]] = range(begin, begin + size)

    def tcl_exclude_bd_addr_seg(self, *words):
        self.excluded.add((words[words.index("-target_address_space") + 1], words[0]))

    def reached(self, master):
        """Return the slaves that a master reaches through interconnects."""
        (slave,) = [to for start, to in self.buses if start == master]
        cell = slave.partition("/")[0]
        if "smartconnect" not in self.cells[cell]:
            return {slave}
        onward = [start for start, _ in self.buses if start.startswith(f"{cell}/M")]
        return set().union(*(self.reached(start) for start in onward))

    def tcl_validate_bd_design(self):
        for cell in self.cells:
            found = self.component(cell)
            for pin, kind in found.pins.items():
                self.require(kind != "in" or f"{cell}/{pin}" in self.nets, f"{cell}/{pin} is open")
            for name in found.interfaces:
                used = any(f"{cell}/{name}" in bus for bus in self.buses)
                self.require(used, f"{cell}/{name} is open")
        for space, master in self.spaces().items():
            wanted = {(space, self.segments()[slave]) for slave in self.reached(master)}
            known = {pair for pair in {*self.addresses, *self.excluded} if pair[0] == space}
            self.require(wanted == known, f"addresses of {space}: {known}, not {wanted}")
        self.valid = True
