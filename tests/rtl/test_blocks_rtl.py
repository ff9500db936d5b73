"""Generated Verilog of single blocks; several share one simulator, which takes long to compile."""

import pytest

from tests.rtl import designs
from tests.support.rtl import has_verilator, run_blocks

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(
        not has_verilator(), reason="verilator, make or a compiler is not installed"
    ),
]


def benches(*names):
    """Return the modules of benches."""
    return [f"tests.rtl.bench_{name}" for name in names]


def test_what_moves_data_between_memory_and_buffers(tmp_path):
    run_blocks(designs.moving(), benches("fetch", "load", "store", "halt"), tmp_path)


def test_registers_queues_and_the_shared_buffer(tmp_path):
    names = "control", "engine_queue", "activation_buffer", "streams"
    run_blocks(designs.controlling(), benches(*names), tmp_path)


def test_what_computes(tmp_path):
    run_blocks(designs.computing(), benches("mac_engine", "vector", "requantizer"), tmp_path)
