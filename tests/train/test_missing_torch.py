"""Without PyTorch everything but training works, and training says what is missing."""

import importlib
import sys

import pytest


def test_training_names_the_extra_to_install(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("shiftloom.quant.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'shiftloom\[train\]'"):
        importlib.import_module("shiftloom.quant.train.tqt")


@pytest.mark.parametrize("name", ["comparators", "lglsq", "lsbq", "planes", "qil", "tqt"])
def test_deployment_needs_no_torch(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, f"shiftloom.quant.quantizers.{name}", raising=False)
    importlib.import_module(f"shiftloom.quant.quantizers.{name}")
