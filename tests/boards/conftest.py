"""A small accelerator whose ports are those of all accelerators with its bus."""

import pytest

from shiftloom.hw.verilog import accelerator_verilog, module_name
from shiftloom.isa.config import Config

LEAST = Config(
    name="least",
    rows=2,
    columns=2,
    bus_bytes=8,
    activation_bytes=256,
    weight_bytes=64,
    parameter_bytes=64,
    accumulator_pixels=8,
    vector_taps=1,
    activation_banks=2,
    burst_beats=2,
    threshold_bits=0,
)


@pytest.fixture(scope="session")
def least():
    """Return its configuration."""
    return LEAST


@pytest.fixture(scope="session")
def least_verilog():
    """Return its Verilog."""
    return accelerator_verilog(LEAST)


@pytest.fixture(scope="session")
def least_top():
    """Return the name of its top module."""
    return module_name(LEAST)
