"""The serial machine's limits: which configurations there are, and which instructions."""

from dataclasses import replace

import pytest

from shiftloom.compiler import compile as compile_module
from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import ConfigError, load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.semantics import Machine, execute
from shiftloom.isa.serial import check_serial
from tests.support.graph_builder import Builder

ICE = load_config("icebreaker")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serial": 3}, "serial must be 0, 1 or 2, not 3"),
        ({"serial": 2}, "rows must be 8 with serial = 2, not 4"),
        ({"columns": 8}, "columns must be 4 in a serial machine, not 8"),
        ({"bus_bytes": 8}, "bus_bytes must be 4 in a serial machine, not 8"),
        ({"vector_taps": 3}, "vector_taps must be 1 in a serial machine, not 3"),
        ({"threshold_bits": 4}, "threshold_bits must be 0 in a serial machine, not 4"),
        ({"weight_bytes": 3072}, "weight_bytes must be a power of two up to 16384 words"),
        ({"activation_bytes": 1 << 17}, "activation_bytes must be a power of two up to 16384"),
    ],
)
def test_other_serial_machines_do_not_exist(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(ICE, **change)


def test_identities_of_other_machines_are_what_they_were():
    assert load_config("base").id == 0x9506ABED
    assert replace(ICE, serial=0).id != ICE.id


@pytest.mark.parametrize(
    ("opcode", "fields", "message"),
    [
        (Opcode.MAC_LOOPS, {"columns": 256}, "MAC_LOOPS.columns is at most 255 in configuration"),
        (Opcode.MAC_LOOPS, {"folded": 1}, "folded is at most 0"),
        (Opcode.MAC_LOOPS, {"groups": 2}, "groups is at most 1"),
        (Opcode.MAC_LOOPS, {"row_stride": 6}, "row_stride is a multiple of 4 in .*, not 6"),
        (Opcode.MAC, {"addr": -3}, "MAC.addr is a multiple of 4"),
        (Opcode.MAC, {"weight_addr": 3}, "weight_addr is a multiple of 2 in .*, not 3"),
        (Opcode.VECTOR_REQUANTIZE, {"threshold_bits": 1}, "threshold_bits is at most 0"),
        (Opcode.LOAD, {"runs": 256}, "LOAD.runs is at most 255"),
    ],
)
def test_instructions_beyond_the_limits_are_refused(opcode, fields, message):
    instruction = Instruction(opcode, fields)
    with pytest.raises(ValueError, match=message):
        check_serial(ICE, instruction, {})
    machine = Machine(ICE, [])
    needed = dict.fromkeys(("blocks", "groups", "kernel_rows", "kernel_columns", "columns"), 1)
    if opcode is Opcode.MAC:
        execute(machine, Instruction(Opcode.MAC_LOOPS, needed))
    with pytest.raises(ValueError, match=message):
        execute(machine, instruction)


def test_positions_far_out_are_refused():
    loops = Instruction(Opcode.MAC_LOOPS, {"kernel_rows": 3, "kernel_row_y": 63})
    settings = {Opcode.MAC_LOOPS: loops}
    near = Instruction(Opcode.MAC, {"rows": 13, "y": 384})
    check_serial(ICE, near, settings)
    for work in ({"rows": 1, "y": 386}, {"rows": 1, "y": -513}):
        with pytest.raises(ValueError, match=r"MAC.y moves from .* positions are -512…511"):
            check_serial(ICE, Instruction(Opcode.MAC, work), settings)


@pytest.mark.parametrize(
    ("rows", "message"),
    [(256, "rows and columns can be at most 255"), (8, "bytes are too many: .* reaches 1024")],
)
def test_networks_that_are_too_large_are_named(monkeypatch, rows, message):
    monkeypatch.setattr(compile_module, "address_bits", lambda config: 10)
    builder = Builder(1)
    graph = builder.graph([builder.conv(builder.input((4, rows)))])
    with pytest.raises(CompileError, match=message):
        compile_graph(graph, ICE)
