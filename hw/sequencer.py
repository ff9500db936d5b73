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

    What the machine says is a register before anything follows from it, and what it is told is
    one too, for it goes far: it halts in the second cycle after its end or first failure.

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
    counts : Out(1)
        The same, up to the cycle of the end or of the first failure: what a run's length is.
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
                "counts": Out(1),
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

        finished, failed = Signal(), self.failure.code != Error.NONE
        quiet = Signal()  # in the cycle before, which was one of a halt
        with m.If(self.reset):
            m.d.sync += self.resetting.eq(1)
        begins = Signal()
        ends = self.resetting | finished | failed
        m.d.sync += [self.clear.eq(0), begins.eq(0)]
        m.d.sync += self.running.eq(begins | (self.running & ~ends))
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.resetting):
                    m.next = "HALT"
                with m.Elif(self.start):
                    m.d.sync += [self.clear.eq(1), begins.eq(1)]
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += finished.eq(self.finished)
                with m.If(~failed):
                    m.d.sync += self.failure.eq(current)
                with m.If(ends):
                    m.next = "HALT"
            with m.State("HALT"), m.If(quiet):
                m.d.sync += [self.clear.eq(self.resetting), self.reported.eq(1)]
                m.next = "IDLE"
                with m.If(self.resetting):
                    m.next = "RESET"
            with m.State("RESET"):
                m.next = "IDLE"
        m.d.sync += quiet.eq(self.idle & fsm.ongoing("HALT"))
        m.d.comb += self.counts.eq(self.running & ~finished & ~failed)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        with m.If(self.clear):
            m.d.sync += [self.failure.eq(0), self.reported.eq(0), self.resetting.eq(0)]
            m.d.sync += finished.eq(0)
        return m
