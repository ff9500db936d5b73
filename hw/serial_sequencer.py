"""SerialSequencer: takes a program's instructions one after the other."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import ENGINES, Buffer, Engine, Opcode, engine_of
from ..isa.registers import Error
from ..isa.serial import ADDRESS_BITS, INDEX_BITS
from .interfaces import failure_layout
from .serial_fields import field_place, instruction_word_layout
from .serial_transfer import moved_layout
from .storage import storage

__all__ = ["SETTINGS", "SerialSequencer"]

#: Settings of each engine, in the order in which they are kept and passed on.
SETTINGS = {
    Engine.MAC: (Opcode.MAC_LOOPS,),
    Engine.VECTOR: (Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE),
}


class SerialSequencer(wiring.Component):
    """Fetch, check and start one instruction after the other.

    Settings are kept in a memory. Work is passed on as it comes, its engine's settings behind it;
    then the engine starts. While array or vector unit work, the next instructions are fetched, and
    weights are loaded; other work waits until they are done, and theirs is fetched again, for its
    words may not pass before. So whatever stands earlier is complete, except that one piece of
    work: only a LOAD of weights looks whether it has to wait for it.

    Parameters
    ----------
    config : Config
        The configuration that programs must name.

    Members
    -------
    begins : Out(1)
        The address of the first instruction is needed in the next cycle.
    program_addr, length : In(ADDRESS_BITS), In(INDEX_BITS)
        First instruction, and how many there are.
    halt : In(1)
        Begin nothing.
    fetch : Out(1)
        Pulse: fetch the instruction at ``pc``.
    pc : Out(ADDRESS_BITS)
        Where it lies.
    fetched : In(moved_layout(config))
        Its words.
    word : Out(instruction_word_layout())
        Words of instructions, as array and vector unit take them.
    transfers : Out(1)
        Here is such a word, if it is of a transfer.
    starts : Out(4)
        Pulse: the engine's work begins.
    done, computed : In(1)
        Pulses: a transfer is complete; work of array or vector unit is.
    buffer : In(2)
        Where the LOAD goes whose words have passed.
    engine : Out(Engine)
        Whose work it is.
    busy, multiplies : Out(1)
        Array or vector unit work; which of them does, or will next.
    index : Out(INDEX_BITS)
        The instruction's index.
    finished : Out(1)
        END was seen.
    failure : Out(failure_layout())
        The first wrong instruction. A program without END fails at its length.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        kept = sum(map(len, SETTINGS.values()))
        self._words = INSTRUCTION_BYTES // config.bus_bytes
        depth = kept * self._words
        self.contents = MemoryData(shape=8 * config.bus_bytes, depth=depth, init=[])
        super().__init__(
            {
                "begins": Out(1),
                "program_addr": In(ADDRESS_BITS),
                "length": In(INDEX_BITS),
                "halt": In(1),
                "fetch": Out(1),
                "pc": Out(ADDRESS_BITS),
                "fetched": In(moved_layout(config)),
                "word": Out(instruction_word_layout(config)),
                "transfers": Out(1),
                "starts": Out(len(ENGINES)),
                "done": In(1),
                "computed": In(1),
                "buffer": In(range(len(Buffer))),
                "engine": Out(range(len(ENGINES))),
                "busy": Out(1),
                "multiplies": Out(1),
                "index": Out(INDEX_BITS),
                "finished": Out(1),
                "failure": Out(failure_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        opcode = Signal(8, reset_less=True)
        replays, replayed = Signal(), Signal()
        self._first = Signal(init=1)  # no instruction has come before
        problem = self._judge(m, opcode)
        self._pass_words(m, opcode, replays, replayed)
        missed, hinders = self._overlap(m)
        with m.FSM(name="instructions") as fsm:
            m.d.comb += [
                self.finished.eq(fsm.ongoing("ENDED") & ~self.busy),
                replays.eq(fsm.ongoing("REPLAY")),
            ]
            self._ask(m, missed)
            is_last = self.fetched.addr == self._words - 1
            with m.State("RECEIVE"), m.If(self.fetched.valid & is_last):
                m.next = "DECODE"
            with m.State("DECODE"):
                self._decode(m, opcode, problem, missed, hinders)
            with m.State("AWAIT"), m.If(~self.busy):
                m.next = "FETCH"
            with m.State("REPLAY"), m.If(replayed):
                m.next = "START"
            with m.State("START"):
                m.d.comb += self.starts.eq(1 << self.engine)
                m.next = "WORK"
                with m.If((self.engine == Engine.MAC) | (self.engine == Engine.VECTOR)):
                    m.d.sync += self.busy.eq(1)
                    m.next = "ADVANCE"
            with m.State("WORK"), m.If(self.done):
                m.next = "ADVANCE"
            with m.State("ENDED"):
                pass  # until a reset
        m.d.comb += self.failure.index.eq(self.index)
        return m

    def _ask(self, m, missed):
        """Ask for the first instruction, and for each that follows."""
        following, missing, none_follows = Signal(INDEX_BITS), Signal(), Signal(reset_less=True)
        m.d.comb += following.eq(self.index + 1)
        m.d.sync += none_follows.eq(following == self.length)  # long before it matters
        with m.State("BEGIN"):
            m.d.comb += self.begins.eq(1)
            m.next = "PLACE"
        with m.State("PLACE"):
            m.d.sync += [self.pc.eq(self.program_addr), missing.eq(self.length == 0)]
            m.next = "FETCH"
        with m.State("FETCH"):
            m.d.sync += missed.eq(0)
            m.d.comb += self.fetch.eq(~self.halt & ~missing)
            with m.If(missing):
                m.d.comb += self.failure.code.eq(Error.NO_END)
            with m.Elif(~self.halt):
                m.next = "RECEIVE"
        with m.State("ADVANCE"):
            m.d.sync += [self.index.eq(following), missing.eq(none_follows), self._first.eq(0)]
            m.d.sync += self.pc.eq(self.pc + INSTRUCTION_BYTES)
            m.next = "FETCH"

    def _decode(self, m, opcode, problem, missed, hinders):
        """Go where an instruction leads; one that is wrong leads nowhere."""
        with m.If(problem != Error.NONE):
            m.d.comb += self.failure.code.eq(problem)
        with m.Elif(opcode == Opcode.END):
            m.next = "ENDED"
        with m.Elif((opcode == Opcode.MAC) | (opcode == Opcode.VECTOR)):
            m.next = "REPLAY"
            with m.If(missed):
                m.next = "AWAIT"
        with m.Elif((opcode != Opcode.LOAD) & (opcode != Opcode.STORE)):
            m.next = "ADVANCE"
        with m.Elif(~hinders):
            m.next = "REPLAY"

    def _overlap(self, m):
        """Return whether words did not pass, and whether the work under way hinders a transfer."""
        with m.If(self.computed):
            m.d.sync += self.busy.eq(0)
        with m.If(~self.busy):
            m.d.sync += self.multiplies.eq(self.engine == Engine.MAC)
        missed, latest = Signal(), Signal(reset_less=True)
        issued = Signal(8)  # MAC so far, of which the last may be under way
        with m.If(self.starts[Engine.MAC]):
            m.d.sync += issued.eq(issued + 1)
        with m.If(self.fetched.valid):
            m.d.sync += missed.eq(missed | self.busy)
            with m.If(self.fetched.addr == 0):
                position, _ = field_place(Opcode.LOAD, "wait_mac")
                m.d.sync += latest.eq(self.fetched.data[position:][: len(issued)] == issued)
        weights = (self.engine == Engine.LOAD) & (self.buffer == Buffer.WEIGHT)
        return missed, self.busy & ~(weights & ~(self.multiplies & latest))

    def _judge(self, m, opcode):
        """Keep an instruction's opcode; return what is wrong with the instruction."""
        failed, other = Signal(), Signal()
        fetched, identity = self.fetched, Const(self.config.id, 32)
        split = min(len(fetched.data) - 8, 32)  # bits of the identity that the first word holds
        with m.If(fetched.valid & (fetched.addr == 0)):
            m.d.sync += [opcode.eq(fetched.data[:8]), failed.eq(fetched.error)]
            m.d.sync += other.eq(fetched.data[8 : 8 + split] != identity[:split])
        with m.Elif(fetched.valid):
            m.d.sync += failed.eq(failed | fetched.error)
            rest = fetched.data[: 32 - split]
            with m.If((fetched.addr == 1) & (rest != identity[split:])):
                m.d.sync += other.eq(1)
        is_config = opcode == Opcode.CONFIG
        known = Cat(opcode == code for code in Opcode if code is not Opcode.ILLEGAL).any()
        problem = Signal(Error)
        with m.If(failed):
            m.d.comb += problem.eq(Error.FETCH_BUS)
        with m.Elif((is_config | self._first) & ~(is_config & ~other)):
            m.d.comb += problem.eq(Error.WRONG_CONFIG)
        with m.Elif(~known):
            m.d.comb += problem.eq(Error.ILLEGAL_OPCODE)
        with m.Switch(opcode):
            for engine in ENGINES:
                with m.Case(*(code for code in Opcode if engine_of(code) is engine)):
                    m.d.comb += self.engine.eq(engine)
        return problem

    def _pass_words(self, m, opcode, replays, replayed):
        """Pass on what is fetched, and keep settings; pass these on when work needs them."""
        m.submodules.settings = settings = storage(self.contents)
        write, read = settings.write_port(), settings.read_port()
        fetched, word = self.fetched, self.word
        bits = exact_log2(self._words)
        number = fetched.addr[:bits]
        code = Mux(number == 0, fetched.data[:8], opcode)
        kept = [setting for engine in SETTINGS for setting in SETTINGS[engine]]
        slot = Signal(range(len(kept)))
        for index, setting in enumerate(kept):
            with m.If(code == setting):
                m.d.comb += [slot.eq(index), write.en.eq(fetched.valid)]
        m.d.comb += [write.addr.eq(Cat(number, slot)), write.data.eq(fetched.data)]

        place = Signal.like(read.addr, reset_less=True)
        passes, passed = Signal(), Signal.like(place, reset_less=True)
        first = self._words * len(SETTINGS[Engine.MAC])
        ends = Mux(self.engine == Engine.MAC, first - 1, self.contents.depth - 1)
        keeps = (self.engine == Engine.MAC) | (self.engine == Engine.VECTOR)
        m.d.comb += [read.addr.eq(place), replayed.eq(~keeps | (passes & (passed == ends)))]
        with m.If(replays):
            m.d.sync += place.eq(place + 1)
        with m.Else():
            m.d.sync += place.eq(Mux(self.engine == Engine.MAC, 0, first))
        m.d.sync += [passes.eq(replays & keeps & ~replayed), passed.eq(place)]

        # A register cuts the way from the bus to the engines; they start later than that.
        m.d.sync += [
            word.valid.eq((fetched.valid & ~self.busy) | passes),
            self.transfers.eq(fetched.valid),
            word.opcode.eq(code),
            word.number.eq(number),
            word.bits.eq(fetched.data),
        ]
        with m.If(passes):
            m.d.sync += [word.number.eq(passed[:bits]), word.bits.eq(read.data)]
            with m.Switch(passed[bits:]):
                for index, setting in enumerate(kept):
                    with m.Case(index):
                        m.d.sync += word.opcode.eq(setting)
