"""The global network: which nets go there, and which of their ends."""

import copy

import pytest

from shiftloom.boards import global_nets
from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.global_nets import reset_globally

FLIP_FLOP = {"CLK": "input", "LSR": "input", "CE": "input", "Q": "output"}
CLOCK, RESET, OTHER = 2, 3, 4


def flip_flop(reset, output):
    connections = {"CLK": [CLOCK], "LSR": [reset], "CE": [RESET], "Q": [output]}
    return {"type": "TRELLIS_FF", "port_directions": FLIP_FLOP, "connections": connections}


@pytest.fixture
def module(monkeypatch):
    """Three flip-flops that one net resets and enables, one that another resets, one that none."""
    monkeypatch.setattr(global_nets, "LEAST_RESETS", 3)
    cells = {f"many_{n}": flip_flop(RESET, 10 + n) for n in range(3)}
    cells |= {"alone": flip_flop(OTHER, 13), "never": flip_flop("0", 14)}
    cells["table"] = {
        "type": "LUT4",
        "port_directions": {"A": "input", "Z": "output"},
        "connections": {"A": [RESET], "Z": [15]},
    }
    return {"cells": cells, "netnames": {"far": {"bits": [40]}}}


def test_only_resets_of_a_net_with_many_go_by_the_global_network(module):
    before = copy.deepcopy(module)
    reset_globally(FlatModule(module))
    (added,) = module["cells"].keys() - before["cells"].keys()
    buffer = module["cells"].pop(added)
    assert buffer["type"] == "DCCA"
    assert buffer["connections"] == {"CLKI": [RESET], "CE": ["1"], "CLKO": [41]}
    for number in range(3):
        before["cells"][f"many_{number}"]["connections"]["LSR"] = [41]
    assert module["cells"] == before["cells"]


def test_the_way_to_the_network_begins_in_a_register_of_its_own(module):
    module["cells"]["reset"] = flip_flop("0", RESET)
    before = copy.deepcopy(module["cells"]["reset"])
    reset_globally(FlatModule(module))
    (buffer,) = (cell for cell in module["cells"].values() if cell["type"] == "DCCA")
    (source,) = buffer["connections"]["CLKI"]
    (copied,) = (c for c in module["cells"].values() if c["connections"].get("Q") == [source])
    assert source != RESET
    before["connections"]["Q"] = [source]
    assert copied == before


def test_nets_with_few_stay_as_they_are(module, monkeypatch):
    monkeypatch.setattr(global_nets, "LEAST_RESETS", 4)
    before = copy.deepcopy(module)
    reset_globally(FlatModule(module))
    assert module == before
