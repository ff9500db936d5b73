"""Decode: checks instructions and sends each to its engine."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import ENGINES, INDEX_BITS, Opcode, engine_of, is_work
from ..isa.registers import Error
from .fetch import fetched_layout
from .interfaces import failure_layout, fields_layout, instruction_layout

__all__ = ["Decode"]


class Decode(wiring.Component):
    """Check instructions in order and send them to the engines' queues.

    Takes one instruction each cycle, or in two with ``pipeline``; an instruction waits while its
    queue is full. Stops for good
    at END or at the first instruction that is wrong.

    Parameters
    ----------
    config : Config
        The configuration that programs must name.

    Members
    -------
    length : In(INDEX_BITS)
        Number of instructions.
    i : In(stream.Signature(fetched_layout()))
        Instructions.
    queues : Out(stream.Signature(instruction_layout())).array(4)
        Instructions for each engine.
    issued : Out(4)
        A piece of work enters an engine's queue; one bit per engine.
    ended : Out(1)
        END was seen.
    failure : Out(failure_layout())
        The first wrong instruction. A program without END fails at its length.
    """

    #: Cycles from the transfer of an instruction to its offer to its queue.
    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "length": In(INDEX_BITS),
                "i": In(stream.Signature(fetched_layout())),
                "queues": Out(stream.Signature(instruction_layout())).array(len(ENGINES)),
                "issued": Out(len(ENGINES)),
                "ended": Out(1),
                "failure": Out(failure_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        index = Signal(INDEX_BITS)
        busy = Signal()
        leaves = Signal()
        ended = Signal()
        missing = Signal()
        held = Signal(_decoded_layout(), reset_less=True)
        # With ``pipeline`` the next instruction enters a cycle later: who takes what leaves does
        # not decide in the same cycle what enters.
        m.d.comb += self.i.ready.eq(~busy if self.config.pipeline else ~busy | leaves)
        with m.If(self.i.ready):
            m.d.sync += busy.eq(self.i.valid)
        with m.Elif(leaves):
            m.d.sync += busy.eq(0)
        is_fine = self._decode(m, held)

        stops = missing & ~ended
        waiting = busy & ~ended & ~missing
        accepted = Signal()  # waiting, and nothing is wrong with it
        for engine, queue in zip(ENGINES, self.queues, strict=True):
            m.d.comb += [
                queue.valid.eq(accepted & held.engines[engine]),
                queue.p.bits.eq(held.bits),
                queue.p.index.eq(index),
                self.issued[engine].eq(queue.valid & queue.ready & held.works),
            ]
        ready = Cat(queue.ready for queue in self.queues)
        m.d.comb += [
            leaves.eq(accepted & (~held.engines | ready).all()),
            self.ended.eq(ended),
            self.failure.index.eq(index),
            self.failure.code.eq(Mux(stops, Error.NO_END, Mux(waiting, held.problem, Error.NONE))),
        ]
        following = Signal(INDEX_BITS, init=1)  # index + 1
        ends, misses = Signal(), Signal()
        m.d.comb += [ends.eq(ended), misses.eq(index == self.length)]
        with m.If(leaves):
            m.d.comb += [ends.eq(held.is_end), misses.eq(following == self.length)]
            m.d.sync += [index.eq(following), following.eq(following + 1)]
        m.d.sync += [ended.eq(ends), missing.eq(misses)]
        with m.If(self.i.ready):
            over = ended | missing if self.config.pipeline else ends | misses
            m.d.sync += accepted.eq(self.i.valid & is_fine & ~over)
        with m.Elif(leaves):
            m.d.sync += accepted.eq(0)
        return m

    def _decode(self, m, held):
        """Keep an instruction, and what its opcode means; return whether nothing is wrong."""
        opcode = self.i.p.bits[:8]
        layout = fields_layout(Opcode.CONFIG)
        configuration = data.View(layout, self.i.p.bits[: layout.size])
        is_config, is_first = opcode == Opcode.CONFIG, Signal(init=1)
        right = is_config & (configuration.config_id == self.config.id)
        known = Cat(opcode == code for code in Opcode if code is not Opcode.ILLEGAL).any()
        problem = Signal(Error)
        with m.If(self.i.p.error):
            m.d.comb += problem.eq(Error.FETCH_BUS)
        with m.Elif((is_config | is_first) & ~right):
            m.d.comb += problem.eq(Error.WRONG_CONFIG)
        with m.Elif(~known):
            m.d.comb += problem.eq(Error.ILLEGAL_OPCODE)
        with m.If(self.i.ready):
            m.d.sync += [
                held.bits.eq(self.i.p.bits),
                held.problem.eq(problem),
                held.is_end.eq(opcode == Opcode.END),
                held.works.eq(Cat(opcode == code for code in Opcode if is_work(code)).any()),
                is_first.eq(is_first & ~self.i.valid),
            ]
            for engine in ENGINES:
                codes = [code for code in Opcode if engine_of(code) is engine]
                m.d.sync += held.engines[engine].eq(Cat(opcode == code for code in codes).any())
        return problem == Error.NONE


def _decoded_layout():
    """Return an instruction and what is known of it before its turn."""
    bits, flags = 8 * INSTRUCTION_BYTES, dict.fromkeys(("is_end", "works"), 1)
    return data.StructLayout({"bits": bits, "engines": len(ENGINES), "problem": Error, **flags})
