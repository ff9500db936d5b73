"""Places of multipliers: which they get, and that the chip has them."""

import json
import re
from itertools import pairwise

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.multiplier_sites import SITES, place_multipliers
from shiftloom.boards.tools import NEXTPNR_ECP5

from .netlists import cell, needs_nextpnr

COLUMNS, ROWS = 16, 8
ARRAY = "accelerator.machine.compute.mac.array.column_{}.multiplier_{}.cell"
TAPS = "accelerator.machine.compute.vector.taps_91.multiplier_{}_0.cell"


def multiplier():
    return cell("MULT18X18D", {"P0": "output"}, "x") | {"attributes": {}, "parameters": {}}


def placed(names):
    """Return the site of each multiplier, along the line of sites."""
    cells = {name: multiplier() for name in names}
    cells["other"] = cell("LUT4", {"Z": "output"}, 2) | {"attributes": {}}
    place_multipliers(FlatModule({"cells": cells, "netnames": {}}))
    assert not cells.pop("other")["attributes"]
    return {name: SITES.index(one["attributes"]["BEL"]) for name, one in cells.items()}


def test_a_column_lies_side_by_side_and_its_lane_beside_it():
    columns = {k: [ARRAY.format(k, row) for row in range(ROWS)] for k in range(COLUMNS)}
    taps = [TAPS.format(lane) for lane in range(COLUMNS)]
    sites = placed([*taps, *(name for column in columns.values() for name in column)])
    for number, column in columns.items():
        first = number * (ROWS + 1)
        assert [sites[name] for name in column] == [*range(first, first + ROWS)]
        assert sites[taps[number]] == first + ROWS


def test_more_multipliers_than_sites_leave_some_to_the_placer():
    names = [ARRAY.format(k, 0) for k in range(len(SITES))]
    assert len(set(placed(names).values())) == len(SITES)
    cells = {name: multiplier() for name in [*names, "more"]}
    place_multipliers(FlatModule({"cells": cells, "netnames": {}}))
    assert sum("BEL" in one["attributes"] for one in cells.values()) == len(SITES)


def test_neighbours_on_the_line_are_neighbours_on_the_chip():
    places = [tuple(map(int, re.match(r"X(\d+)/Y(\d+)/", site).groups())) for site in SITES]
    assert len(set(places)) == len(places)
    for (x, y), (next_x, next_y) in pairwise(places):
        assert abs(next_x - x) < 8 if y == next_y else (next_x == x and abs(next_y - y) == 24)


@needs_nextpnr
def test_the_chip_has_all_sites(tmp_path):
    names = [ARRAY.format(k // ROWS, k % ROWS) for k in range(len(SITES))]
    module = {"cells": {n: multiplier() for n in names}, "netnames": {}, "ports": {}}
    module["attributes"] = {"top": 1}
    place_multipliers(FlatModule(module))
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": module}}))
    chip = ("--85k", "--package", "CABGA381", "--json", "top.json", "--no-route")
    NEXTPNR_ECP5.run([*chip, "--write", "placed.json"], tmp_path)
    cells = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"]
    found = {n: cells[n]["attributes"]["NEXTPNR_BEL"] for n in names}
    assert found == dict(zip(names, SITES, strict=True))
