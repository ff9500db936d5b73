"""The blocks that share the memory port, connected as in the machine."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from shiftloom.hw.axi import axi4_signature
from shiftloom.hw.fetch import Fetch, fetched_layout
from shiftloom.hw.interfaces import failure_layout, job_layout, read_signature, write_layout
from shiftloom.hw.load import Load
from shiftloom.hw.read_arbiter import ReadArbiter
from shiftloom.hw.runs import REGIONS
from shiftloom.hw.store import Store
from shiftloom.hw.write_port import WritePort
from shiftloom.isa.instructions import INDEX_BITS, Engine
from shiftloom.isa.reach import ADDRESS_BITS

__all__ = ["MemorySide"]

#: AXI signals of the address channels that never change, and their widths.
_CONSTANTS = {"id": 1, "size": 3, "burst": 2}


class MemorySide(wiring.Component):
    """Fetch, Load and Store behind one AXI4 port, with the constants that bus models ask for.

    Parameters
    ----------
    config : Config
        Of all parts; members are theirs.
    """

    def __init__(self, config):
        self.config = config
        words = {
            "activation": config.activation_words,
            "weight": config.weight_words,
            "parameter": 8 * config.parameter_words,
        }
        super().__init__(
            {
                "m_axi": Out(axi4_signature(config)),
                **{f"m_axi_{c}{n}": Out(w) for c in ("ar", "aw") for n, w in _CONSTANTS.items()},
                **{f"m_axi_{c}id": In(1) for c in ("r", "b")},
                "halt": In(1),
                "idle": Out(1),
                "bases": In(ADDRESS_BITS).array(REGIONS),
                "program_addr": In(ADDRESS_BITS),
                "length": In(INDEX_BITS),
                "fetched": Out(stream.Signature(fetched_layout())),
                "load_job": In(stream.Signature(job_layout(Engine.LOAD))),
                "load_done": Out(1),
                "load_failure": Out(failure_layout()),
                **{k: Out(stream.Signature(write_layout(n, config))) for k, n in words.items()},
                "store_job": In(stream.Signature(job_layout(Engine.STORE))),
                "store_done": Out(1),
                "store_failure": Out(failure_layout()),
                "read": Out(read_signature(config.activation_words, config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = Fetch(self.config)
        m.submodules.load = load = Load(self.config)
        m.submodules.store = store = Store(self.config)
        connect(m, fetch.o, flipped(self.fetched))
        connect(m, store.read, flipped(self.read))
        for name in ("activation", "weight", "parameter"):
            connect(m, getattr(load, name), flipped(getattr(self, name)))
        for engine, name in ((load, "load"), (store, "store")):
            connect(m, flipped(getattr(self, f"{name}_job")), engine.job)
            m.d.comb += [port.eq(base) for port, base in zip(engine.bases, self.bases, strict=True)]
            m.d.comb += [
                getattr(self, f"{name}_done").eq(engine.done),
                getattr(self, f"{name}_failure").eq(engine.failure),
            ]
        m.d.comb += [fetch.program_addr.eq(self.program_addr), fetch.length.eq(self.length)]
        self._bus(m, fetch, load, store)
        return m

    def _bus(self, m, fetch, load, store):
        m.submodules.reader = reader = ReadArbiter(self.config)
        m.submodules.writer = writer = WritePort(self.config)
        for part, names in ((reader, ("ar", "r")), (writer, ("aw", "w", "b"))):
            for name in names:
                connect(m, flipped(getattr(self.m_axi, name)), getattr(part, name))
        for name, part in {"fetch": fetch, "load": load}.items():
            connect(m, part.burst, getattr(reader, f"{name}_burst"))
            connect(m, getattr(reader, f"{name}_beat"), part.beat)
        for name in ("burst", "beat", "acknowledge"):
            connect(m, getattr(store, name), getattr(writer, name))
        m.d.comb += [
            reader.halt.eq(self.halt),
            writer.halt.eq(self.halt),
            self.idle.eq(reader.idle & writer.idle),
        ]
        for channel in ("ar", "aw"):
            size = getattr(self, f"m_axi_{channel}size")
            burst = getattr(self, f"m_axi_{channel}burst")
            m.d.comb += [size.eq(self.config.bus_bytes.bit_length() - 1), burst.eq(1)]
