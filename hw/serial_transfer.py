"""SerialTransfer: everything that moves between external memory and the serial machine."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import FORMATS, Opcode
from ..isa.serial import ADDRESS_BITS, COUNT_BITS, RUN_BITS
from .axi import axi4_signature
from .runs import REGIONS
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialTransfer", "moved_layout"]


def moved_layout(config: Config) -> data.StructLayout:
    """Return a word that came from memory: its place in a buffer, and whether the bus failed."""
    return data.StructLayout(
        {
            "valid": 1,
            "addr": RUN_BITS,
            "data": 8 * config.bus_bytes,
            "error": 1,
        }
    )


class SerialTransfer(wiring.Component):
    """Fetch an instruction, or carry out a LOAD or a STORE, one burst after the other.

    Bursts end at multiples of the longest one, so none crosses 4 KiB. Words are as wide as the
    bus, and move one each cycle.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    region, base : Out(range(REGIONS)), In(ADDRESS_BITS)
        The region that the transfer names, and its address, a cycle later.
    fetch, start : In(1)
        Pulses: fetch the instruction at ``pc``, or carry out the transfer that passed by.
    pc : In(ADDRESS_BITS)
        Where the instruction lies.
    halt : In(1)
        Begin no more bursts.
    m_axi : Out(axi4_signature(config))
        External memory.
    fetched, loaded : Out(moved_layout(config))
        Words of the instruction, whose number is the place; words for a buffer.
    buffer : Out(2)
        Which one (Buffer).
    reads : Out(1)
        The word at ``addr`` of the activation buffer is read.
    addr : Out(RUN_BITS)
        Which word that is.
    activation : In(8 * config.word_bytes)
        The word that was read last.
    failed : Out(1)
        Pulse: the bus failed, while it loaded or stored.
    done : Out(1)
        Pulse: the transfer is complete.
    idle : Out(1)
        Nothing is in flight on the bus.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        widths = {f.name: f.width for f in FORMATS[Opcode.LOAD]}
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                "region": Out(range(REGIONS)),
                "base": In(ADDRESS_BITS),
                "fetch": In(1),
                "start": In(1),
                "pc": In(ADDRESS_BITS),
                "halt": In(1),
                "m_axi": Out(axi4_signature(config)),
                "fetched": Out(moved_layout(config)),
                "loaded": Out(moved_layout(config)),
                "buffer": Out(widths["buffer"]),
                "reads": Out(1),
                "addr": Out(RUN_BITS),
                "activation": In(8 * config.word_bytes),
                "failed": Out(1),
                "done": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus = self.m_axi
        fetches, moves = Signal(), Signal()
        self._left, self._beats = Signal(RUN_BITS + 1), Signal(range(self.config.burst_beats))
        self._address = Signal(ADDRESS_BITS, reset_less=True)
        self._take_job(m)
        with m.FSM(name="bursts") as fsm:
            resting = [fsm.ongoing(name) for name in ("IDLE", "RUN", "HALTED")]
            m.d.comb += self.idle.eq(Cat(resting).any())
            with m.State("IDLE"):
                self._idle(m, fetches)
            with m.State("RUN"):
                self._run(m)
            with m.State("REQUEST"):
                stored = self._stores & ~fetches
                m.d.comb += [bus.ar.valid.eq(~stored), bus.aw.valid.eq(stored)]
                m.d.sync += self._beats.eq(bus.ar.p.len)
                with m.If(bus.ar.valid & bus.ar.ready):
                    m.next = "READ"
                with m.If(bus.aw.valid & bus.aw.ready):
                    m.next = "LOOK"
            with m.State("READ"):
                m.d.comb += [bus.r.ready.eq(1), moves.eq(bus.r.valid)]
                with m.If(bus.r.valid & bus.r.p.last):
                    m.next = "NEXT"
            self._write_states(m, moves)
            with m.State("NEXT"):
                self._follow(m, fetches)
            with m.State("HALTED"):
                m.next = "HALTED"  # until a reset
        with m.If(moves):
            m.d.sync += [
                self._left.eq(self._left - 1),
                self._beats.eq(self._beats - 1),
                self._address.eq(self._address + self.config.bus_bytes),
            ]
        with m.If(self.reads | (bus.r.valid & bus.r.ready)):
            m.d.sync += self.addr.eq(self.addr + 1)
        self._drive(m, fetches)
        return m

    def _write_states(self, m, moves):
        """Read a word while the one before is taken, until the burst is over and answered."""
        bus = self.m_axi
        with m.State("LOOK"):
            m.d.comb += self.reads.eq(1)
            m.next = "WRITE"
        with m.State("WRITE"):
            m.d.comb += [bus.w.valid.eq(1), moves.eq(bus.w.ready)]
            with m.If(bus.w.ready):
                m.d.comb += self.reads.eq(~bus.w.p.last)
                with m.If(bus.w.p.last):
                    m.next = "ANSWER"
        with m.State("ANSWER"):
            m.d.comb += bus.b.ready.eq(1)
            with m.If(bus.b.valid):
                m.next = "NEXT"

    def _follow(self, m, fetches):
        """Begin what comes after a burst."""
        with m.If(self._left == 0):
            m.next = "RUN"
            with m.If(fetches):
                m.next = "IDLE"
        with m.Elif(self.halt):
            m.next = "HALTED"
        with m.Else():
            m.next = "REQUEST"

    def _take_job(self, m):
        """Take a transfer's fields as they pass; LOAD and STORE have the same."""

        def register(name, bits):
            signal = Signal(bits, name=name, reset_less=True)
            for opcode in (Opcode.LOAD, Opcode.STORE):
                capture(m, self.word, signal, opcode, name)
            return signal

        self._run_address = register("offset", ADDRESS_BITS)
        self._run_addr = register("addr", RUN_BITS)
        self._memory_pitch = register("memory_pitch", ADDRESS_BITS)
        self._pitch = register("pitch", RUN_BITS)
        self._words = register("words", RUN_BITS + 1)
        self._runs = register("runs", COUNT_BITS)
        m.d.comb += self.region.eq(register("region", range(REGIONS)))
        m.d.comb += self.buffer.eq(register("buffer", len(self.buffer)))
        self._stores = Signal(reset_less=True)
        with m.If(self.word.valid):
            m.d.sync += self._stores.eq(self.word.opcode == Opcode.STORE)

    def _idle(self, m, fetches):
        """Begin with an instruction, or with the first run."""
        with m.If(self.fetch):
            m.d.sync += [
                fetches.eq(1),
                self._left.eq(INSTRUCTION_BYTES // self.config.bus_bytes),
                self._address.eq(self.pc),
                self.addr.eq(0),
            ]
            m.next = "REQUEST"
        with m.Elif(self.start):
            m.d.sync += [fetches.eq(0), self._run_address.eq(self._run_address + self.base)]
            m.next = "RUN"

    def _run(self, m):
        """Begin with the next run, or end."""
        m.d.sync += [
            self._address.eq(self._run_address),
            self._run_address.eq(self._run_address + self._memory_pitch),
            self.addr.eq(self._run_addr),
            self._run_addr.eq(self._run_addr + self._pitch),
            self._left.eq(self._words),
            self._runs.eq(self._runs - 1),
        ]
        m.next = "REQUEST"
        with m.If((self._runs == 0) | (self._words == 0)):
            m.d.comb += self.done.eq(1)
            m.next = "IDLE"
        with m.Elif(self.halt):
            m.next = "HALTED"

    def _drive(self, m, fetches):
        """Drive the bus, and hand on what comes from it."""
        bus, beat = self.m_axi, exact_log2(self.config.bus_bytes)
        block = beat + exact_log2(self.config.burst_beats)
        room = ~self._address[beat:block]  # beats to the end of the block, less one
        length = Signal(range(self.config.burst_beats))
        m.d.comb += length.eq(Mux(self._left > room, room, self._left - 1))
        for channel in (bus.ar, bus.aw):
            m.d.comb += [channel.p.addr.eq(self._address), channel.p.len.eq(length)]
        m.d.comb += [
            bus.w.p.data.eq(self.activation),
            bus.w.p.strb.eq(~0),
            bus.w.p.last.eq(self._beats == 0),
        ]
        comes = bus.r.valid & bus.r.ready
        for moved, valid in ((self.fetched, comes & fetches), (self.loaded, comes & ~fetches)):
            m.d.comb += [
                moved.valid.eq(valid),
                moved.addr.eq(self.addr),
                moved.data.eq(bus.r.p.data),
                moved.error.eq(bus.r.p.resp[1]),
            ]
        answered = bus.b.valid & bus.b.ready & bus.b.p.resp[1]
        m.d.comb += self.failed.eq((self.loaded.valid & self.loaded.error) | answered)
