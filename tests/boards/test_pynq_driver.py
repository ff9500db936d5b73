"""The PYNQ driver: from its calls through registers and memory to the Verilog, and back."""

import ast
from dataclasses import replace

import numpy as np
import pytest

from shiftloom.boards.ip.package import pynq_driver
from shiftloom.flow.compile import compile as compile_program
from shiftloom.flow.deploy import deployed
from shiftloom.isa.config import ISA_VERSION, load_config
from shiftloom.isa.program import HostStep, Place
from shiftloom.quant import golden
from shiftloom.sim.memory import read_tensor, write_tensor
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes
from tests.support.pynq import Board, import_driver

TINY = load_config("tiny")
TOP = "shiftloom_tiny"
DESCRIPTION = {"type": f"shiftloom:accelerator:{TOP}:{ISA_VERSION}.0"}


@pytest.fixture
def board(engine_of):
    """Return a board whose accelerator is the session's compiled one, after a reset."""
    bench = engine_of(TINY)._bench
    bench.reset()
    yield Board(bench)
    bench.unmap()
    bench.reset()


@pytest.fixture
def driver(board, monkeypatch):
    """Return the driver's module."""
    return import_driver(pynq_driver(TOP), board, monkeypatch)


@pytest.fixture
def accelerator(driver):
    """Return the accelerator, as the overlay makes it."""
    return driver.Accelerator(DESCRIPTION)


@pytest.fixture(scope="module")
def graph():
    """Return a network whose inputs lie in memory in each of the three layouts."""
    builder = Builder(5)
    inputs = builder.input((3, 9)), builder.input((8, 5)), builder.input((2, 12, 12))
    return builder.graph([builder.conv(name) for name in inputs])


@pytest.fixture(scope="module")
def program(graph):
    """Return its program."""
    found = compile_program(graph, TINY)
    layouts = {(place.layout, bool(place.unroll)) for place in found.places}
    assert layouts == {("blocked", False), ("folded", False), ("folded", True)}
    assert {place.signed for place in found.places} == {True, False}
    return found


@pytest.fixture
def folder(graph, program, tmp_path):
    """Return a folder with the program and three samples."""
    codes = random_codes(graph, seed=2, samples=3)
    for name, data in deployed(program, codes).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def changed(folder, change):
    """Change the arrays of the samples' file."""
    with np.load(folder / "samples.npz") as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(folder / "samples.npz", **arrays)


def test_it_needs_pynq_and_numpy_alone():
    tree = ast.parse(pynq_driver(TOP), feature_version=(3, 8))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"json", "time", "numpy", "pynq"}


def test_it_binds_to_the_component(driver):
    assert driver.Accelerator.bindto == (DESCRIPTION["type"],)


@pytest.mark.rtl
def test_all_integers_are_those_of_the_golden_network(accelerator, graph, folder):
    codes = random_codes(graph, seed=9)
    expected = golden.run(graph, codes)
    accelerator.load(folder / "model.program")
    found = accelerator.run(**{name: values[0] for name, values in codes.items()})
    assert sorted(found) == sorted(graph.outputs)
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name][0], err_msg=name)
    assert accelerator.register("MAC_WORK") > 0
    assert accelerator.compare(folder / "samples.npz") is None


@pytest.mark.rtl
def test_the_first_difference_is_named(accelerator, folder):
    def change(arrays):
        arrays["output.t5"][1, 1, 0, 0] += 1
        found.append(arrays["output.t5"][1, 1, 0, 0])

    found = []
    changed(folder, change)
    accelerator.load(folder / "model.program")
    answer = accelerator.compare(folder / "samples.npz")
    assert answer == f"sample 1, t5[1, 0, 0]: {found[0] - 1}, not {found[0]}"


@pytest.mark.rtl
@pytest.mark.parametrize("missing", ["flush", "invalidate"])
def test_caches_matter(missing, board, folder, monkeypatch):
    text = pynq_driver(TOP).replace(f".{missing}()", ".view()")
    accelerator = import_driver(text, board, monkeypatch).Accelerator(DESCRIPTION)
    accelerator.load(folder / "model.program")
    try:
        assert accelerator.compare(folder / "samples.npz") is not None
    except RuntimeError as error:
        assert "stopped at instruction" in str(error)


@pytest.mark.rtl
def test_an_error_of_the_machine_is_explained_and_forgotten(accelerator, driver, folder, program):
    code = bytearray(program.code)
    code[32 * 3] = 0xEE
    replace(program, code=bytes(code)).save(folder / "broken.program")
    with np.load(folder / "samples.npz") as file:
        sample = {n[6:]: file[n][0] for n in file.files if n.startswith("input.")}
    accelerator.load(folder / "broken.program")
    with pytest.raises(driver.ShiftloomError, match="at instruction 3: No such opcode"):
        accelerator.run(**sample)
    accelerator.load(folder / "model.program")
    assert accelerator.compare(folder / "samples.npz") is None


def test_memory_is_given_back(accelerator, board, folder):
    accelerator.load(folder / "model.program")
    accelerator.load(folder / "model.program")
    assert len(board.live) == 5
    accelerator.free()
    assert not board.live


def test_programs_that_cannot_run_here_are_refused(accelerator, driver, folder, graph, program):
    compile_program(graph, load_config("small")).save(folder / "small.program")
    with pytest.raises(driver.ShiftloomError, match="is for an accelerator with id 0x"):
        accelerator.load(folder / "small.program")
    steps = (*program.steps, HostStep(node="softmax"))
    replace(program, steps=steps).save(folder / "host.program")
    with pytest.raises(driver.ShiftloomError, match="node softmax runs on the host, not here"):
        accelerator.load(folder / "host.program")
    (folder / "text.program").write_text("nothing of the kind, but long enough for a length")
    with pytest.raises(driver.ShiftloomError, match="is no Shiftloom program"):
        accelerator.load(folder / "text.program")


def test_samples_that_do_not_fit_are_refused(accelerator, driver, folder):
    with pytest.raises(driver.ShiftloomError, match="no program is loaded"):
        accelerator.run()
    accelerator.load(folder / "model.program")
    with pytest.raises(driver.ShiftloomError, match="the inputs are"):
        accelerator.run(t0=np.zeros((3, 9, 10)))
    good = {"t0": np.zeros((3, 9, 10)), "t1": np.zeros((8, 5, 6)), "t2": np.zeros((2, 12, 12))}
    with pytest.raises(driver.ShiftloomError, match="t1 has shape"):
        accelerator.run(**{**good, "t1": np.zeros((8, 6, 5))})
    with pytest.raises(driver.ShiftloomError, match="t2 takes codes 0 to 255"):
        accelerator.run(**{**good, "t2": np.full((2, 12, 12), -1)})


#: Kernel rows, stride, dilation and padding of an input whose kernel rows are folded.
UNROLL = {"unroll": (3, 2, 1, 1), "rows": 3}


@pytest.mark.parametrize("config", [TINY, load_config("odd")], ids=lambda config: config.name)
@pytest.mark.parametrize("layout", ["blocked", "folded", "unrolled"])
@pytest.mark.parametrize("signed", [False, True])
def test_feature_maps_lie_where_the_simulators_put_them(driver, config, layout, signed, tmp_path):
    path = tmp_path / "empty.program"
    compile_program(Builder(1).graph([]), config).save(path)
    own = driver.Program(path)
    shape, unroll = (13, 4, 5), UNROLL if layout == "unrolled" else {}
    kind = {"layout": "blocked" if layout == "blocked" else "folded", "signed": signed}
    place = Place(tensor="t", region=1, offset=64, shape=shape, row_words=50, **kind, **unroll)
    codes = np.random.default_rng(1).integers(-128 * signed, 256 - 128 * signed, shape)
    found, expected = np.full(16384, 255, np.uint8), np.full(16384, 255, np.uint8)
    own.write(found, vars(place), codes)
    write_tensor([expected] * 4, place, codes, config)
    np.testing.assert_array_equal(found, expected)
    if not unroll:
        np.testing.assert_array_equal(own.read(found, vars(place)), codes)
        np.testing.assert_array_equal(read_tensor([found] * 4, place, config), codes)
