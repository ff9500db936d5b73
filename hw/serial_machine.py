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
from .serial_lanes import SerialLanes
from .serial_mac import SerialMac
from .serial_nest import SerialNest
from .serial_sequencer import SerialSequencer
from .serial_transfer import SerialTransfer
from .serial_vector import SerialVector
from .storage import storage

__all__ = ["SerialMachine"]


class SerialMachine(wiring.Component):
    """Run one program after each reset, as :class:`~.machine.Machine` does, in program order.

    One loop nest serves the array and the vector unit, and each buffer has one port for all. With
    a lane for each channel the vector unit has its own nest, and reads while it writes.

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
        vector = SerialLanes(config) if config.serial > 1 else SerialVector(config)
        m.submodules.vector = vector
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
        self._connect_nest(m, nest, mac)
        self._connect_buffers(m, transfer, mac, vector)
        if config.serial > 1:
            self._connect_lanes(m, transfer, nest, mac, vector)
        else:
            self._share_nest(m, sequencer, nest, mac, vector)
            self._share_ports(m, sequencer.busy, (transfer, nest, mac, vector))
        self._report(m, sequencer, transfer, mac, vector)
        return m

    def _connect_nest(self, m, nest, mac):
        m.d.comb += [
            nest.start.eq(mac.start),
            nest.step.eq(mac.step),
            *(getattr(mac, k).eq(getattr(nest, k)) for k in SerialMac.from_nest),
        ]

    def _share_nest(self, m, sequencer, nest, mac, vector):
        """Let the nest serve the vector unit too."""
        multiplies = sequencer.multiplies  # known long before the work starts
        m.d.comb += [
            nest.start.eq(mac.start | vector.start),
            nest.lanes.eq(~multiplies),
            nest.single.eq(~multiplies & vector.single),
            nest.skip.eq(~multiplies & vector.skip),
            nest.step.eq(mac.step | vector.step),
            vector.lane.eq(nest.lane),
        ]
        names = ("begins", "inner_ends", "pixel_ends", "row_ends", "ends")
        m.d.comb += [getattr(vector, name).eq(getattr(nest, name)) for name in names]

    def _connect_buffers(self, m, transfer, mac, vector):
        """Connect the buffers that one block reads each; remember what is loaded."""
        loaded = transfer.loaded
        self._loads = loads = {b: loaded.valid & (transfer.buffer == b) for b in Buffer}
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
        self._write, self._read = write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(loads[Buffer.ACTIVATION] | vector.write.valid),
            write.data.eq(Mux(vector.write.valid, vector.write.p.data, loaded.data)),
            transfer.activation.eq(read.data),
            mac.activation.eq(read.data),
            mac.read.eq(vector.accumulators),
            vector.sums.eq(mac.sums),
        ]

    def _connect_lanes(self, m, transfer, nest, mac, vector):
        """Give the vector unit what it needs to read and write at once."""
        write, read = self._write, self._read
        m.d.comb += [
            write.addr.eq(Mux(vector.write.valid, vector.write.p.addr, transfer.addr)),
            read.addr.eq(nest.addr),
            # A word that is stored stays until the bus takes it.
            read.en.eq(transfer.reads | mac.step | vector.read.addr.valid),
            mac.code.eq(read.data[:8]),
            vector.read.addr.ready.eq(1),
            vector.read.data.eq(read.data),
            vector.loaded.eq(transfer.loaded),
            vector.loaded.valid.eq(self._loads[Buffer.PARAMETER]),
        ]
        with m.If(vector.read.addr.valid):
            m.d.comb += read.addr.eq(vector.read.addr.payload)
        with m.Elif(transfer.reads):
            m.d.comb += read.addr.eq(transfer.addr)

    def _share_ports(self, m, busy, blocks):
        """Give the only port of the activation buffer, and two multipliers, to whoever works."""
        transfer, nest, mac, vector = blocks
        write, read = self._write, self._read
        addr = Signal.like(read.addr)
        m.d.comb += [
            addr.eq(nest.addr),
            read.en.eq(~write.en & (transfer.reads | mac.step | vector.reads)),
            read.addr.eq(addr),
            write.addr.eq(addr),
        ]
        with m.If(vector.write.valid):
            m.d.comb += addr.eq(vector.write.p.addr)
        with m.Elif(vector.residual):
            m.d.comb += addr.eq(vector.residual_addr)
        with m.Elif(~busy):
            m.d.comb += addr.eq(transfer.addr)
        code = read.data.word_select(nest.lane, 8)
        m.d.comb += [
            mac.code.eq(code),
            vector.code.eq(code),
            mac.factors.eq(vector.factors),
            mac.load.eq(vector.load),
            mac.addends.eq(vector.addends),
            vector.products.eq(mac.products),
        ]

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
