"""``import shiftloom as sl``."""

import inspect
import subprocess
import sys

import pytest

import shiftloom as sl


def test_import_loads_nothing_heavy():
    code = (
        "import sys, shiftloom\n"
        "heavy = {'numpy', 'onnx', 'amaranth', 'rich', 'cyclopts'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sl.__all__)
def test_everything_promised_is_there(name):
    assert name in dir(sl)
    assert inspect.getdoc(getattr(sl, name))


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        _ = sl.quantise


def test_path_from_model_to_outputs(files):
    images = sl.simulate(files / "model.program", files / "images.npy").outputs["t2"]
    graph = sl.quantize(files / "model.q.onnx")
    program = sl.compile(graph, sl.load_config("tiny"))
    assert (sl.simulate(program, files / "images.npy").outputs["t2"] == images).all()
