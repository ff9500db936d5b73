"""Decode: checks instructions and sends each to its engine."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import ENGINES, Opcode, engine_of, is_work
from ..isa.registers import Error
from .fetch import fetched_layout
from .interfaces import INDEX_BITS, failure_layout, fields_layout, instruction_layout

__all__ = ["Decode"]


class Decode(wiring.Component):
    """Check instructions in order and send them to the engines' queues.

    Takes one instruction each cycle and adds no delay; an instruction waits while its queue is
    full. Stops for good at END or at the first instruction that is wrong.

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
        ended = Signal()
        opcode = self.i.p.bits[:8]
        configuration = data.View(
            fields_layout(Opcode.CONFIG), self.i.p.bits[: fields_layout(Opcode.CONFIG).size]
        )

        known = Cat(opcode == code for code in Opcode if code is not Opcode.ILLEGAL).any()
        is_config, is_first = opcode == Opcode.CONFIG, index == 0
        right = is_config & (configuration.config_id == self.config.id)
        problem = Signal(Error)
        with m.If(self.i.p.error):
            m.d.comb += problem.eq(Error.FETCH_BUS)
        with m.Elif((is_config | is_first) & ~right):
            m.d.comb += problem.eq(Error.WRONG_CONFIG)
        with m.Elif(~known):
            m.d.comb += problem.eq(Error.ILLEGAL_OPCODE)

        missing = (index == self.length) & ~ended
        waiting = self.i.valid & ~ended & ~missing
        accepted = waiting & (problem == Error.NONE)
        taken, issued = [], []
        for engine, queue in zip(ENGINES, self.queues, strict=True):
            codes = [code for code in Opcode if engine_of(code) is engine]
            for_engine = Cat(opcode == code for code in codes).any()
            works = Cat(opcode == code for code in codes if is_work(code)).any()
            m.d.comb += [
                queue.valid.eq(accepted & for_engine),
                queue.p.bits.eq(self.i.p.bits),
                queue.p.index.eq(index),
            ]
            taken.append(~for_engine | queue.ready)
            issued.append(queue.valid & queue.ready & works)
        m.d.comb += [
            self.i.ready.eq(accepted & Cat(taken).all()),
            self.issued.eq(Cat(issued)),
            self.ended.eq(ended),
            self.failure.index.eq(index),
            self.failure.code.eq(Mux(missing, Error.NO_END, Mux(waiting, problem, Error.NONE))),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [index.eq(index + 1), ended.eq(opcode == Opcode.END)]
        return m
