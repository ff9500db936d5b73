"""Registers: a map without holes or overlaps, known by name."""

import pytest

from shiftloom.isa.registers import REGISTERS, register


def test_registers_follow_each_other():
    assert [r.offset for r in REGISTERS] == list(range(0, 4 * len(REGISTERS), 4))
    assert len({r.name for r in REGISTERS}) == len(REGISTERS)
    assert {r.access for r in REGISTERS} == {"rw", "ro"}
    assert all(r.meaning.endswith(".") for r in REGISTERS)


def test_register_by_name():
    assert register("BASE3").offset == 0x2C
    with pytest.raises(KeyError, match="NOTHING"):
        register("NOTHING")
