"""Fixtures and command-line options of the whole suite."""

import functools

import hypothesis
import pytest

from shiftloom.hw.verilog import simulation_verilog
from shiftloom.sim.rtl_compiler import BuildError, find_compiler
from shiftloom.sim.rtl_engine import build_engine
from tests.support import pysim

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=20)
hypothesis.settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption("--vcd", action="store_true", help="write a waveform for each simulation")


@pytest.fixture
def simulate(request, tmp_path):
    """Return the simulation runner; with ``--vcd`` it keeps a waveform of this test."""
    vcd = tmp_path / "wave.vcd" if request.config.getoption("--vcd") else None
    return functools.partial(pysim.simulate, vcd=vcd)


@pytest.fixture(scope="session")
def compiler():
    """Skip where nothing can compile C++."""
    try:
        return find_compiler()
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def engine_of(compiler):
    """Return a function from configuration to RTL engine, built once per session."""
    return functools.cache(lambda config: build_engine(simulation_verilog(config)))
