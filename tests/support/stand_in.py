"""A stand-in for Compute: an activation buffer that stalls, and engines that only take time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory

from shiftloom.hw.compute import Compute

__all__ = ["StandIn"]


class StandIn(Compute):
    """Keeps activations; MAC and VECTOR work takes as many cycles as it has rows.

    With ``stalls`` both ports of the buffer hold back in three of eight cycles.
    """

    stalls = False

    def elaborate(self, platform):
        m = Module()
        words = self.config.activation_words
        m.submodules.storage = storage = memory.Memory(
            shape=8 * self.config.word_bytes, depth=words, init=[]
        )
        write, read = storage.write_port(), storage.read_port()

        noise = Signal(16, init=0xACE1)
        m.d.sync += noise.eq((noise >> 1) ^ Mux(noise[0], 0xB400, 0))
        may_write = ((noise[:3] < 5) | (not self.stalls)).bool()
        may_read = ((noise[5:8] < 5) | (not self.stalls)).bool()
        load, store = self.load_activation, self.store_read
        m.d.comb += [
            write.en.eq(load.valid & may_write),
            write.addr.eq(load.p.addr),
            write.data.eq(load.p.data),
            load.ready.eq(may_write),
            self.load_weight.ready.eq(may_write),
            self.load_parameter.ready.eq(may_read),
            read.en.eq(store.addr.valid & may_read),
            read.addr.eq(store.addr.payload),
            store.addr.ready.eq(may_read),
            store.data.eq(read.data),
        ]
        for name in ("mac", "vector"):
            job, done = getattr(self, f"{name}_job"), getattr(self, f"{name}_done")
            left = Signal.like(job.p.work.rows, name=f"{name}_left")
            m.d.comb += [done.eq(left == 1), job.ready.eq(left == 0)]
            with m.If(job.valid & job.ready):
                m.d.sync += left.eq(Mux(job.p.work.rows == 0, 1, job.p.work.rows))
            with m.Elif(left != 0):
                m.d.sync += left.eq(left - 1)
        return m
