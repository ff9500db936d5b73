"""Copies of what leads to very many cells: who reads which, and nothing else comes out."""

import copy

import pytest

from shiftloom.boards import copies
from shiftloom.boards.copies import copy_drivers
from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.tools import ToolError

from .netlists import cell, claim_equal, needs_yosys

FLIP_FLOP = {"CLK": "input", "DI": "input", "Q": "output"}
TABLE = {"A": "input", "Z": "output"}
LANES = (10, 2, 1, 0, 11)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two cells are many already."""
    monkeypatch.setattr(copies, "MOST_READERS", 2)
    monkeypatch.setattr(copies, "GROUP", 2)


@pytest.fixture
def module():
    """Return a table in front of a flip-flop that five lanes read, one of which two cells read."""
    cells = {"table": cell("LUT4", TABLE, 3, 4), "register": cell("TRELLIS_FF", FLIP_FLOP, 2, 4, 5)}
    for place, lane in enumerate(LANES):
        cells[f"lane_{lane}"] = cell("LUT4", TABLE, 5, 10 + place)
    cells |= {f"few_{n}": cell("LUT4", TABLE, 10, 20 + n) for n in range(2)}
    return {"cells": cells, "netnames": {"far": {"bits": [40]}}}


def driver(module, lane):
    """Return what drives the input of a lane."""
    flat = FlatModule(module)
    return flat.drivers[flat.cells[f"lane_{lane}"]["connections"]["A"][0]].cell


def read_by(module, lane):
    """Return what drives the input of a lane, and what drives that."""
    register, flat = driver(module, lane), FlatModule(module)
    return register, flat.drivers[flat.cells[register]["connections"]["DI"][0]].cell


def test_neighbours_share_a_copy(module):
    copy_drivers(FlatModule(module))
    registers = {lane: read_by(module, lane)[0] for lane in LANES}
    assert registers[0] == "register"
    assert registers[1] == registers[2] and registers[10] == registers[11]
    assert len(set(registers.values())) == 3


def test_a_copy_brings_its_table_and_reads_the_same(module):
    before = copy.deepcopy(module)
    copy_drivers(FlatModule(module))
    for lane in (1, 10):
        register, table = read_by(module, lane)
        assert register != "register" and table != "table"
        for copied, of in ((register, "register"), (table, "table")):
            assert module["cells"][copied]["type"] == before["cells"][of]["type"]
        assert module["cells"][table]["connections"]["A"] == [3]
        assert module["cells"][register]["connections"]["CLK"] == [2]


def test_a_table_that_leads_to_many_has_copies_too(module):
    module["cells"]["register"]["connections"]["DI"] = ["0"]
    for lane in LANES:
        module["cells"][f"lane_{lane}"]["connections"]["A"] = [4]
    before = set(module["cells"])
    copy_drivers(FlatModule(module))
    copied = [module["cells"][name] for name in set(module["cells"]) - before]
    assert [found["type"] for found in copied] == ["LUT4"] * 2
    assert all(found["connections"]["A"] == [3] for found in copied)


def test_a_wide_table_is_copied_with_both_of_its_halves(module):
    halves = {"ALUT": "input", "BLUT": "input", "C0": "input", "Z": "output"}
    module["cells"]["half"] = cell("LUT4", TABLE, 6, 7)
    module["cells"]["register"] = cell("PFUMX", halves, 4, 7, 8, 5)
    copy_drivers(FlatModule(module))
    wide = {driver(module, lane) for lane in LANES}
    assert len(wide) == 3
    inputs = [module["cells"][name]["connections"] for name in wide]
    assert all(found["C0"] == [8] for found in inputs)
    for port in ("ALUT", "BLUT"):  # no table leads to two of them: it lies beside its own
        assert len({found[port][0] for found in inputs}) == 3


def test_memories_count_as_several(module, monkeypatch):
    monkeypatch.setattr(copies, "MOST_READERS", 11)
    monkeypatch.setattr(copies, "GROUP", 10)
    for lane in LANES[:3]:
        module["cells"][f"lane_{lane}"]["type"] = "DP16KD"
    copy_drivers(FlatModule(module))
    assert len({read_by(module, lane)[0] for lane in LANES}) == 2


def test_what_leads_to_many_lanes_has_copies_for_some_of_them_each(module, monkeypatch):
    monkeypatch.setattr(copies, "MOST_READERS", 100)
    monkeypatch.setattr(copies, "MOST_LANES", 3)
    monkeypatch.setattr(copies, "LANES", 2)
    cells = module["cells"] = {name: module["cells"][name] for name in ("table", "register")}
    places = [
        f"unit.{kind}_{lane}[{bit}]" for kind in "ab" for lane in range(4) for bit in range(2)
    ]
    for number, place in enumerate(places):
        cells[place] = cell("LUT4", TABLE, 5, 10 + number)
    copy_drivers(FlatModule(module))
    reads = {place: cells[place]["connections"]["A"][0] for place in places}
    lanes = [{reads[p] for p in places if f"_{lane}[" in p} for lane in range(4)]
    assert all(len(nets) == 1 for nets in lanes)
    assert lanes[0] == lanes[1] != lanes[2] == lanes[3]


@pytest.mark.parametrize("kind", ["DCCA", "DP16KD", "TRELLIS_DPR16X4", "MULT18X18D", "CCU2C"])
def test_nothing_else_is_copied(module, kind):
    module["cells"]["register"]["type"] = kind
    before = copy.deepcopy(module)
    copy_drivers(FlatModule(module))
    assert module == before


def test_registers_are_near_each_other_by_what_they_hold(module):
    """Their cells' names say less, for synthesis makes them."""
    names = {10 + place: f"held[{lane}]" for place, lane in enumerate(LANES)}
    for lane, name in zip(LANES, ("e", "b", "a", "c", "d"), strict=True):
        (held,) = module["cells"][f"lane_{lane}"]["connections"]["Z"]
        flip_flop = cell("TRELLIS_FF", FLIP_FLOP, 2, 5, held)
        module["cells"][f"lane_{lane}"] = cell("LUT4", TABLE, 3, 50 + lane)
        module["cells"][name] = flip_flop
        module["netnames"][names[held]] = {"bits": [held]}
    copy_drivers(FlatModule(module))
    read = {n: module["cells"][n]["connections"]["DI"][0] for n in "abcde"}
    # Lanes 0; 1 and 2; 10 and 11.
    assert read["c"] == 5
    assert read["a"] == read["b"] and read["e"] == read["d"]
    assert len(set(read.values())) == 3


def test_a_register_that_leads_to_many_copies_has_copies_too(module, monkeypatch):
    monkeypatch.setattr(copies, "MOST_READERS", 3)
    monkeypatch.setattr(copies, "GROUP", 1)
    monkeypatch.setattr(copies, "MOST_COPIES", 3)
    monkeypatch.setattr(copies, "COPIES", 2)
    module["cells"]["table"] = cell("TRELLIS_FF", FLIP_FLOP, 2, 3, 4)
    copy_drivers(FlatModule(module))
    before = {lane: read_by(module, lane)[1] for lane in LANES}
    assert len({read_by(module, lane)[0] for lane in LANES}) == 5
    # Lanes 1 and 2; 10 and 11; that of lane 0 is no copy.
    assert before[0] == "table" and len(set(before.values())) == 2
    assert before[1] == before[2] != before[10] == before[11]


def test_what_leads_to_few_stays_as_it_is(module, monkeypatch):
    monkeypatch.setattr(copies, "MOST_READERS", len(LANES))
    before = copy.deepcopy(module)
    copy_drivers(FlatModule(module))
    assert module == before


def forget(module):
    """Make copies of registers read nothing."""
    copy_drivers(module)
    for name, found in module.cells.items():
        if found["type"] == "TRELLIS_FF" and "_copy_" in name:
            found["connections"]["DI"] = ["0"]


@pytest.fixture
def each_alone(monkeypatch):
    """No two cells share what they read."""
    monkeypatch.setattr(copies, "MOST_READERS", 1)
    monkeypatch.setattr(copies, "GROUP", 1)
    monkeypatch.setattr(copies, "MOST_COPIES", 1)
    monkeypatch.setattr(copies, "COPIES", 1)


@needs_yosys
def test_what_comes_out_stays_the_same(tmp_path, each_alone):
    claim_equal(tmp_path, copy_drivers)


@needs_yosys
def test_other_copies_are_found(tmp_path, each_alone):
    with pytest.raises(ToolError, match="proof did fail"):
        claim_equal(tmp_path, forget)


def test_what_tables_of_copies_read_has_copies_too(module):
    module["cells"]["source"] = cell("TRELLIS_FF", FLIP_FLOP, 2, 6, 3)
    copy_drivers(FlatModule(module))
    tables = {read_by(module, lane)[1] for lane in LANES}
    reads = [module["cells"][name]["connections"]["A"][0] for name in tables]
    assert len(tables) == 3 and len(set(reads)) == 2
    assert {FlatModule(module).kind(net) for net in reads} == {"TRELLIS_FF"}
