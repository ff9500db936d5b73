"""Rounds of the router: shown, and not waited for without end."""

import pytest

from shiftloom.boards.router_rounds import PATIENCE, RouterRounds
from shiftloom.boards.tools import ToolError

LINE = "Info:     iter={} wires=55717 overused={} overuse=2928 tmgfail={} archfail=NA"


@pytest.fixture
def rounds():
    told = []
    return RouterRounds(told.append), told


def follow(rounds, conflicts, late=0):
    for number, count in enumerate(conflicts, 1):
        rounds.watch(LINE.format(number, count, late))


def test_rounds_are_shown(rounds):
    rounds, told = rounds
    rounds.watch("Info: Running router2...")
    follow(rounds, [2864, 0])
    assert told == ["routing: round 1, 2,864 conflicts", "routing: round 2, 0 conflicts"]


def test_a_router_that_gets_on_slowly_is_waited_for(rounds):
    slowly = [100 - number // (PATIENCE - 1) for number in range(5 * PATIENCE)]
    follow(rounds[0], slowly)
    assert len(rounds[1]) == len(slowly)


def test_one_that_stands_still_is_not(rounds):
    follow(rounds[0], [40, 2, *[3, 2] * (PATIENCE // 2 - 1), 2])
    with pytest.raises(ToolError, match=r"2 wires .* in round 2, .* round 202; another --seed"):
        rounds[0].watch(LINE.format(PATIENCE + 2, 3, 0))


def test_one_whose_wires_stay_late_is_not(rounds):
    follow(rounds[0], [40, *[0] * PATIENCE], late=7)
    assert rounds[1][-1] == f"routing: round {PATIENCE + 1}, 0 conflicts, 7 late"
    with pytest.raises(ToolError, match=r"7 too late .* in round 2, .* lower --clock"):
        rounds[0].watch(LINE.format(PATIENCE + 2, 0, 7))


def test_a_router_without_that_option_is_followed(rounds):
    rounds[0].watch("Info:     iter=3 wires=5 overused=17 overuse=18 archfail=NA")
    assert rounds[1] == ["routing: round 3, 17 conflicts"]
