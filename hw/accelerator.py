"""Accelerator: the whole of it, one register port and one memory port."""

from amaranth import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import ENGINES
from .axi import axi4_signature, axi_lite_signature
from .control import Control
from .interfaces import write_trace_signature
from .machine import Machine
from .sequencer import FAILURES
from .serial_machine import SerialMachine

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """Run programs from memory, started and watched through registers.

    Parameters
    ----------
    config : Config
        The accelerator.
    trace : bool
        Bring out what simulators compare.

    Members
    -------
    s_axi : In(axi_lite_signature())
        Registers.
    m_axi : Out(axi4_signature(config))
        External memory.
    interrupt : Out(1)
        Done, or stopped by an error.
    trace_start, trace_done : Out(4)
        With ``trace``: a job enters, a piece of work leaves its engine; one bit per engine.
    trace_write : Out(write_trace_signature(config))
        With ``trace``: words that the vector unit writes.
    """

    def __init__(self, config: Config, trace: bool = False) -> None:
        self.config = config
        self.trace = trace
        traces = {
            "trace_start": Out(len(ENGINES)),
            "trace_done": Out(len(ENGINES)),
            "trace_write": Out(write_trace_signature(config)),
        }
        super().__init__(
            {
                "s_axi": In(axi_lite_signature()),
                "m_axi": Out(axi4_signature(config)),
                "interrupt": Out(1),
                **(traces if trace else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = Control(self.config)
        machine = (SerialMachine if self.config.serial else Machine)(self.config)
        m.submodules.machine = ResetInserter(control.clear)(machine)
        connect(m, flipped(self.s_axi), control.s_axi)
        connect(m, machine.m_axi, flipped(self.m_axi))

        m.d.comb += [
            self.interrupt.eq(control.interrupt),
            machine.length.eq(control.length),
            machine.halt.eq(control.halt),
            control.idle.eq(machine.idle),
            control.finished.eq(machine.finished),
        ]
        if self.config.serial:
            m.d.comb += [control.number.eq(machine.number), machine.setting.eq(control.setting)]
        else:
            m.d.comb += machine.program_addr.eq(control.program_addr)
            for n, base in enumerate(control.bases):
                m.d.comb += machine.bases[n].eq(base)
            for engine in ENGINES:
                m.d.comb += control.completed[engine].eq(machine.completed[engine])
        for n in range(len(FAILURES)):
            m.d.comb += control.failures[n].eq(machine.failures[n])
        for event in ("mac_active", "vector_active", "fetch_beat", "load_beat", "write_beat"):
            m.d.comb += getattr(control, event).eq(getattr(machine, event))

        if self.trace:
            connect(m, machine.trace_write, flipped(self.trace_write))
            m.d.comb += [
                self.trace_start.eq(machine.trace_start),
                self.trace_done.eq(machine.trace_done),
            ]
        return m
