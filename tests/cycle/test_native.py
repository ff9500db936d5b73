"""The compiled model says what the modules say, and leaves to them what it cannot do."""

from dataclasses import replace

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import FORMATS, Opcode
from shiftloom.sim import libraries
from shiftloom.sim.cycle import native
from shiftloom.sim.cycle.declared import declarations
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.result import SimulationError
from shiftloom.sim.rtl_compiler import BuildError
from tests.cycle.equality import assert_same
from tests.cycle.programs import random_program
from tests.sim.cases import BITS, DEEP, END, NARROW, TINY, WIDE, as_program, first_segment, work
from tests.support.graphs import random_graph
from tests.support.programs import config_instruction

#: Words in several bursts of one beat each.
SINGLE = replace(NARROW, name="single", burst_beats=1)

MEMORIES = (Memory(), Memory(latency=1), Memory(latency=70, interval=3, outstanding=2))


@pytest.fixture
def native_only(compiler):
    """Skip where nothing can compile the model, and return a runner that has no other."""

    def run(program, memory):
        assert native.run_native(program, first_segment(program), memory) is not None
        return run_segment(program, first_segment(program), memory=memory)

    return run


def by_modules(program, memory=None):
    return run_segment(program, first_segment(program), memory=memory, compiled=False)


@pytest.mark.parametrize("config", [TINY, NARROW, BITS, DEEP, WIDE, SINGLE], ids=lambda c: c.name)
def test_random_programs(native_only, config):
    for seed in (2, 8, 10, 15, 21):  # in some, instructions come late after a full queue
        program = random_program(config, seed)
        for memory in MEMORIES:
            assert_same(native_only(program, memory), by_modules(program, memory))


@pytest.mark.parametrize("name", ["odd", "base"])
def test_random_networks(native_only, name):
    for seed in (3, 5, 8):
        program = compile_graph(random_graph(seed, 4), load_config(name))
        assert_same(native_only(program, Memory()), by_modules(program, Memory()))


@pytest.mark.parametrize(
    "instructions",
    [
        [work(Opcode.STORE, wait_load=1), END],
        [work(Opcode.MAC, rows=1), END],
        [work(Opcode.LOAD, words=3, runs=1)],
        [b"\x03" * 32, END],
        [config_instruction(NARROW), END],
    ],
    ids=["stuck", "without settings", "without end", "no opcode", "another configuration"],
)
def test_the_modules_say_what_is_wrong(compiler, instructions):
    program = as_program(TINY, [config_instruction(TINY), *instructions])
    assert native.run_native(program, first_segment(program), Memory()) is None
    messages = []
    for compiled in (True, False):
        with pytest.raises(SimulationError) as caught:
            run_segment(program, first_segment(program), compiled=compiled)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_without_a_compiler_the_modules_run(monkeypatch, tmp_path):
    def missing():
        raise BuildError("no compiler")

    monkeypatch.setattr(libraries, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(native, "find_compiler", missing)
    monkeypatch.setattr(native, "_library", native._library.__wrapped__)
    with pytest.raises(BuildError, match="no compiler"):
        native.build_model()
    program = random_program(TINY, 1)
    assert native.run_native(program, first_segment(program), Memory()) is None
    assert_same(run_segment(program, first_segment(program)), by_modules(program))


def test_a_library_for_each_contract(monkeypatch, tmp_path):
    made = []

    def compile_model(command, folder):
        assert "constexpr" in (folder / "declared.h").read_text()
        (folder / command[-1]).write_bytes(b"library")
        made.append(command)

    monkeypatch.setattr(libraries, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(native, "run", compile_model)
    first = native.build_model()
    assert native.build_model() == first
    assert len(made) == 1
    monkeypatch.setattr(native, "declarations", lambda: declarations().replace("= 1;", "= 2;"))
    assert native.build_model() != first
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"library"] * 2


def test_every_field_is_declared():
    text = declarations()
    for opcode, fields in FORMATS.items():
        position = 0
        for field in fields:
            signed = "true" if field.signed else "false"
            where = f"{{{position}, {field.width}, {signed}}}"
            assert f"constexpr Field {opcode.name}_{field.name}{where};\n" in text
            position += field.width
