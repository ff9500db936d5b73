"""SerialLanes: VECTOR work of the serial machine, with a lane for each channel."""

from amaranth import Cat, Module, Signal, signed
from amaranth.hdl import MemoryData
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..isa.config import PARAMETER_LANE_BYTES, Config
from ..isa.instructions import FORMATS, Engine
from .interfaces import (
    job_layout,
    job_parts,
    private_read_signature,
    read_signature,
    result_layout,
)
from .lane_parameters import TAP_BITS
from .serial_fields import capture, instruction_word_layout
from .serial_transfer import moved_layout
from .storage import storage
from .vector import Vector

__all__ = ["SerialLanes"]


class SerialLanes(wiring.Component):
    """Carry out VECTOR work as :class:`~.vector.Vector` does, once its parameters are there.

    Keeps the fields of instructions as their words pass by, and the taps of parameter words as
    they are loaded.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    start : In(1)
        Begin.
    loaded : In(moved_layout(config))
        Words for the parameter buffer.
    read : Out(read_signature(config.activation_words, config))
        Activation buffer; never waits.
    parameters : Out(private_read_signature(...))
        Parameter buffer, a lane in each word.
    accumulators : Out(range(2 * config.accumulator_pixels + 1))
        Sums to read.
    sums : In(data.ArrayLayout(signed(32), config.columns))
        Sums that were asked for in the cycle before.
    write : Out(stream.Signature(result_layout(config), always_ready=True))
        Results.
    active : Out(1)
        A pixel or a word is issued.
    done : Out(1)
        Pulse: the work is complete.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        pieces = PARAMETER_LANE_BYTES * config.parameter_words
        self.contents = MemoryData(
            shape=TAP_BITS * config.columns, depth=config.parameter_words, init=[]
        )
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                "start": In(1),
                "loaded": In(moved_layout(config)),
                "read": Out(read_signature(config.activation_words, config)),
                "parameters": Out(private_read_signature(pieces, 8 * config.word_bytes)),
                "accumulators": Out(range(2 * config.accumulator_pixels + 1)),
                "sums": In(data.ArrayLayout(signed(32), config.columns)),
                "write": Out(stream.Signature(result_layout(config), always_ready=True)),
                "active": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.vector = vector = Vector(self.config)
        m.d.comb += [
            vector.job.valid.eq(self.start),
            vector.job.p.eq(self._job(m)),
            vector.accumulators.data.eq(self.sums),
            self.accumulators.eq(Cat(vector.accumulators.half, vector.accumulators.pixel)),
            vector.write.ready.eq(1),
            self.write.valid.eq(vector.write.valid),
            self.write.p.eq(vector.write.p),
            self.active.eq(vector.active),
            self.done.eq(vector.done),
        ]
        connect(m, vector.read, flipped(self.read))
        connect(m, vector.parameters, flipped(self.parameters))
        self._keep_taps(m, vector.taps)
        return m

    def _job(self, m):
        """Return the fields of the work and its settings, which hold still while it runs."""
        job = Signal(job_layout(Engine.VECTOR))
        for name, opcode in job_parts(Engine.VECTOR).items():
            for field in FORMATS[opcode]:
                shape = signed(field.width) if field.signed else field.width
                register = Signal(shape, name=f"{name}_{field.name}", reset_less=True)
                capture(m, self.word, register, opcode, field.name)
                m.d.comb += job[name][field.name].eq(register)
        return job

    def _keep_taps(self, m, taps):
        """Write the tap of a lane as its word is loaded."""
        m.submodules.taps = words = storage(self.contents)
        write, read = words.write_port(granularity=TAP_BITS), words.read_port()
        lanes, loaded = self.config.columns, self.loaded
        bits = exact_log2(lanes)
        m.d.comb += [
            write.addr.eq(loaded.addr[bits:]),
            write.data.eq(loaded.data[:TAP_BITS].replicate(lanes)),
            write.en.eq(loaded.valid << loaded.addr[:bits]),
            read.addr.eq(taps.addr),
            taps.data.eq(read.data),
        ]
