"""The demo: from a float model to Verilog that gives the same integers."""

import json

import pytest

from shiftloom.flow.cli import main
from shiftloom.flow.demonstration import DEMO

pytestmark = pytest.mark.rtl


def test_demo(tmp_path, capfd):
    assert main(["demo", "-o", str(tmp_path / "demo"), "--samples", "4", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    found = result["verification"]
    assert found["equal"]
    assert found["tensors"] == len(found["times"]["layers"])
    assert found["times"]["cycles"] == found["counters"]["CYCLES"]
    assert result["accuracy"] >= 0.97
    assert result["digits"] == result["labels"]
    for name in ("digits.q.onnx", "digits.program", "report/report.md", "verilog/shiftloom_tiny.v"):
        assert (tmp_path / "demo" / name).stat().st_size
    assert json.loads((tmp_path / "demo" / "report" / "report.json").read_text()) == found


@pytest.mark.slow
@pytest.mark.parametrize("config", ["small", "odd", "base"])
@pytest.mark.parametrize("options", [[], ["--two-stage"], ["--per-channel", "--weight-bits", "4"]])
def test_digits_on_other_accelerators(config, options, tmp_path):
    network = str(tmp_path / "digits.q.onnx")
    data = ["--calibration", str(DEMO / "calibration.npy")]
    assert main(["quantize", str(DEMO / "digits.onnx"), *data, "-o", network, *options]) == 0
    inputs = ["--inputs", str(DEMO / "digits.npz"), "--samples", "3"]
    assert main(["verify", network, "--config", config, *inputs]) == 0
