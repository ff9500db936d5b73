"""Vivado's scripts run, and ask for what exists: in a Tcl interpreter with recording commands."""

import re

import pytest

from shiftloom.boards.board import BOARDS, BoardError, load_board
from shiftloom.boards.ip.package import ip_files
from shiftloom.boards.ip.vivado import VIVADO_BOARDS, load_vivado_board, vivado_files
from tests.support.vivado import ScriptError, Vivado, has_tcl

pytestmark = pytest.mark.skipif(not has_tcl(), reason="Python has no Tcl interpreter")


@pytest.fixture(params=VIVADO_BOARDS)
def board(request):
    """Return a board."""
    return load_vivado_board(request.param)


@pytest.fixture
def folder(board, least, least_verilog, least_top, tmp_path):
    """Return a folder with a board's files."""
    files = vivado_files(board, least, least_top)
    files |= ip_files(least, least_verilog, least_top)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def script(board):
    return f"build_{board.name}.tcl"


def test_the_design_is_complete_and_its_results_are_kept(board, folder):
    vivado = Vivado(folder)
    vivado.run(script(board))
    assert vivado.valid
    assert vivado.own in vivado.cells.values()
    names = {path.name for path in (folder / "overlay").iterdir()}
    assert names == {"shiftloom.bit", "shiftloom.hwh"}
    (created,) = [call for call in vivado.calls if call[0] == "create_project"]
    assert board.part in created
    commands = {call[0] for call in vivado.calls}
    assert {"report_utilization", "report_timing_summary", "write_hw_platform"} <= commands


def test_registers_and_memory_are_where_drivers_look(board, folder):
    vivado = Vivado(folder)
    vivado.run(script(board))
    own = {pair: area for pair, area in vivado.addresses.items() if pair[0] == "accelerator/m_axi"}
    (memory,) = own.values()
    assert len(memory) >= 256 << 20
    (registers,) = [a for (_, s), a in vivado.addresses.items() if s.endswith("/registers")]
    assert len(registers) == 4096 and not set(own) & {("accelerator/m_axi", "registers")}


def test_all_of_the_accelerator_is_in_one_clock_domain(board, folder):
    vivado = Vivado(folder)
    vivado.run(script(board))
    clock = vivado.nets["accelerator/aclk"]
    for pin, driver in vivado.nets.items():
        if re.search(r"(^reset/slowest_sync_clk|GP0_ACLK|HP0_ACLK|/aclk)$", pin):
            assert driver == clock, pin
    assert vivado.nets["accelerator/aresetn"] == "reset/peripheral_aresetn"


def test_a_bitstream_that_is_too_fast_is_an_error(board, folder):
    with pytest.raises(ScriptError, match=rf"misses {board.clock_mhz} MHz by 1\.25 ns"):
        Vivado(folder, slack="-1.25").run(script(board))


def test_a_component_that_vivado_refuses_is_an_error(board, folder):
    vivado = Vivado(folder)
    del vivado.catalog[vivado.own]
    with pytest.raises(ScriptError, match=r"source package\.tcl, and start again"):
        vivado.run(script(board))


def test_boards_without_their_files(board, folder):
    vivado = Vivado(folder, boards=False)
    if board.constraints:  # memory needs pins
        with pytest.raises(ScriptError, match="install those of Digilent"):
            vivado.run(script(board))
    else:
        vivado.run(script(board))
        assert vivado.valid


#: What breaks every script, and what is said of it.
WRONG = {
    "accelerator/s_axi\n": ("accelerator/s_axis\n", "no interface accelerator/s_axis"),
    "accelerator/aresetn": ("accelerator/aresetm", "no pin accelerator/aresetm"),
    "accelerator/s_axi/$register_block": ("accelerator/s_axi/reg0", "no address segment"),
    "-range $register_bytes": ("-range 512", "accelerator/s_axi/registers at 0x4"),
    "get_bd_addr_spaces accelerator/m_axi": ("get_bd_addr_spaces ps/m_axi", "no address space"),
    "validate_bd_design\n": ("", "not validated"),
    "-to_step write_bitstream": ("", "no bitstream"),
    "$component accelerator": ("shiftloom:ip:other:1.0 accelerator", "no component"),
    "connect_bd_intf_net": ("connect_bd_intf", "invalid command name"),
    "[get_runs impl_1]]\n": ("[get_runs impl_1]\n", "missing"),
}

#: What each script cannot do without, and what is said of it.
LEFT_OUT = {
    "pynq_z2": {
        " accelerator/aclk": "accelerator/aclk is open",
        " accelerator/aresetn": "accelerator/aresetn is open",
        "        memory/M00_AXI ps/S_AXI_HP0\n": "S_AXI_HP0 is open",
        "CONFIG.NUM_SI 1": "S01_AXI is open",
        "connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins ps/IRQ_F2P]": "ps/IRQ",
        "CONFIG.PCW_USE_S_AXI_HP0 1": "no interface ps/S_AXI_HP0",
    },
    "arty_a7_35t": {
        "        clocks/clk_out1 accelerator/aclk\n": "accelerator/aclk is open",
        "        bus/M01_AXI memory/S_AXI\n": "memory/S_AXI is open",
        "            delete_bd_objs $net\n": "driven twice",
        " CONFIG.NUM_CLKS 2": "no pin bus/aclk1",
        "CONFIG.CLKOUT3_USED true": "no pin clocks/clk_out3",
        "    exclude_bd_addr_seg [get_bd_addr_segs accelerator/s_axi/$register_block] \\\n"
        "        -target_address_space [get_bd_addr_spaces accelerator/m_axi]\n": "addresses of",
    },
}


def broken(board, folder, right, wrong):
    path = folder / script(board)
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    return Vivado(folder)


@pytest.mark.parametrize("right", WRONG)
def test_scripts_that_are_wrong_do_not_pass(right, board, folder):
    if right.startswith("get_bd_addr_spaces") and board.name != "pynq_z2":
        right = "accelerator/m_axi} {"
        vivado, message = broken(board, folder, right, "ps/m_axi} {"), "no address space"
    else:
        wrong, message = WRONG[right]
        vivado = broken(board, folder, right, wrong)
    with pytest.raises(ScriptError, match=message):
        vivado.run(script(board))


@pytest.mark.parametrize("number", range(6))
def test_scripts_that_leave_something_out_do_not_pass(number, board, folder):
    right, message = list(LEFT_OUT[board.name].items())[number]
    with pytest.raises(ScriptError, match=message):
        broken(board, folder, right, "").run(script(board))


def test_packaging_names_what_the_catalog_gets(folder, least_top):
    text = (folder / "package.tcl").read_text()
    vivado = Vivado(folder)
    for name in ("current_fileset", "ipx::package_project", "ipx::associate_bus_interfaces"):
        assert name in text
    for name in re.findall(r"ipx::\w+", text):
        vivado.command(name, lambda *_: "found")
    (folder / f"{least_top}.v").write_text("")
    vivado.run("package.tcl")
    called = [call for call in vivado.calls if call[0] == "ipx::package_project"]
    assert called and "shiftloom" in called[0]
    clocks = [call for call in vivado.calls if call[0] == "ipx::associate_bus_interfaces"]
    assert [call[2] for call in clocks] == ["s_axi", "m_axi"]
    assert not (folder / "component.xml").exists()


def test_accelerators_fit_by_their_multipliers_and_memories(board):
    config = board.config
    assert config.macs_per_cycle + config.columns * config.vector_taps <= board.dsps
    assert config.memory_bits <= board.block_rams * 36_864


def test_names(board):
    assert load_vivado_board(board.name.replace("_", "-")) == board
    assert load_vivado_board("pynq-z2").config.name == "pynq_z2"
    with pytest.raises(BoardError, match="use pynq_z2 or arty_a7_35t"):
        load_vivado_board("zedboard")
    assert not set(BOARDS) & set(VIVADO_BOARDS)


def test_bitstreams_of_these_boards_are_made_by_vivado(board):
    with pytest.raises(BoardError, match=f"shiftloom generate --board {board.name}"):
        load_board(board.name)
