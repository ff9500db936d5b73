"""Machine: everything that a soft reset clears."""

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import ENGINES, Engine
from ..isa.reach import index_bits
from .axi import axi4_signature
from .compute import Compute
from .decode import Decode
from .engine_queue import EngineQueue
from .fetch import Fetch
from .interfaces import failure_layout, write_trace_signature
from .load import Load
from .read_arbiter import ReadArbiter
from .runs import settings_members
from .sequencer import FAILURES
from .store import Store
from .tokens import COUNT_BITS, Tokens
from .write_port import WritePort

__all__ = ["Machine", "machine_signature"]


def machine_signature(config: Config) -> wiring.Signature:
    """Return the ports that every machine has; see :class:`Machine`."""
    completed = {"completed": Out(COUNT_BITS).array(len(ENGINES))}
    return wiring.Signature(
        {
            "m_axi": Out(axi4_signature(config)),
            "length": In(index_bits(config)),
            **settings_members(config),
            "halt": In(1),
            "idle": Out(1),
            "finished": Out(1),
            "failures": Out(failure_layout()).array(len(FAILURES)),
            **({} if config.serial else completed),
            "mac_active": Out(1),
            "vector_active": Out(1),
            "fetch_beat": Out(1),
            "load_beat": Out(1),
            "write_beat": Out(1),
            "trace_start": Out(len(ENGINES)),
            "trace_done": Out(len(ENGINES)),
            "trace_write": Out(write_trace_signature(config)),
        }
    )


class Machine(wiring.Component):
    """Run one program after each reset, as soon as ``halt`` is low.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    m_axi : Out(axi4_signature(config))
        External memory.
    program_addr, length, bases : In(…)
        Where program and regions lie; must hold still while the machine runs.
    halt : In(1)
        Begin nothing on the bus, and complete what is in flight. Only a reset ends a halt.
    idle : Out(1)
        Nothing is in flight on the bus.
    finished : Out(1)
        END was seen and all work has completed.
    failures : Out(failure_layout()).array(len(FAILURES))
        What went wrong.
    completed : Out(COUNT_BITS).array(4)
        Work that each engine has completed.
    mac_active, vector_active, fetch_beat, load_beat, write_beat : Out(1)
        Events to count.
    trace_start, trace_done : Out(4)
        A job enters, a piece of work leaves its engine; one bit per engine.
    trace_write : Out(write_trace_signature(config))
        Words that the vector unit writes.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(machine_signature(config))

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = Fetch(self.config)
        m.submodules.decode = decode = Decode(self.config)
        m.submodules.tokens = tokens = Tokens()
        m.submodules.load = load = Load(self.config)
        m.submodules.store = store = Store(self.config)
        m.submodules.compute = compute = Compute(self.config)

        connect(m, fetch.o, decode.i)
        m.d.comb += [
            fetch.program_addr.eq(self.program_addr),
            fetch.length.eq(self.length),
            decode.length.eq(self.length),
            tokens.issued.eq(decode.issued),
            self.finished.eq(decode.ended & tokens.idle),
        ]
        for engine in (load, store):
            m.d.comb += [port.eq(base) for port, base in zip(engine.bases, self.bases, strict=True)]

        jobs = {
            Engine.LOAD: load.job,
            Engine.MAC: compute.mac_job,
            Engine.VECTOR: compute.vector_job,
            Engine.STORE: store.job,
        }
        starts = []
        for engine, job in jobs.items():
            queue = EngineQueue(engine, self.config.pipeline)
            m.submodules[f"{engine.name.lower()}_queue"] = queue
            connect(m, decode.queues[engine], queue.i)
            connect(m, queue.job, job)
            m.d.comb += [queue.completed[other].eq(tokens.completed[other]) for other in ENGINES]
            m.d.comb += self.completed[engine].eq(tokens.completed[engine])
            starts.append(job.valid & job.ready)
        done = Cat(load.done, compute.mac_done, compute.vector_done, store.done)
        m.d.comb += [
            tokens.done.eq(done),
            self.trace_start.eq(Cat(starts)),
            self.trace_done.eq(done),
            self.mac_active.eq(compute.mac_active),
            self.vector_active.eq(compute.vector_active),
        ]
        for name, block in {"load": load, "store": store, "decode": decode}.items():
            m.d.comb += self.failures[FAILURES.index(name)].eq(block.failure)

        connect(m, load.activation, compute.load_activation)
        m.d.comb += load.will_wait.eq(compute.will_write)
        connect(m, load.weight, compute.load_weight)
        connect(m, load.parameter, compute.load_parameter)
        connect(m, store.read, compute.store_read)
        connect(m, compute.trace_write, flipped(self.trace_write))
        self._connect_bus(m, fetch, load, store)
        return m

    def _connect_bus(self, m, fetch, load, store):
        m.submodules.read_arbiter = reader = ReadArbiter(self.config)
        m.submodules.write_port = writer = WritePort(self.config)
        connect(m, fetch.burst, reader.fetch_burst)
        connect(m, load.burst, reader.load_burst)
        connect(m, reader.fetch_beat, fetch.beat)
        connect(m, reader.load_beat, load.beat)
        connect(m, store.burst, writer.burst)
        connect(m, store.beat, writer.beat)
        connect(m, writer.acknowledge, store.acknowledge)

        bus = self.m_axi
        for outer, inner in ((bus.ar, reader.ar), (bus.aw, writer.aw), (bus.w, writer.w)):
            connect(m, flipped(outer), inner)
        for outer, inner in ((bus.r, reader.r), (bus.b, writer.b)):
            connect(m, flipped(outer), inner)
        m.d.comb += [
            reader.halt.eq(self.halt),
            writer.halt.eq(self.halt),
            self.idle.eq(reader.idle & writer.idle),
            self.fetch_beat.eq(reader.fetch_taken),
            self.load_beat.eq(reader.load_taken),
            self.write_beat.eq(bus.w.valid & bus.w.ready),
        ]
