"""The verb quantize with methods, training data, reports and PyTorch modules."""

import json
import subprocess
import sys

import numpy as np
import pytest

import shiftloom as sl
from shiftloom.flow.bits import parse_bits
from shiftloom.flow.errors import FlowError
from shiftloom.quant import golden
from shiftloom.quant.export import load_graph

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
METHODS = {"tqt": "W4A8", "qil": "4,4", "lglsq": "W3A3", "lsbq": "W1A2"}


@pytest.fixture
def data(tmp_path):
    """Return a file of training samples for the network of the files, with labels."""
    rng = np.random.default_rng(5)
    path = tmp_path / "data.npz"
    np.savez(path, x=rng.normal(size=(20, 3, 8, 8)), labels=rng.integers(0, 45, 20))
    return path


@pytest.mark.parametrize("text", ["W4A8", "w4a8", "4,8", " 4, 8 "])
def test_bits_are_read(text):
    assert parse_bits(text) == (4, 8)


@pytest.mark.parametrize("text", ["", "4", "W4", "A8W4", "44,8", "4;8"])
def test_other_bits_are_refused(text):
    with pytest.raises(FlowError, match="must be like W4A8 or 4,8"):
        parse_bits(text)


def test_static_report(files, shiftloom, tmp_path):
    words = ("quantize", files / "model.onnx", "--calibration", files / "images.npy")
    report = tmp_path / "report"
    status, out, _ = shiftloom(
        *words, "--bits", "4,6", "--report", report, "-o", tmp_path / "m.onnx"
    )
    assert status == 0
    assert "SQNR" in out
    found = json.loads((report / "quantization.json").read_text())
    assert [(v["weight_bits"], v["output_bits"]) for v in found["layers"]] == [(8, 6), (8, 6)]
    assert all(10 < layer["sqnr"] < 60 for layer in found["layers"])
    assert (report / "quantization.md").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "lsq"), "lsq"),
        (("--bits", "eight"), "must be like W4A8"),
        (("--resume",), "--resume needs --checkpoint"),
        (("--labels", "l.npy"), "--labels needs --train"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_options_that_make_no_sense(files, shiftloom, tmp_path, words, message):
    target = tmp_path / "m.onnx"
    status, _, err = shiftloom("quantize", files / "model.onnx", "-o", target, *words)
    assert status == 2
    assert message in err
    assert not target.exists()


def test_missing_torch_is_named(files, tmp_path):
    """A finder in front of all others hides PyTorch, as if it were not installed."""
    hide = (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError('No module named torch', name='torch')\n"
        "sys.meta_path.insert(0, Hide())\n"
        "from shiftloom.flow.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["quantize", files / "model.onnx", "--method", "qil", "-o", tmp_path / "m.onnx"]
    command = [sys.executable, "-c", hide, *(str(word) for word in words), "--bits", "W4A4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'shiftloom[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_training_on_the_command_line(files, shiftloom, data, tmp_path, method):
    pytest.importorskip("torch", reason=REASON)
    target, folder = tmp_path / "m.onnx", tmp_path / "checkpoint"
    words = ("quantize", files / "model.onnx", "--method", method, "--bits", METHODS[method])
    more = ("--train", data, "--batch", "8", "--checkpoint", folder, "--json")
    report = ("--report", tmp_path / "report", "--calibration", files / "images.npy")
    status, out, _ = shiftloom(*words, *more, *report, "-o", target)
    assert status == 0
    assert json.loads(out)["report"] == str(tmp_path / "report")
    found = json.loads((tmp_path / "report" / "quantization.json").read_text())
    assert found["method"] == method
    assert len(found["layers"]) == 2
    graph = load_graph(target)
    result = golden.predict(graph, {"x": np.load(files / "images.npy")})
    status, _, _ = shiftloom(*words, *more[:6], "--resume", *report, "-o", tmp_path / "again.onnx")
    assert status == 0
    again = golden.predict(
        load_graph(tmp_path / "again.onnx"), {"x": np.load(files / "images.npy")}
    )
    assert all((again[name] == values).all() for name, values in result.items())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(19), "one whole number for each of 20 samples"),
        (np.full(20, 45), "0 to 44, one for each output"),
        (np.full(20, 0.5), "one whole number"),
    ],
)
def test_labels_that_do_not_fit(files, shiftloom, tmp_path, labels, message):
    pytest.importorskip("torch", reason=REASON)
    np.save(tmp_path / "x.npy", np.zeros((20, 3, 8, 8), np.float32))
    np.save(tmp_path / "l.npy", labels)
    words = ("--train", tmp_path / "x.npy", "--labels", tmp_path / "l.npy")
    status, _, err = shiftloom("quantize", files / "model.onnx", *words, "-o", tmp_path / "m.onnx")
    assert status == 2
    assert message in err


def module(torch, slope):
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(slope) if slope else nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 5),
    )


@pytest.mark.parametrize("slope", [0, 0.125])
def test_modules_are_quantized(slope):
    torch = pytest.importorskip("torch", reason=REASON)
    net = module(torch, slope)
    images = np.random.default_rng(0).standard_normal((20, 3, 8, 8)).astype(np.float32)
    with torch.no_grad():
        for _ in range(9):
            net(torch.from_numpy(images))  # batch norms get statistics
        wanted = net.eval()(torch.from_numpy(images)).numpy()
    net[1].train()
    graph = sl.quantize(net, images)
    assert [part.training for part in net[:3]] == [False, True, False]
    (found,) = golden.predict(graph, {"input": images}).values()
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    trained = sl.quantize(net, train={"input": images, "labels": np.arange(20) % 5}, bits=(4, 8))
    (result,) = golden.predict(trained, {"input": images}).values()
    assert result.shape == (20, 5)


def test_module_without_samples_is_refused():
    torch = pytest.importorskip("torch", reason=REASON)
    with pytest.raises(FlowError, match="they say its shapes"):
        sl.quantize(torch.nn.Conv2d(1, 1, 1))
