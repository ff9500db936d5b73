"""Layers that cannot fit: what ``check`` says is what the compiler refuses."""

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.compiler.fit import misfits
from shiftloom.isa.config import load_config
from shiftloom.isa.reach import longest_side
from tests.support.graph_builder import Builder


def tall(rows):
    """Return a network of one layer on a map of so many rows and one column."""
    builder = Builder(1)
    return builder.graph([builder.conv(builder.input((1, rows, 1)), "dense", channels=1)])


@pytest.mark.parametrize(("name", "side"), [("icebreaker", 255), ("tiny", 4095)])
def test_sides_of_maps(name, side):
    config = load_config(name)
    assert longest_side(config) == side
    assert misfits(tall(side), config) == []
    assert compile_graph(tall(side), config).layers
    (misfit,) = misfits(tall(side + 1), config)
    assert misfit.reason == f"a feature map of {side + 1} rows or columns"
    assert misfit.remedy == f"at most {side}"
    with pytest.raises(CompileError, match=rf"x{side + 1}x\d+ is too large.* at most {side}$"):
        compile_graph(tall(side + 1), config)
