"""System: an accelerator with its memory behind a host link; what every board carries."""

from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..hw.accelerator import Accelerator
from ..hw.axi import LITE_ADDRESS_BITS
from ..hw.verilog import flat_verilog
from ..isa.config import Config
from .block_memory import BlockMemory
from .host_link import HostLink
from .register_bridge import RegisterBridge
from .shared_memory import SharedMemory
from .uart import UartReceiver, UartTransmitter, uart_divisor
from .word_stage import WordStage

__all__ = ["System", "system_verilog"]

#: Bits of the host link's counts of frames, beside a machine as such and beside a serial one.
_COUNTER_BITS = 32, 12


class System(wiring.Component):
    """Run programs that a host puts into the memory.

    Parameters
    ----------
    config : Config
        The accelerator.
    memory_bytes : int
        Size of its external memory, which is on the chip.
    clock_hz, baud : int
        Cycles and bits per second.

    Members
    -------
    rx : In(1)
        From the host; any phase.
    tx : Out(1)
        To the host.
    interrupt : Out(1)
        A run is over, and interrupts are enabled.
    """

    def __init__(self, config: Config, *, memory_bytes: int, clock_hz: int, baud: int) -> None:
        self.config, self.memory_bytes = config, memory_bytes
        self.clock_hz = clock_hz
        self.divisor = uart_divisor(clock_hz, baud)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "interrupt": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self.config)
        # The large memories of the smallest chips have one port.
        kind = SharedMemory if self.config.serial == 1 else BlockMemory
        m.submodules.memory = memory = kind(self.memory_bytes, self.config)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        register_bytes = 1 << LITE_ADDRESS_BITS
        m.submodules.link = link = HostLink(
            self.memory_bytes,
            register_bytes,
            self.clock_hz,
            _COUNTER_BITS[self.config.serial > 0],
            holds_words=not self.config.serial,
        )
        m.submodules.bridge = bridge = RegisterBridge()
        connect(m, accelerator.m_axi, memory.axi)
        connect(m, bridge.s_axi, accelerator.s_axi)
        for name, asked, reached in (
            ("memory_words", link.memory, memory.host),
            ("register_words", link.registers, bridge.bus),
        ):
            m.submodules[name] = stage = WordStage()
            connect(m, asked, stage.bus)
            connect(m, stage.o, reached)
        connect(m, receiver.o, link.i)
        connect(m, link.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.interrupt.eq(accelerator.interrupt),
        ]
        return m


def system_verilog(system: System) -> str:
    """Return a system as one module ``shiftloom_top`` for simulators: clk, rst, rx, tx."""
    return flat_verilog(rtlil.convert(system, name="shiftloom_top", emit_src=False))
