"""SerialMachine: a machine for the smallest chips, which does one thing after the other."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect, flipped
from amaranth.utils import exact_log2

from ..isa.config import Config
from ..isa.instructions import ENGINES, Buffer, Engine
from ..isa.registers import Error, register
from .machine import machine_signature
from .sequencer import FAILURES
from .serial_mac import SerialMac
from .serial_nest import SerialNest
from .serial_sequencer import SerialSequencer
from .serial_transfer import SerialTransfer
from .serial_vector import SerialVector
from .storage import storage

__all__ = ["SerialMachine"]


class SerialMachine(wiring.Component):
    """Run one program after each reset, as :class:`~.machine.Machine` does, in program order.

    One loop nest serves the array and the vector unit. Each buffer has one port for all.

    Parameters
    ----------
    config : Config
        The accelerator, with ``serial``.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        word_bits = 8 * config.word_bytes
        pieces = 8 * config.parameter_words
        self.activations = MemoryData(shape=word_bits, depth=config.activation_words, init=[])
        half = config.rows // 2  # rows whose weights are read at once
        self.weights = [
            MemoryData(shape=word_bits, depth=config.weight_words // half, init=[])
            for _ in range(half)
        ]
        self.parameters = MemoryData(shape=word_bits, depth=pieces, init=[])
        super().__init__(machine_signature(config))

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.sequencer = sequencer = SerialSequencer(config)
        m.submodules.transfer = transfer = SerialTransfer(config)
        m.submodules.nest = nest = SerialNest(config)
        m.submodules.mac = mac = SerialMac(config)
        m.submodules.vector = vector = SerialVector(config)
        for block in (transfer, nest, mac, vector):
            m.d.comb += block.word.eq(sequencer.word)
        m.d.comb += transfer.word.valid.eq(sequencer.transfers)
        connect(m, transfer.m_axi, flipped(self.m_axi))

        starts = sequencer.starts
        m.d.comb += [
            sequencer.program_addr.eq(self.setting),
            sequencer.length.eq(self.length),
            sequencer.halt.eq(self.halt),
            sequencer.fetched.eq(transfer.fetched),
            sequencer.done.eq(transfer.done),
            sequencer.computed.eq(mac.done | vector.done),
            sequencer.buffer.eq(transfer.buffer),
            transfer.halt.eq(self.halt),
            transfer.fetch.eq(sequencer.fetch),
            transfer.pc.eq(sequencer.pc),
            transfer.start.eq(starts[Engine.LOAD] | starts[Engine.STORE]),
            mac.start.eq(starts[Engine.MAC]),
            vector.start.eq(starts[Engine.VECTOR]),
            self.idle.eq(transfer.idle),
            self.finished.eq(sequencer.finished),
        ]
        program, bases = (register(name).offset // 4 for name in ("PROGRAM", "BASE0"))
        m.d.comb += [
            self.number.eq(Mux(sequencer.begins, program, bases | transfer.region)),
            transfer.base.eq(self.setting),
        ]
        self._connect_nest(m, sequencer, nest, mac, vector)
        self._connect_buffers(m, sequencer.busy, (transfer, nest, mac, vector))
        self._report(m, sequencer, transfer, mac, vector)
        return m

    def _connect_nest(self, m, sequencer, nest, mac, vector):
        multiplies = sequencer.multiplies  # known long before the work starts
        m.d.comb += [
            nest.start.eq(mac.start | vector.start),
            nest.lanes.eq(~multiplies),
            nest.single.eq(~multiplies & vector.single),
            nest.skip.eq(~multiplies & vector.skip),
            nest.step.eq(mac.step | vector.step),
            vector.lane.eq(nest.lane),
        ]
        m.d.comb += mac.inside.eq(nest.inside)
        for name in ("begins", "inner_ends", "ends"):
            m.d.comb += [getattr(block, name).eq(getattr(nest, name)) for block in (mac, vector)]
        m.d.comb += [
            mac.first_tile.eq(nest.first_tile),
            vector.pixel_ends.eq(nest.pixel_ends),
            vector.row_ends.eq(nest.row_ends),
        ]

    def _connect_buffers(self, m, busy, blocks):
        """Give each buffer's port to whoever works."""
        transfer, nest, mac, vector = blocks
        loaded = transfer.loaded
        loads = {buffer: loaded.valid & (transfer.buffer == buffer) for buffer in Buffer}
        m.submodules.parameters = words = storage(self.parameters)
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(loads[Buffer.PARAMETER]),
            write.addr.eq(loaded.addr),
            write.data.eq(loaded.data),
            read.addr.eq(vector.parameters.addr),
            vector.parameters.data.eq(read.data),
        ]
        drop = exact_log2(len(self.weights))
        weights = data.View(data.ArrayLayout(len(read.data), 1 << drop), mac.weights.data)
        for row, contents in enumerate(self.weights):
            m.submodules[f"weights_{row}"] = words = storage(contents)
            write, read = words.write_port(), words.read_port()
            m.d.comb += [
                write.en.eq(loads[Buffer.WEIGHT] & (loaded.addr[:drop] == row)),
                write.addr.eq(loaded.addr[drop:]),
                write.data.eq(loaded.data),
                read.addr.eq(mac.weights.addr),
                weights[row].eq(read.data),
            ]

        m.submodules.activations = words = storage(self.activations)
        write, read = words.write_port(), words.read_port()
        addr, writes = Signal.like(read.addr), Signal()
        m.d.comb += [
            addr.eq(nest.addr),
            writes.eq(loads[Buffer.ACTIVATION] | vector.write.valid),
            write.en.eq(writes),
            read.en.eq(~writes & (transfer.reads | mac.step | vector.reads)),
            read.addr.eq(addr),
            write.addr.eq(addr),
            write.data.eq(Mux(vector.write.valid, vector.write.p.data, loaded.data)),
        ]
        with m.If(vector.write.valid):
            m.d.comb += addr.eq(vector.write.p.addr)
        with m.Elif(vector.residual):
            m.d.comb += addr.eq(vector.residual_addr)
        with m.Elif(~busy):
            m.d.comb += addr.eq(transfer.addr)
        code = read.data.word_select(nest.lane, 8)
        m.d.comb += [
            transfer.activation.eq(read.data),
            mac.activation.eq(read.data),
            mac.code.eq(code),
            vector.code.eq(code),
            mac.factors.eq(vector.factors),
            mac.load.eq(vector.load),
            mac.addends.eq(vector.addends),
            vector.products.eq(mac.products),
        ]
        m.d.comb += [mac.read.eq(vector.accumulators), vector.sums.eq(mac.sums)]

    def _report(self, m, sequencer, transfer, mac, vector):
        """Say what happens, and what went wrong."""
        engine, done = sequencer.engine, {Engine.MAC: mac.done, Engine.VECTOR: vector.done}
        for unit in (Engine.LOAD, Engine.STORE):
            done[unit] = transfer.done & (engine == unit)
        m.d.comb += [
            self.trace_start.eq(sequencer.starts),
            self.trace_done.eq(Cat(done[unit] for unit in ENGINES)),
            self.trace_write.valid.eq(vector.write.valid),
            self.trace_write.addr.eq(vector.write.p.addr),
            self.trace_write.data.eq(vector.write.p.data),
            self.mac_active.eq(mac.step),
            self.vector_active.eq(vector.active),
            self.fetch_beat.eq(transfer.fetched.valid),
            self.load_beat.eq(transfer.loaded.valid),
            self.write_beat.eq(self.m_axi.w.valid & self.m_axi.w.ready),
            self.failures[FAILURES.index("decode")].eq(sequencer.failure),
        ]
        for name, of, code in (
            ("load", Engine.LOAD, Error.LOAD_BUS),
            ("store", Engine.STORE, Error.STORE_BUS),
        ):
            failure = self.failures[FAILURES.index(name)]
            m.d.comb += failure.index.eq(sequencer.index)
            with m.If(transfer.failed & (engine == of)):
                m.d.comb += failure.code.eq(code)
