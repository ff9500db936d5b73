"""Lookup tables in front of flip-flops: where nothing else gives them data, and nothing changes."""

import copy

import pytest

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.lut_entries import enter_by_luts
from shiftloom.boards.tools import ToolError

from .netlists import cell, claim_equal, needs_yosys

FLIP_FLOP = {"CLK": "input", "DI": "input", "Q": "output"}
TABLE = {"A": "input", "Z": "output"}


def module():
    """Three flip-flops: behind a table, behind the first, with a constant."""
    cells = {
        "table": cell("LUT4", TABLE, 3, 4),
        "first": cell("TRELLIS_FF", FLIP_FLOP, 2, 4, 5),
        "second": cell("TRELLIS_FF", FLIP_FLOP, 2, 5, 6),
        "constant": cell("TRELLIS_FF", FLIP_FLOP, 2, "1", 7),
    }
    return {"cells": cells, "netnames": {"far": {"bits": [40]}}}


def test_only_a_flip_flop_behind_another_gets_a_table():
    before = module()
    after = copy.deepcopy(before)
    enter_by_luts(FlatModule(after))
    (added,) = after["cells"].keys() - before["cells"].keys()
    table, second = after["cells"][added], after["cells"]["second"]
    assert table["type"] == "LUT4" and table["connections"]["A"] == [5]
    assert second["connections"]["DI"] == table["connections"]["Z"] == [41]
    for name in ("table", "first", "constant"):
        assert after["cells"][name] == before["cells"][name]


def invert(module):
    """Make the tables give the opposite."""
    enter_by_luts(module)
    for name, found in module.cells.items():
        if name.endswith("_entry"):
            found["parameters"]["INIT"] = "01" * 8


@needs_yosys
def test_what_comes_out_stays_the_same(tmp_path):
    claim_equal(tmp_path, enter_by_luts)


@needs_yosys
def test_other_tables_are_found(tmp_path):
    with pytest.raises(ToolError, match="proof did fail"):
        claim_equal(tmp_path, invert)
