"""Engines, built once per session and kept in the cache of the machine."""

import functools

import pytest

from shiftloom.hw.verilog import simulation_verilog
from shiftloom.sim.rtl_compiler import BuildError, find_compiler
from shiftloom.sim.rtl_engine import build_engine


@pytest.fixture(scope="session")
def compiler():
    """Skip where nothing can compile C++."""
    try:
        return find_compiler()
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def engine_of(compiler):
    """Return a function from configuration to engine."""
    return functools.cache(lambda config: build_engine(simulation_verilog(config)))
