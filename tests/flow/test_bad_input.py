"""Files that are damaged, hostile or do not fit: one message, status 2, no file."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from shiftloom.flow.cli import ERROR
from shiftloom.isa.program import load_program
from tests.flow.conftest import network


@pytest.fixture
def fails(shiftloom, tmp_path):
    """Return a function that runs a command that must fail and must not leave a file."""

    def run(*words):
        before = sorted(tmp_path.rglob("*"))
        status, out, err = shiftloom(*words)
        assert (status, out) == (ERROR, "")
        assert err.startswith("error:")
        assert "mistake in Shiftloom" not in err
        assert sorted(tmp_path.rglob("*")) == before
        return " ".join(err.split())

    return run


def damaged(path, target, kind):
    """Write a damaged copy of a file."""
    data = path.read_bytes()
    damages = {
        "empty": b"",
        "text": b"This is not the file that you are looking for.\n",
        "short": data[: len(data) // 2],
        "start": data[:20],
        "zeros": bytes(len(data)),
        "long header": (1 << 62).to_bytes(8, "little") + data[8:],
    }
    target.write_bytes(damages[kind])
    return target


DAMAGES = ("empty", "text", "short", "start", "zeros", "long header")


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("command", ["check", "quantize", "info"])
def test_damaged_models(command, kind, files, tmp_path, fails):
    model = damaged(files / "model.onnx", tmp_path / "model.onnx", kind)
    words = ("-o", tmp_path / "out") if command == "quantize" else ()
    assert str(model) in fails(command, model, *words)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("command", ["compile", "verify", "info"])
def test_damaged_networks(command, kind, files, tmp_path, fails):
    network = damaged(files / "model.q.onnx", tmp_path / "model.q.onnx", kind)
    words = {"compile": ("-o", tmp_path / "out"), "verify": ("--config", "tiny")}
    assert str(network) in fails(command, network, *words.get(command, ()))


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("command", ["simulate", "verify", "info"])
def test_damaged_programs(command, kind, files, tmp_path, fails):
    program = damaged(files / "model.program", tmp_path / "model.program", kind)
    words = {"simulate": ("--input", files / "images.npy", "-o", tmp_path / "out")}
    assert str(program) in fails(command, program, *words.get(command, ()))


@pytest.mark.parametrize("command", ["check", "quantize", "compile", "simulate", "verify", "info"])
def test_files_that_are_missing(command, files, tmp_path, fails):
    words = {
        "quantize": ("-o", tmp_path / "out"),
        "compile": ("-o", tmp_path / "out"),
        "simulate": ("--input", files / "images.npy"),
        "verify": ("--config", "tiny"),
    }
    message = fails(command, tmp_path / "absent", *words.get(command, ()))
    assert "absent" in message
    assert "no such file" in message.lower()


def test_float_models_are_not_compiled(files, tmp_path, fails):
    message = fails("compile", files / "model.onnx", "-o", tmp_path / "out")
    assert "shiftloom quantize" in message


def test_networks_that_were_changed(files, tmp_path, fails):
    model = onnx.load(files / "model.q.onnx")
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.flat[0] ^= 1
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(weight, model.graph.initializer[0].name)
    )
    onnx.save(model, tmp_path / "model.q.onnx")
    assert "changed" in fails("compile", tmp_path / "model.q.onnx", "-o", tmp_path / "out")


@pytest.mark.parametrize("command", ["generate", "compile", "verify", "demo"])
@pytest.mark.parametrize("kind", ["name", "missing", "text", "field", "value", "type"])
def test_configurations(command, kind, files, tmp_path, fails):
    texts = {
        "text": ("not = a = file", "not a TOML file"),
        "field": ("name = 'x'\nrowz = 4", "did you mean rows?"),
        "value": ("name = 'x'\nrows = 99", "missing"),
        "type": ("name = 'x'\nrows = '4'", "must be of type int"),
    }
    path, message = tmp_path / "own.toml", "no configuration"
    if kind in texts:
        path.write_text(texts[kind][0])
        message = texts[kind][1]
    words = {
        "generate": ("-o", tmp_path / "out"),
        "compile": (files / "model.q.onnx", "-o", tmp_path / "out"),
        "verify": (files / "model.q.onnx",),
        "demo": ("-o", tmp_path / "out"),
    }
    config = "bass" if kind == "name" else path
    assert message in fails(command, *words[command], "--config", config)


def test_programs_for_another_configuration(files, fails):
    message = fails("verify", files / "model.program", "--config", "base")
    assert "for configuration tiny" in message
    assert "not for base" in message


def test_networks_without_configuration(files, fails):
    assert "--config base" in fails("verify", files / "model.q.onnx")


@pytest.mark.parametrize("command", ["simulate", "verify", "quantize"])
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full((2, 3, 8, 8), np.nan), "NaN"),
        (np.full((2, 3, 8, 8), -np.inf), "NaN or infinite"),
        (np.zeros((2, 8, 8, 3)), "(samples, 3, 8, 8)"),
        (np.zeros((3, 8, 8)), "(samples, 3, 8, 8)"),
        (np.zeros((0, 3, 8, 8)), "no samples"),
        (np.zeros((2, 3, 8, 8), complex), "only numbers"),
    ],
    ids=["nan", "inf", "layout", "no batch", "empty", "complex"],
)
def test_samples(command, samples, message, *, files, tmp_path, fails):
    np.save(tmp_path / "x.npy", samples)
    words = {
        "simulate": (files / "model.program", "-o", tmp_path / "out", "--input"),
        "verify": (files / "model.program", "--report", tmp_path / "out", "--inputs"),
        "quantize": (files / "model.onnx", "-o", tmp_path / "out", "--calibration"),
    }
    assert message in fails(command, *words[command], tmp_path / "x.npy")


def test_weights_that_are_no_numbers(files, tmp_path, fails):
    model = network()
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.flat[0] = np.nan
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(weight, model.graph.initializer[0].name)
    )
    onnx.save(model, tmp_path / "model.onnx")
    words = ("--calibration", files / "images.npy", "-o", tmp_path / "out")
    assert "SL-Q106" in fails("quantize", tmp_path / "model.onnx", *words)


def test_layers_that_do_not_fit(files, tmp_path, fails):
    text = "name = 'less'\nrows = 2\ncolumns = 2\nbus_bytes = 4\nactivation_bytes = 32\n"
    text += "weight_bytes = 64\nparameter_bytes = 64\naccumulator_pixels = 8\n"
    (tmp_path / "less.toml").write_text(text)
    words = ("--config", tmp_path / "less.toml", "-o", tmp_path / "out")
    fails("compile", files / "model.q.onnx", *words)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graph": b""}, "network in the program"),
        ({"graph": b"garbage"}, "network in the program"),
        ({"inputs": ("y",)}, "y"),
        ({"code": bytes(64)}, "program"),
    ],
    ids=["no graph", "graph", "inputs", "code"],
)
@pytest.mark.parametrize("command", ["simulate", "verify"])
def test_programs_that_contradict_themselves(command, change, message, *, files, tmp_path, fails):
    program = dataclasses.replace(load_program(files / "model.program"), **change)
    (tmp_path / "model.program").write_bytes(program.to_bytes())
    inputs = ("--input", files / "images.npy")
    assert message in fails(command, tmp_path / "model.program", *inputs)


def test_outputs_that_cannot_be_written(files, tmp_path, fails):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    words = (files / "model.onnx", "--calibration", files / "images.npy", "-o")
    fails("quantize", *words, tmp_path / "file" / "model.q.onnx")
    fails("quantize", *words, tmp_path / "folder")
    fails("compile", files / "model.q.onnx", "--config", "tiny", "-o", tmp_path / "folder")
    fails("generate", "--config", "tiny", "-o", tmp_path / "file")
