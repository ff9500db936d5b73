"""SerialVector: VECTOR work, one lane after the other."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa.config import PARAMETER_LANE_BYTES, Config
from ..isa.instructions import Opcode, VectorSource
from .interfaces import private_read_signature, write_layout
from .serial_emission import SerialEmission
from .serial_fields import capture, instruction_word_layout
from .serial_requantizer import SerialRequantizer
from .serial_taps import SerialTaps

__all__ = ["SerialVector"]

#: What the nest says to the vector unit.
_NEST = ("begins", "inner_ends", "pixel_ends", "row_ends", "ends")


#: Until a total is there when it is wanted, after the parameters were asked for.
_WAITS = tuple(f"WAIT_{n}" for n in range(SerialTaps.latency - 2))


class SerialVector(wiring.Component):
    """Carry out VECTOR work while the nest runs.

    For each lane of a result the kernel's codes are read, one each cycle, then the parameters,
    in two cycles; between the two pass four cycles if there is a kernel. A column without a result
    takes two cycles. Where words are read, the next column waits until the result is written.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    start : In(1)
        Begin; the nest begins with it.
    begins, inner_ends, pixel_ends, row_ends, ends, lane : In(…)
        What the nest says.
    single, skip, step : Out(1)
        What is said to the nest.
    reads : Out(1)
        A word of the activation buffer is read: at the nest's address, or of ``residual``.
    residual : Out(1)
        It is the word at ``residual_addr``.
    residual_addr : Out(range(config.activation_words))
        Where a residual lies.
    code : In(8)
        The lane's byte of the word that was read in the cycle before.
    factors, load, addends, products : Out(…), Out(1), Out(…), In(…)
        For the array's multipliers (:class:`~.serial_taps.SerialTaps`).
    parameters : Out(private_read_signature(...))
        Parameter buffer, word by word.
    accumulators : Out(range(2 * config.accumulator_pixels + 1))
        Sums to read.
    sums : In(data.ArrayLayout(signed(32), config.columns))
        Sums that were asked for in the cycle before.
    write : Out(stream.Signature(write_layout(...), always_ready=True))
        Results.
    active : Out(1)
        A code of a kernel is taken, or a sum.
    done : Out(1)
        Pulse: the work is complete.
    """

    #: Cycles from a result's last lane to its write.
    write_latency = SerialRequantizer.latency

    def __init__(self, config: Config) -> None:
        self.config = config
        words = config.activation_words
        written = stream.Signature(write_layout(words, config), always_ready=True)
        pieces = PARAMETER_LANE_BYTES * config.parameter_words
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                "start": In(1),
                **{name: In(1) for name in _NEST},
                "lane": In(range(config.columns)),
                **{name: Out(1) for name in ("single", "skip", "step", "reads", "residual")},
                "residual_addr": Out(range(words)),
                "code": In(8),
                "factors": Out(data.ArrayLayout(signed(8), 2)),
                "load": Out(1),
                "addends": Out(data.ArrayLayout(signed(16), 2)),
                "products": In(data.ArrayLayout(signed(16), 2)),
                "parameters": Out(private_read_signature(pieces, 8 * config.word_bytes)),
                "accumulators": Out(range(2 * config.accumulator_pixels + 1)),
                "sums": In(data.ArrayLayout(signed(32), config.columns)),
                "write": Out(written),
                "active": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.requantizer = requantizer = SerialRequantizer(self.config)
        m.submodules.taps = taps = SerialTaps(self.config)
        m.submodules.emission = emission = SerialEmission(self.config)
        for block in (requantizer, taps, emission):
            m.d.comb += block.word.eq(self.word)
        source, adds = Signal(reset_less=True), Signal(reset_less=True)
        capture(m, self.word, source, Opcode.VECTOR_LOOPS, "source")
        capture(m, self.word, adds, Opcode.VECTOR_REQUANTIZE, "residual")
        self._kernel = source == VectorSource.ACTIVATION
        m.d.comb += [
            self.single.eq(~self._kernel),
            emission.start.eq(self.start),
            emission.row_ends.eq(self.row_ends),
            emission.column_ends.eq(self.step & self.pixel_ends),
            self.skip.eq(~emission.emits),
            self.residual_addr.eq(emission.residual_addr),
        ]
        states = self._control(m, adds, emission.emits)
        self._read_parameters(m, states)
        self._read_sums(m)

        sums = Mux(self._kernel, taps.total, self.sums[self.lane])
        m.d.comb += [
            taps.valid.eq(states["TAP"] & emission.emits),
            taps.first.eq(self.begins),
            taps.products.eq(self.products),
            self.factors.eq(taps.factors),
            self.load.eq(taps.load),
            self.addends.eq(taps.addends),
            taps.tap.eq(self.parameters.data[:9].as_signed()),
            requantizer.start.eq(states["SCALE"] & emission.emits),
            requantizer.value.eq(sums),
            requantizer.bias.eq(self.parameters.data),
            requantizer.residual.eq(self.code),
            requantizer.scale.eq(self.parameters.data),
        ]
        self._write(m, requantizer, emission)
        return m

    def _control(self, m, adds, emits):
        """Step through lanes; return which state is the present one."""
        wait = Signal(range(self.write_latency))
        over = Signal()
        names = ("TAP", *_WAITS, "BIAS", "SCALE", "DRAIN")
        states = {name: Signal(name=f"in_{name.lower()}") for name in names}
        waits = self.ends | (self.pixel_ends & emits & (self._kernel | adds))
        with m.FSM(name="lanes") as fsm:
            for name, signal in states.items():
                m.d.comb += signal.eq(fsm.ongoing(name))

            def begin():
                with m.If(self._kernel):
                    m.next = "TAP"
                with m.Else():
                    m.next = "BIAS"

            with m.State("IDLE"), m.If(self.start):
                begin()
            with m.State("TAP"):
                with m.If(~emits):
                    m.next = "SCALE"
                with m.Elif(self.inner_ends):
                    m.next = _WAITS[0]
            for name, follower in zip(_WAITS, (*_WAITS[1:], "BIAS"), strict=True):
                with m.State(name):
                    m.next = follower
            with m.State("BIAS"):
                m.next = "SCALE"
            with m.State("SCALE"):
                m.d.sync += [wait.eq(self.write_latency - 1), over.eq(self.ends)]
                with m.If(waits):
                    m.next = "DRAIN"
                with m.Else():
                    begin()
            with m.State("DRAIN"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.comb += self.done.eq(over)
                    begin()
                    with m.If(over):
                        m.next = "IDLE"
        reads_tap = states["TAP"] & emits
        m.d.comb += [
            self.step.eq(states["SCALE"] | (reads_tap & ~self.inner_ends)),
            self.residual.eq(states["BIAS"] & adds),
            self.reads.eq(reads_tap | self.residual),
            self.active.eq(reads_tap | (states["BIAS"] & ~self._kernel)),
        ]
        return states

    def _read_parameters(self, m, states):
        """Ask for taps in turn, then for both words of the lane."""
        bits = ceil_log2(self.config.parameter_words)
        first, tap = Signal(bits, reset_less=True), Signal(bits, reset_less=True)
        capture(m, self.word, first, Opcode.VECTOR, "parameter_addr")
        with m.If(self.start | states["SCALE"]):
            m.d.sync += tap.eq(first + 1)
        with m.Elif(states["TAP"]):
            m.d.sync += tap.eq(tap + 1)
        place = Mux(states["TAP"], tap, first)
        m.d.comb += self.parameters.addr.eq(Cat(states["SCALE"], self.lane, place))

    def _read_sums(self, m):
        half = Signal(reset_less=True)
        pixel = Signal(ceil_log2(self.config.accumulator_pixels), reset_less=True)
        with m.If(self.step & self.pixel_ends):
            m.d.sync += pixel.eq(pixel + 1)
        capture(m, self.word, half, Opcode.VECTOR, "half")
        capture(m, self.word, pixel, Opcode.VECTOR, "pixel")
        m.d.comb += self.accumulators.eq((pixel << 1) | half)

    def _write(self, m, requantizer, emission):
        """Gather codes lane by lane, and write them with the last."""
        lanes = self.config.columns
        codes = Signal(8 * (lanes - 1), reset_less=True)
        addr = Signal.like(self.write.p.addr, reset_less=True)
        last = requantizer.start & self.pixel_ends
        with m.If(last):
            m.d.sync += addr.eq(emission.write_addr)
        comes, ends = requantizer.start, last
        for stage in range(self.write_latency):
            came, ended = Signal(name=f"comes_{stage}"), Signal(name=f"ends_{stage}")
            m.d.sync += [came.eq(comes), ended.eq(ends)]
            comes, ends = came, ended
        with m.If(comes):
            m.d.sync += codes.eq(Cat(codes[8:], requantizer.code))
        m.d.comb += [
            self.write.valid.eq(ends),
            self.write.p.addr.eq(addr),
            self.write.p.data.eq(Cat(codes, requantizer.code)),
        ]
