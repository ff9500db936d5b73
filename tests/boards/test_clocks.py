"""Phase-locked loops: dividers within their limits, or a clear no."""

import pytest

from shiftloom.boards.board import BoardError
from shiftloom.boards.clocks import ECP5_LOOPS, ice40_loop
from shiftloom.boards.gowin_clock import GOWIN_LOOPS

MEGA = 1_000_000


@pytest.mark.parametrize("mhz", [25, 40, 50, 60, 62.5, 75, 80, 100, 125])
def test_ecp5_loops_give_exactly_the_frequency(mhz):
    loop = ECP5_LOOPS.loop(25 * MEGA, round(mhz * MEGA))
    output = 25 * MEGA * loop.feedback_divider / loop.input_divider
    assert output == mhz * MEGA
    assert 400 * MEGA <= output * loop.output_divider <= 800 * MEGA
    assert 25 * MEGA / loop.input_divider >= 3.125 * MEGA
    dividers = (loop.input_divider, loop.feedback_divider, loop.output_divider)
    assert all(1 <= divider <= 128 for divider in dividers)


@pytest.mark.parametrize("hertz", [33_333_333, 900 * MEGA, 1 * MEGA])
def test_other_frequencies_are_refused(hertz):
    with pytest.raises(BoardError, match=f"no dividers make {hertz} Hz from 25000000 Hz"):
        ECP5_LOOPS.loop(25 * MEGA, hertz)


@pytest.mark.parametrize("mhz", [27, 45, 54, 60, 63, 67.5, 72, 81, 108])
def test_gowin_loops_give_exactly_the_frequency(mhz):
    loop = GOWIN_LOOPS.loop(27 * MEGA, round(mhz * MEGA))
    output = 27 * MEGA * loop.feedback_divider / loop.input_divider
    assert output == mhz * MEGA
    assert 500 * MEGA <= output * loop.output_divider <= 1250 * MEGA
    assert loop.output_divider in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
    assert 27 * MEGA / loop.input_divider >= 3 * MEGA
    assert 1 <= loop.input_divider <= 64 and 1 <= loop.feedback_divider <= 64


@pytest.mark.parametrize("hertz", [50 * MEGA, 700 * MEGA, 2 * MEGA])
def test_other_frequencies_of_gowin_loops_are_refused(hertz):
    with pytest.raises(BoardError, match=f"no dividers make {hertz} Hz from 27000000 Hz"):
        GOWIN_LOOPS.loop(27 * MEGA, hertz)


@pytest.mark.parametrize("mhz", [18, 20.25, 24, 27, 30, 36])
def test_ice40_loops_give_exactly_the_frequency(mhz):
    loop = ice40_loop(12 * MEGA, round(mhz * MEGA))
    vco = 12 * MEGA * (loop.feedback + 1) / (loop.reference + 1)
    assert vco == mhz * MEGA * 2**loop.output and 533 * MEGA <= vco <= 1066 * MEGA
    assert 12 * MEGA / (loop.reference + 1) >= 10 * MEGA and loop.filter == 1
    assert 0 <= loop.feedback < 128 and 1 <= loop.output <= 6


@pytest.mark.parametrize("hertz", [33_333_333, 7 * MEGA])
def test_other_frequencies_are_refused_on_ice40(hertz):
    with pytest.raises(BoardError, match=f"no dividers make {hertz} Hz from 12000000 Hz"):
        ice40_loop(12 * MEGA, hertz)
