"""Registers with a reset come first: which cells get other names, and nothing else changes."""

import copy

import pytest

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.resets_first import FIRST, place_resets_first

from .netlists import cell

FLIP_FLOP = {"DI": "input", "LSR": "input", "Q": "output"}
TABLE = {"A": "input", "Z": "output"}


@pytest.fixture
def module():
    """Return flip-flops behind tables, a carry chain, a constant; two have no reset."""
    cells = {
        "table": cell("LUT4", TABLE, 3, 4),
        "reset": cell("TRELLIS_FF", FLIP_FLOP, 4, 2, 5),
        "other_table": cell("LUT4", TABLE, 3, 6),
        "never_reset": cell("TRELLIS_FF", FLIP_FLOP, 6, "0", 7),
        "sum": cell("CCU2C", TABLE, 3, 8),
        "reset_sum": cell("TRELLIS_FF", FLIP_FLOP, 8, 2, 9),
        "reset_constant": cell("TRELLIS_FF", FLIP_FLOP, "1", 2, 10),
        "without": cell("TRELLIS_FF", {"DI": "input", "Q": "output"}, 4, 11),
    }
    return {"cells": cells, "netnames": {}}


def test_registers_with_a_reset_and_their_tables_come_first(module):
    before = copy.deepcopy(module["cells"])
    place_resets_first(FlatModule(module))
    chosen = {"table", "reset", "reset_sum", "reset_constant"}
    expected = {FIRST + n if n in chosen else n: found for n, found in before.items()}
    assert module["cells"] == expected
    assert sorted(expected)[-len(chosen) :] == sorted(FIRST + name for name in chosen)


def test_what_leads_where_is_known_by_the_new_names(module):
    flat = FlatModule(module)
    place_resets_first(flat)
    again = FlatModule(module)
    assert flat.drivers == again.drivers
    assert flat.readers == again.readers
    assert flat.drivers[4].cell == FIRST + "table"
