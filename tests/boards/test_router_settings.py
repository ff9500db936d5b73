"""What nextpnr has no options for: whether it reads it from the netlist, and minds it."""

import json

import pytest

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.router_settings import ROUTER_SETTINGS, set_router
from shiftloom.boards.tools import NEXTPNR_ECP5, YOSYS, ToolError

from .netlists import needs_nextpnr, needs_yosys

FLIP = "module top(input clk, output reg o); always @(posedge clk) o <= ~o; endmodule"
PLACE = ("--12k", "--package", "CABGA256", "--lpf-allow-unconstrained", "--router", "router2")


def route(folder, settings):
    """Route a flip-flop with what ``set_router`` asks for, and more."""
    (folder / "top.v").write_text(FLIP)
    YOSYS.run(["-q", "-p", "read_verilog top.v; synth_ecp5 -top top -json top.json"], folder)
    netlist = json.loads((folder / "top.json").read_text())
    module = FlatModule(netlist["modules"]["top"])
    set_router(module)
    module.set(settings)
    (folder / "top.json").write_text(json.dumps(netlist))
    NEXTPNR_ECP5.run([*PLACE, "--json", "top.json", "--write", "routed.json"], folder)
    return json.loads((folder / "routed.json").read_text())["modules"]["top"]["settings"]


@needs_yosys
@needs_nextpnr
def test_nextpnr_minds_what_the_netlist_asks_of_its_router(tmp_path):
    settings = route(tmp_path, {})
    assert ROUTER_SETTINGS and {key: settings[key] for key in ROUTER_SETTINGS} == ROUTER_SETTINGS
    for key in ROUTER_SETTINGS:
        with pytest.raises(ToolError, match="nextpnr"):
            route(tmp_path, {key: "nonsense"})
