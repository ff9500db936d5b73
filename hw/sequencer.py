"""Sequencer: the machine's start, halt and reset, one after the other."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.registers import Error
from .interfaces import failure_layout

__all__ = ["FAILURES", "Sequencer"]

#: Blocks that may fail, the one whose failure counts first when several do at once.
FAILURES = ("load", "store", "decode")


class Sequencer(wiring.Component):
    """Start the machine, halt it in order, and remember how it ended.

    START clears the machine and lets it run. It halts at the end of the program, at the first
    failure and at RESET; what is in flight on the bus is completed before the end is reported or
    RESET clears. START is ignored while the machine is busy, RESET never.

    Members
    -------
    start, reset : In(1)
        Pulses.
    idle : In(1)
        Nothing is in flight on the bus.
    finished : In(1)
        The program ended and all work has completed.
    failures : In(failure_layout()).array(len(FAILURES))
        What went wrong.
    clear : Out(1)
        Pulse: reset the machine, forget its end.
    running : Out(1)
        The machine may begin transfers.
    busy : Out(1)
        Running, or on the way there or back.
    resetting : Out(1)
        RESET was asked for and has not happened yet.
    reported : Out(1)
        The last run has ended.
    failure : Out(failure_layout())
        How it ended, once reported.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "reset": In(1),
                "idle": In(1),
                "finished": In(1),
                "failures": In(failure_layout()).array(len(FAILURES)),
                "clear": Out(1),
                "running": Out(1),
                "busy": Out(1),
                "resetting": Out(1),
                "reported": Out(1),
                "failure": Out(failure_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        current = Signal(failure_layout())
        for failure in reversed(self.failures):
            with m.If(failure.code != Error.NONE):
                m.d.comb += current.eq(failure)

        with m.If(self.reset):
            m.d.sync += self.resetting.eq(1)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.resetting):
                    m.next = "HALT"
                with m.Elif(self.start):
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += self.clear.eq(1)
                m.d.sync += self.running.eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += self.failure.eq(current)
                with m.If(self.resetting | self.finished | (current.code != Error.NONE)):
                    m.d.sync += self.running.eq(0)
                    m.next = "HALT"
            with m.State("HALT"), m.If(self.idle):
                m.d.comb += self.clear.eq(self.resetting)
                m.d.sync += self.reported.eq(1)
                m.next = "IDLE"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        with m.If(self.clear):
            m.d.sync += [self.failure.eq(0), self.reported.eq(0), self.resetting.eq(0)]
        return m
