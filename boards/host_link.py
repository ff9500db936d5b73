"""HostLink: carries out what a host asks for in frames."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .frame_receiver import FrameReceiver
from .frame_sender import FrameSender
from .frames import (
    LINK_VERSION,
    MOST_WORDS,
    REPLY_HEADER_BYTES,
    Area,
    Command,
    LinkWord,
    ReplyStatus,
)
from .request_check import ADDRESS, judge_request
from .word_bus import WORD_BITS, word_bus_signature

__all__ = ["HostLink"]

#: What is needed of a request while it is carried out: words that are left and that have moved,
#: what became of it, and, a cycle late, whether the next word is the last.
_TASK = data.StructLayout(
    {
        "writes": 1,
        "tag": 8,
        "address": 32,
        "left": range(MOST_WORDS + 1),
        "status": 2,
        "done": range(MOST_WORDS + 1),
        "last": 1,
    }
)


class HostLink(wiring.Component):
    """Read and write words of the memory and of the accelerator's registers for a host.

    A request is checked as a whole before its first word moves.

    Parameters
    ----------
    memory_bytes, register_bytes : int
        Sizes of the areas.
    clock_hz : int
        What the host is told about the clock.
    counter_bits : int
        Bits of the counts of frames, which wrap.
    holds_words : bool
        Words to write are held in a register behind the receiver's memory, which gives them late
        in a cycle: each takes a cycle more. Where there is little logic it only is in the way.

    Members
    -------
    i : In(stream.Signature(8, always_ready=True))
        Bytes from the host, as far apart as :class:`.FrameReceiver` asks for.
    o : Out(stream.Signature(8))
        Bytes to the host.
    memory, registers : Out(word_bus_signature())
        What is reached.
    """

    def __init__(
        self,
        memory_bytes: int,
        register_bytes: int,
        clock_hz: int,
        counter_bits: int = WORD_BITS,
        holds_words: bool = False,
    ) -> None:
        self.clock_hz, self.memory_bytes = clock_hz, memory_bytes
        self.counter_bits, self.holds_words = counter_bits, holds_words
        self._place_bits = max(memory_bytes, register_bytes).bit_length()
        self.sizes = {
            Area.MEMORY: memory_bytes,
            Area.REGISTERS: register_bytes,
            Area.LINK: 4 * len(LinkWord),
        }
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "memory": Out(word_bus_signature()),
                "registers": Out(word_bus_signature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver()
        m.submodules.sender = sender = FrameSender()
        connect(m, flipped(self.i), receiver.i)
        connect(m, sender.o, flipped(self.o))

        task = Signal(_TASK, reset_less=True)
        found = judge_request(m, receiver.request, self.sizes)
        written, writes = self._written(m, receiver)
        bus = self._reach(m, task, receiver, written)
        m.d.sync += task.last.eq(task.left == 1)  # between two words there are two
        m.d.comb += [receiver.read_addr.eq(task.done), receiver.needed.eq(task.done)]
        with m.If(~receiver.busy):
            m.d.sync += [
                task.tag.eq(receiver.request.tag),
                task.address.eq(receiver.request.address),
                task.writes.eq(receiver.request.command == Command.WRITE),
                task.left.eq(receiver.request.words),
                *(task.done.eq(0), task.status.eq(found)),
            ]
        with m.FSM():
            with m.State("IDLE"), m.If(receiver.valid):
                m.d.sync += receiver.busy.eq(1)
                m.next = "CHECK"
            self._answer_states(m, sender.i, bus, task, receiver.busy)
            with m.State("CHECK"):  # the first word comes from the receiver's buffer
                m.next = "ANSWER"
                with m.If((task.status == ReplyStatus.OK) & task.writes):
                    m.next = writes
            if self.holds_words:
                with m.State("HOLD"):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [bus.valid.eq(1), bus.write.eq(1)]
                with m.If(bus.ready):
                    m.d.sync += [task.done.eq(task.done + 1), task.left.eq(task.left - 1)]
                    m.next = "FETCH"
                    with m.If(task.last):
                        m.next = "ANSWER"
            with m.State("FETCH"):  # the next one comes a cycle later
                m.next = "READ"
                with m.If(task.writes):
                    m.next = writes
        return m

    def _written(self, m, receiver):
        """Return the word to write, and the state that comes when the memory is read."""
        if not self.holds_words:
            return receiver.read_data, "WRITE"
        word = Signal(WORD_BITS, name="written", reset_less=True)
        m.d.sync += word.eq(receiver.read_data)
        return word, "HOLD"

    def _answer_states(self, m, reply, bus, task, busy):
        """Answer with status and tag, then with words, byte by byte."""
        reads = (task.status == ReplyStatus.OK) & ~task.writes
        word, position = Signal(WORD_BITS, reset_less=True), Signal(range(4))
        heads = Signal()  # the bytes are those of the reply's header
        m.d.comb += reply.p.byte.eq(word[:8])
        with m.State("ANSWER"):
            m.d.sync += word.eq(Cat(task.status, Const(0, 8 - len(task.status)), task.tag))
            m.d.sync += [heads.eq(1), position.eq(4 - REPLY_HEADER_BYTES), reply.valid.eq(1)]
            m.next = "BYTES"
        with m.State("READ"):
            m.d.comb += bus.valid.eq(1)
            m.d.sync += word.eq(bus.read_data)
            with m.If(bus.ready):
                m.d.sync += reply.valid.eq(1)
                m.next = "BYTES"
        with m.State("BYTES"):
            over = Mux(heads, ~reads, task.last)
            m.d.comb += reply.p.last.eq(over & (position == 3))
            with m.If(reply.ready):
                m.d.sync += [position.eq(position + 1), word.eq(word >> 8)]
                with m.If(position == 3):
                    m.d.sync += heads.eq(0)
                    with m.If(~heads):
                        m.d.sync += [task.done.eq(task.done + 1), task.left.eq(task.left - 1)]
                    m.next = "FETCH"
                    m.d.sync += reply.valid.eq(0)
                    with m.If(over):
                        m.d.sync += busy.eq(0)
                        m.next = "IDLE"

    def _reach(self, m, task, receiver, written):
        """Connect the bus of the area that a task is for; return it."""
        bus = word_bus_signature().create()
        address = data.View(ADDRESS, task.address)
        words = {Area.MEMORY: self.memory, Area.REGISTERS: self.registers}
        # What a word is read from is known for a cycle, as the last word is.
        ready, choices = [], []
        for area, port in words.items():
            chosen = Signal(name=f"reaches_{area.name.lower()}")
            m.d.sync += chosen.eq(address.area == area)
            m.d.comb += [
                port.valid.eq(bus.valid & chosen),
                port.write.eq(bus.write),
                port.addr.eq(address.byte[2 : self._place_bits] + task.done),
                port.write_data.eq(written),
            ]
            ready.append(chosen & port.ready)
            choices.append(Mux(chosen, port.read_data, 0))
        place = (address.byte[2:] + task.done)[: len(LinkWord).bit_length()]
        for number, value in self._facts(m, receiver).items():
            chosen = Signal(name=f"reads_{number.name.lower()}")
            m.d.sync += chosen.eq((address.area == Area.LINK) & (place == number))
            ready.append(chosen)
            choices.append(Mux(chosen, value, 0))
        m.d.comb += [bus.ready.eq(Cat(ready).any()), bus.read_data.eq(reduce(or_, choices))]
        return bus

    def _facts(self, m, receiver):
        """Return the words of the link's own area."""
        facts = {
            LinkWord.VERSION: LINK_VERSION,
            LinkWord.MEMORY_BYTES: self.memory_bytes,
            LinkWord.CLOCK_HZ: self.clock_hz,
        }
        events = {
            LinkWord.GOOD_FRAMES: receiver.good,
            LinkWord.DAMAGED_FRAMES: receiver.damaged,
            LinkWord.OVERRUNS: receiver.overrun,
        }
        for number, event in events.items():
            facts[number] = counter = Signal(self.counter_bits, name=number.name.lower())
            happened = Signal(name=f"{number.name.lower()}_event")
            m.d.sync += [happened.eq(event), counter.eq(counter + happened)]
        return facts
