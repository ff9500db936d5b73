"""Reports: cells by block, and the longest path by signal."""

import json

import pytest

from shiftloom.boards.families import FAMILIES
from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.netlist import block_of, count_blocks
from shiftloom.boards.timing import read_timing


def cell(kind, inputs, outputs):
    ports = {f"I{k}": [net] for k, net in enumerate(inputs)}
    ports |= {f"O{k}": [net] for k, net in enumerate(outputs)}
    directions = {port: "input" if port[0] == "I" else "output" for port in ports}
    return {"type": kind, "connections": ports, "port_directions": directions}


def module_of(cells):
    return FlatModule({"cells": cells, "netnames": {}})


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("system.accelerator.machine.compute.mac.array.column_3.product_1", "compute.mac.array"),
        ("system.accelerator.control.enable", "control"),
        ("system.link.receiver.count", "link.receiver"),
        ("zz.system.link.receiver.count", "link.receiver"),
        ("led", "(between blocks)"),
    ],
)
def test_blocks_by_name(name, block):
    assert block_of(name) == block


def test_logic_belongs_to_what_it_feeds():
    cells = {
        "system.link.word_FF": cell("TRELLIS_FF", [12], [1]),
        "system.memory.words.0": cell("DP16KD", [14, "0"], [2]),
        "anonymous_1": cell("LUT4", [1, 2], [11]),
        "anonymous_2": cell("LUT4", [11], [12]),
        "carry": cell("CCU2C", [1], [13, 14]),
        "loop_a": cell("LUT4", [22], [21]),
        "loop_b": cell("LUT4", [21], [22]),
        "buffer": cell("TRELLIS_IO", [1], []),
    }
    assert count_blocks(module_of(cells), FAMILIES["ecp5"]) == {
        "link": {"FF": 1, "LUT": 2},
        "memory.words": {"memory": 1, "LUT": 2},
        "(between blocks)": {"LUT": 2},
    }


def step(kind, delay, name, net=None):
    entry = {"type": kind, "delay": delay, "to": {"cell": name}}
    return entry | ({"net": net} if net else {})


def test_the_path_of_the_slowest_clock(tmp_path):
    slow = "posedge slow"
    steps = [
        step("clk-to-q", 0.5, "block.count_TRELLIS_FF_Q_3"),
        step("routing", 1.0, "x", "block.count[3]"),
        step("logic", 0.4, "block.sum_CCU2C_S0"),
        step("routing", 0.0, "x", "block.sum_CCU2C_S0_COUT"),
        step("logic", 0.25, "block.sum_CCU2C_S0_1"),
        step("setup", 0.25, "zz.block.next_TRELLIS_FF_Q"),
    ]
    report = {
        "fmax": {"slow": {"achieved": 40.0}, "fast": {"achieved": 90.0}},
        "critical_paths": [
            {"from": "<async>", "to": slow, "path": []},
            {"from": slow, "to": slow, "path": steps},
        ],
        "utilization": {
            "DP16KD": {"used": 3, "available": 208},
            "GSR": {"used": 0, "available": 1},
        },
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    timing = read_timing(path)
    assert timing.achieved_mhz == 40.0 and timing.levels == 2
    assert timing.logic_ns == pytest.approx(1.4) and timing.routing_ns == 1.0
    found = [(s.signal, s.at) for s in timing.path]
    assert found == [
        *(("block.count", 0.5), ("block.count[3]", 1.5)),
        *(("block.sum", 1.9), ("block.next", 2.4)),
    ]
    assert timing.used == {"DP16KD": (3, 208)}


@pytest.mark.parametrize(
    ("cells", "shortage"),
    [
        ({"DFFE": 15_551, "DFF": 1, "LUT3": 5_184}, ""),
        ({"DFFE": 15_553}, "15,553 flip-flops of 15,552"),
        # A distributed memory takes eight LUTs and six flip-flops as a whole.
        ({"DFFRE": 15_540, "RAM16SDP4": 2}, ""),
        ({"DFFRE": 15_540, "RAM16SDP4": 3}, "15,558 flip-flops of 15,552"),
        ({"ALU": 10_000, "LUT4": 10_729, "RAM16SDP4": 1}, "20,737 LUTs of 20,736"),
    ],
)
def test_what_gowins_chip_has_too_few_of(cells, shortage):
    assert FAMILIES["gowin"].shortage(module_of(_netlist(cells))) == shortage


def _netlist(counts):
    """Return cells whose outputs and inputs are bits of their own."""
    types = [kind for kind, count in counts.items() for _ in range(count)]
    directions = {"D": "input", "F": "output"}
    return {
        f"{kind}_{n}": {
            "type": kind,
            "connections": {"D": [2 * n], "F": [2 * n + 1]},
            "port_directions": directions,
        }
        for n, kind in enumerate(types)
    }


def test_gowins_flip_flops_without_logic_of_their_own_take_luts():
    cells = _netlist({"LUT4": 7_000, "ALU": 3_000, "DFFE": 10_737})

    def shortage():
        return FAMILIES["gowin"].shortage(module_of(cells))

    assert shortage() == "20,737 LUTs of 20,736"
    logic = cells["LUT4_5"]["connections"]["F"]
    cells["DFFE_20000"]["connections"]["D"] = logic
    assert shortage() == ""
    # A second one beside the same lookup table has no place.
    cells |= {"DFF_1": {**cells["DFFE_20001"], "type": "DFF"}}
    cells["DFF_1"]["connections"] = {"D": logic, "F": [0]}
    assert shortage() == "20,737 LUTs of 20,736"
