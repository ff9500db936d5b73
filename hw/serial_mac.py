"""SerialMac: MAC work on the array of the serial machine."""

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import MemoryData
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ..isa.config import Config
from ..isa.instructions import Opcode
from .interfaces import private_read_signature
from .serial_array import SerialArray
from .serial_fields import capture, instruction_word_layout
from .storage import storage

__all__ = ["SerialMac"]


class SerialMac(wiring.Component):
    """Carry out MAC work while the nest runs; keep the sums for the vector unit.

    Takes one operand vector each cycle, except that a tile of one pixel takes two, as its weights
    do. Sums wrap at 32 bits. A tile that overwrites adds to a word
    of zeros behind the accumulators.

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
    begins, first_tile, inner_ends, ends, inside : In(1)
        What the nest says.
    step : Out(1)
        Take an operand: the nest goes on, and its address is read.
    activation : In(8 * config.word_bytes)
        The word that was read in the cycle before.
    code : In(8)
        What row 0 takes of it: its first byte, or the vector unit's lane.
    factors, load : In(data.ArrayLayout(signed(8), 2)), In(1)
        What the vector unit has row 0 multiply by, in the first two columns.
    addends, products : In(…), Out(data.ArrayLayout(signed(16), 2))
        As the array has them.
    weights : Out(private_read_signature(...))
        Weight buffer, half a tile at once.
    read : In(range(2 * config.accumulator_pixels + 1))
        Accumulators that the vector unit reads: twice the pixel plus the half.
    sums : Out(data.ArrayLayout(signed(32), config.columns))
        The accumulators that were asked for in the cycle before.
    done : Out(1)
        Pulse: the work is complete.
    """

    #: What the nest says to it.
    from_nest = ("begins", "first_tile", "inner_ends", "ends", "inside")

    #: Cycles from a step to its operands at the array.
    operand_latency = 2

    #: Cycles from the last step to ``done``.
    done_latency = operand_latency + SerialArray.latency + 1

    def __init__(self, config: Config) -> None:
        self.config = config
        self.contents = MemoryData(
            shape=32 * config.columns, depth=2 * config.accumulator_pixels + 1, init=[]
        )
        inputs = ("start", *self.from_nest)
        word_bits, half = 8 * config.word_bytes, config.rows // 2
        halves = config.weight_words // half
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                **{name: In(1) for name in inputs},
                "step": Out(1),
                "activation": In(word_bits),
                "code": In(8),
                "factors": In(data.ArrayLayout(signed(8), 2)),
                "load": In(1),
                "addends": In(data.ArrayLayout(signed(16), 2)),
                "products": Out(data.ArrayLayout(signed(16), 2)),
                "weights": Out(private_read_signature(halves, half * word_bits)),
                "read": In(range(2 * config.accumulator_pixels + 1)),
                "sums": Out(data.ArrayLayout(signed(32), config.columns)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = SerialArray(self.config)
        running, begins = Signal(), Signal()
        m.d.sync += begins.eq(self.start)  # the nest needs a cycle more to know where it ends
        with m.If(begins):
            m.d.sync += running.eq(1)
        with m.Elif(self.step & self.ends):
            m.d.sync += running.eq(0)
        tile_begins = self.step & self.begins
        self._load(m, tile_begins, running, array)

        self._align(m, array)
        m.d.comb += [array.addends.eq(self.addends), self.products.eq(array.products)]
        self._accumulate(m, tile_begins, array)
        return m

    def _align(self, m, array):
        """Flip the top bit of unsigned bytes, and put zeros, or the smallest code, around maps."""
        unsigned, maximum, inside = (
            Signal(name=name, reset_less=True) for name in ("unsigned", "maximum", "within")
        )
        capture(m, self.word, unsigned, Opcode.MAC_LOOPS, "unsigned")
        if self.config.serial == 1:  # the vector unit's codes pass here too
            capture(m, self.word, unsigned, Opcode.VECTOR_LOOPS, "unsigned")
            with m.If(self.word.valid & (self.word.opcode == Opcode.MAC_LOOPS)):
                m.d.sync += maximum.eq(0)
            capture(m, self.word, maximum, Opcode.VECTOR_LOOPS, "operation")
        m.d.sync += inside.eq(self.inside)
        codes = [
            self.code,
            *(self.activation.word_select(n, 8) for n in range(1, self.config.rows)),
        ]
        operands = Signal(array.operands.shape(), reset_less=True)
        padding = (unsigned | maximum) << 7
        for code, operand in zip(codes, operands, strict=True):
            m.d.sync += operand.eq(Mux(inside, code ^ (unsigned << 7), padding))
        m.d.comb += array.operands.eq(operands)

    def _load(self, m, tile_begins, running, array):
        """Read a tile's weights while it begins, half of the rows each cycle."""
        addr = Signal.like(self.weights.addr)
        drop = exact_log2(self.config.rows // 2)
        capture(m, self.word, addr, Opcode.MAC, "weight_addr", drop=drop)
        begun = Signal(2)  # how many cycles ago
        m.d.sync += begun.eq((begun << 1) | tile_begins)
        with m.If(tile_begins | begun[0]):
            m.d.sync += addr.eq(addr + 1)
        m.d.comb += [
            self.weights.addr.eq(addr),
            array.weights.eq(self.weights.data),
            array.loads.eq(begun | self.load),
            self.step.eq(running & ~(self.begins & begun[0])),
        ]
        with m.If(~running & ~begun.any()):
            m.d.comb += array.weights[0][:16].eq(self.factors)

    def _accumulate(self, m, tile_begins, array):
        """Add totals to the accumulators when they come."""
        pixel_bits = ceil_log2(self.config.accumulator_pixels)
        accumulate, half = Signal(reset_less=True), Signal(reset_less=True)
        pixel = Signal(pixel_bits, reset_less=True)
        for register, name in ((accumulate, "accumulate"), (half, "half"), (pixel, "pixel")):
            capture(m, self.word, register, Opcode.MAC, name)

        token = data.StructLayout({"valid": 1, "begins": 1, "overwrite": 1, "last": 1})
        moved = Signal(token, name="token_0")
        m.d.comb += [
            moved.valid.eq(self.step),
            moved.begins.eq(tile_begins),
            moved.overwrite.eq(self.first_tile & ~accumulate),
            moved.last.eq(self.step & self.ends),
        ]
        tokens = [moved]
        for stage in range(self.done_latency):
            tokens.append(Signal(token, name=f"token_{stage + 1}"))
            m.d.sync += tokens[-1].eq(tokens[-2])
        reads, writes = tokens[-3], tokens[-2]
        m.d.comb += self.done.eq(tokens[-1].last)

        m.submodules.accumulators = sums = storage(self.contents)
        read, write = sums.read_port(), sums.write_port()
        before, place = Signal(pixel_bits, reset_less=True), Signal(pixel_bits)
        m.d.comb += [
            place.eq(Mux(reads.begins, pixel, before + 1)),
            read.addr.eq((place << 1) | half),
            write.addr.eq((before << 1) | half),
            write.en.eq(writes.valid),
        ]
        with m.If(reads.valid):
            m.d.sync += before.eq(place)
            with m.If(reads.overwrite):
                m.d.comb += read.addr.eq(self.contents.depth - 1)
        with m.Else():
            m.d.comb += read.addr.eq(self.read)
        m.d.comb += self.sums.as_value().eq(read.data)
        added = data.View(self.sums.shape(), write.data)
        for column in range(self.config.columns):
            m.d.comb += added[column].eq(self.sums[column] + array.totals[column])
