"""Control: the registers."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import ISA_VERSION, Config
from ..isa.instructions import ENGINES
from ..isa.reach import index_bits
from ..isa.registers import Control as ControlBit
from ..isa.registers import Error, Status, register
from ..isa.serial import SERIAL_COUNTERS
from .axi import LITE_DATA_BITS, axi_lite_signature
from .interfaces import failure_layout
from .register_port import NUMBER_BITS, RegisterPort
from .runs import settings_members
from .sequencer import FAILURES, Sequencer
from .storage import storage
from .tokens import COUNT_BITS

__all__ = ["Control"]


class Control(wiring.Component):
    """Let a host start and stop the machine, and tell it what became of it.

    Settings that are written while the machine is busy are ignored.

    Parameters
    ----------
    config : Config
        Its id is a register.

    Members
    -------
    s_axi : In(axi_lite_signature())
        Registers of :mod:`shiftloom.isa.registers`.
    interrupt : Out(1)
        Done or stopped by an error, while interrupts are enabled.
    program_addr, length, bases : Out(…)
        Values of the registers; hold still while the machine is busy. For a serial machine the
        addresses lie in a memory, which gives one at a time:
    number, setting : In(NUMBER_BITS), Out(…)
        The register that it asks for, and its value a cycle later.
    clear : Out(1)
        Pulse: reset the machine.
    halt : Out(1)
        Begin nothing on the bus.
    idle : In(1)
        Nothing is in flight on the bus.
    finished : In(1)
        END was seen and all work has completed.
    failures : In(failure_layout()).array(len(FAILURES))
        What went wrong.
    completed : In(COUNT_BITS).array(4)
        Work that each engine has completed; a serial machine has none of these.
    mac_active, vector_active, fetch_beat, load_beat, write_beat : In(1)
        Events to count.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        completed = {"completed": In(COUNT_BITS).array(len(ENGINES))}
        super().__init__(
            {
                "s_axi": In(axi_lite_signature()),
                "interrupt": Out(1),
                "length": Out(index_bits(config)),
                **wiring.Signature(settings_members(config)).flip().members,
                "clear": Out(1),
                "halt": Out(1),
                "idle": In(1),
                "finished": In(1),
                "failures": In(failure_layout()).array(len(FAILURES)),
                **({} if config.serial else completed),
                "mac_active": In(1),
                "vector_active": In(1),
                "fetch_beat": In(1),
                "load_beat": In(1),
                "write_beat": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = port = RegisterPort()
        connect(m, flipped(self.s_axi), port.s_axi)

        m.submodules.sequencer = sequencer = Sequencer()
        enable = Signal()

        write = port.write
        controls = Signal()  # what is written has been there for a cycle
        m.d.sync += controls.eq((write.number == register("CONTROL").offset // 4) & write.strobe[0])
        commands = write.valid & controls
        resets = write.data[ControlBit.RESET]
        with m.If(commands):
            m.d.sync += enable.eq(write.data[ControlBit.INTERRUPT_ENABLE])
        m.d.comb += [
            sequencer.reset.eq(commands & resets),
            sequencer.start.eq(commands & write.data[ControlBit.START] & ~resets),
            sequencer.idle.eq(self.idle),
            sequencer.finished.eq(self.finished),
            self.clear.eq(sequencer.clear),
            self.halt.eq(~sequencer.running),
            self.interrupt.eq(enable & sequencer.reported),
        ]
        for inner, outer in zip(sequencer.failures, self.failures, strict=True):
            m.d.comb += inner.eq(outer)

        failure = sequencer.failure
        failed = failure.code != Error.NONE
        status = Signal(len(Status))
        m.d.comb += [
            status[Status.BUSY].eq(sequencer.busy),
            status[Status.DONE].eq(sequencer.reported & ~failed),
            status[Status.ERROR].eq(sequencer.reported & failed),
        ]
        values = {
            "CONTROL": Cat(0, sequencer.resetting, enable),
            "STATUS": status,
            "ERROR": Mux(sequencer.reported, failure.code, Error.NONE),
            "ERROR_INDEX": Mux(sequencer.reported, failure.index, 0),
            "CONFIG_ID": self.config.id,
            "ISA_VERSION": ISA_VERSION,
        }
        settings = self._settings(m, write, ~sequencer.busy)
        if not self.config.serial:  # where they can only be written
            values |= settings
        values |= self._counters(m, sequencer.counts, sequencer.clear)
        m.d.comb += port.read_data.eq(self._chosen(m, port.read_number, values))
        return m

    def _chosen(self, m, number, values):
        """Return the register that is read; which one it is has been known for a cycle."""
        choices = []
        for name, value in values.items():
            chosen = Signal(name=f"reads_{name.lower()}")
            m.d.sync += chosen.eq(number == register(name).offset // 4)
            choices.append(Mux(chosen, value, 0))
        return reduce(or_, choices)

    def _settings(self, m, write, idle):
        """Keep what the host writes, unless the machine is busy."""
        mask = Cat(strobe.replicate(8) for strobe in write.strobe)
        registers = {"PROGRAM_LENGTH": self.length}
        if self.config.serial:
            self._keep_addresses(m, write, idle)
        else:
            registers |= {"PROGRAM": self.program_addr}
            registers |= {f"BASE{region}": base for region, base in enumerate(self.bases)}
        for name, target in registers.items():
            number = register(name).offset // 4
            merged = (target & ~mask) | (write.data & mask)
            # What is written has been there for a cycle.
            chosen, too_large = Signal(name=f"writes_{name.lower()}"), Signal()
            m.d.sync += chosen.eq(write.number == number)
            m.d.sync += too_large.eq(merged[len(target) : LITE_DATA_BITS].any())
            with m.If(write.valid & chosen & idle):
                m.d.sync += target.eq(Mux(too_large, ~0, merged))
        return registers

    def _keep_addresses(self, m, write, idle):
        """Keep what is written in a memory; what is too large becomes larger than any memory."""
        contents = MemoryData(shape=LITE_DATA_BITS, depth=1 << NUMBER_BITS, init=[])
        m.submodules.addresses = addresses = storage(contents)
        store, read = addresses.write_port(granularity=8), addresses.read_port()
        bits = len(self.setting)
        mask = Cat(strobe.replicate(8) for strobe in write.strobe)
        too_large = (write.data & mask)[bits:].any()
        m.d.comb += [
            store.addr.eq(write.number),
            store.data.eq(write.data | too_large.replicate(4) << bits - 4),
            store.en.eq(Mux(write.valid & idle, write.strobe, 0)),
            read.addr.eq(self.number),
            self.setting.eq(read.data),
        ]

    def _counters(self, m, running, cleared):
        """Count events since the start; each counts a cycle later."""
        events = {
            "CYCLES": running,
            "MAC_CYCLES": running & self.mac_active,
            "VECTOR_CYCLES": running & self.vector_active,
            "READ_BEATS": self.fetch_beat | self.load_beat,
            "WRITE_BEATS": self.write_beat,
            "FETCH_BEATS": self.fetch_beat,
        }
        if self.config.serial:
            events = {name: events[name] for name in SERIAL_COUNTERS}
        counters = {}
        for name, event in events.items():
            counters[name] = counter = Signal(LITE_DATA_BITS, name=name.lower())
            counts = Signal(name=f"counts_{name.lower()}")
            m.d.sync += counts.eq(event & ~cleared)
            with m.If(cleared):
                m.d.sync += counter.eq(0)
            with m.Elif(counts):
                m.d.sync += counter.eq(counter + 1)
        if not self.config.serial:
            for engine in ENGINES:
                counters[f"{engine.name}_WORK"] = self.completed[engine]
        return counters
