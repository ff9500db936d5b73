"""Which package may import which, and what no module may do."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "isa": set(),
    "quant": {"isa"},
    "compiler": {"isa", "quant"},
    "sim": {"isa"},
    "hw": {"isa"},
    "boards": {"isa", "hw"},
    "flow": {"isa", "quant", "compiler", "sim", "hw", "boards"},
    "api": {"flow"},
}
WITHOUT_AMARANTH = ("isa", "quant", "compiler", "sim")

#: Optional or slow to import: only inside the functions that need them.
HEAVY = {"distributed", "matplotlib", "onnxruntime", "sklearn", "torch"}

#: What a person reads in one go; 140 to 220 is what to aim at.
MOST_LINES = 320

MODULES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imported(node, path):
    """Yield the dotted names that an import statement of a module takes from outside."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        # The folder api is the package shiftloom itself, all others lie in it.
        folders = path.relative_to(ROOT).parent.parts
        inside = ["shiftloom", *(folders[1:] if folders[0] == "api" else folders)]
        base = inside[: len(inside) + 1 - node.level] if node.level else []
        whole = ".".join([*base, *([node.module] if node.module else [])])
        yield whole
        for alias in node.names:
            yield f"{whole}.{alias.name}"


def imports(path, *, module_level=False):
    """Return the dotted names that a module imports, anywhere or when it is imported itself."""
    nodes, found = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while nodes:
        node = nodes.pop()
        found.update(imported(node, path))
        if not (module_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            nodes.extend(ast.iter_child_nodes(node))
    return found


def packages(names):
    """Return our packages among dotted names."""
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "shiftloom" and len(p) > 1} & ALLOWED.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_package_may(path):
    package = path.relative_to(ROOT).parts[0]
    names = imports(path)
    assert packages(names) <= ALLOWED[package] | {package}
    outside = {name.partition(".")[0] for name in names}
    assert "tests" not in outside
    if package in WITHOUT_AMARANTH:
        assert "amaranth" not in outside


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_quick_to_import_and_to_read(path):
    names = imports(path, module_level=True)
    trains = path.is_relative_to(ROOT / "quant" / "train")
    heavy = HEAVY - {"torch"} if trains else HEAVY
    assert not heavy & {name.partition(".")[0] for name in names}
    assert trains or not any(name.startswith("shiftloom.quant.train") for name in names)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_folder_shadows_the_installed_package():
    assert not (ROOT / "shiftloom").exists()


def test_every_package_has_a_rule():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found - {"tests", "benchmarks"} == ALLOWED.keys()


def test_forbidden_imports_are_found():
    sources = {
        "from ..hw.machine import Machine": {"hw"},
        "from .. import hw, sim": {"hw", "sim"},
        "import shiftloom.hw.machine as machine": {"hw"},
        "from shiftloom import compiler": {"compiler"},
        "from .machine import Machine": {"sim"},
        "import numpy.random": set(),
    }
    path = ROOT / "sim" / "golden.py"
    for source, expected in sources.items():
        statement = ast.parse(source).body[0]
        assert packages(imported(statement, path)) == expected, source
