"""Top: the system on a board's pins and clock."""

from amaranth import Elaboratable, Module
from amaranth.lib import io

from ..isa.config import Config
from .board import Board
from .families import FAMILIES
from .system import System

__all__ = ["Top"]


class Top(Elaboratable):
    """Connect the system to the oscillator, the serial port and, where there is one, a LED.

    Parameters
    ----------
    board : Board
        The board.
    config : Config
        The accelerator.
    clock_hz : int
        The machine's clock.
    memory_bytes : int
        Size of its external memory.
    """

    def __init__(self, board: Board, config: Config, *, clock_hz: int, memory_bytes: int) -> None:
        self.board, self.clock_hz = board, clock_hz
        self.system = System(config, memory_bytes=memory_bytes, clock_hz=clock_hz, baud=board.baud)

    def elaborate(self, platform):
        m = Module()
        oscillator = platform.request(self.board.oscillator, dir="-")
        make_clock = FAMILIES[self.board.family].make_clock
        make_clock(m, oscillator, self.board.oscillator_hz, self.clock_hz)

        m.submodules.system = system = self.system
        wires = platform.lookup("uart").ios
        serial = platform.request("uart", dir={wire.name: "-" for wire in wires})
        m.submodules.rx = rx = io.Buffer("i", serial.rx)
        m.submodules.tx = tx = io.Buffer("o", serial.tx)
        led = platform.request("led", 0, dir="-")
        m.submodules.led = light = io.Buffer("o", led)
        m.d.comb += [
            system.rx.eq(rx.i),
            tx.o.eq(system.tx),
            light.o.eq(system.interrupt),
        ]
        return m
