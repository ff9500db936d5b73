"""An AXI4 memory and an AXI4-Lite host for Amaranth's simulator; both check the protocol."""

import collections
import random
from dataclasses import dataclass, field

from shiftloom.isa.registers import Control, Status, register

__all__ = ["BusMemory", "Host"]

SLVERR = 2

#: Channels that the memory takes from.
TAKEN = ("ar", "aw", "w")


@dataclass
class BusMemory:
    """Memory behind an AXI4 port, as a background testbench.

    Parameters
    ----------
    port : object
        Has the channels of `axi4_signature`, or those for reading, or those for writing.
    data : bytearray
        Contents.
    bus_bytes : int
        Width of the data bus.
    latency : int
        Cycles from an address to the first beat, or from the last beat to the answer.
    stalls : float
        Probability that a channel holds back in a cycle.
    bad : range
        Addresses that answer with SLVERR.
    """

    port: object
    data: bytearray
    bus_bytes: int
    latency: int = 2
    stalls: float = 0.0
    seed: int = 0
    bad: range = range(0)
    outstanding: int = 0  # most reads that were in flight
    read_beats: int = 0
    write_beats: int = 0
    bursts: list = field(default_factory=list)
    beat_cycles: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.cycle = 0
        self.reads = collections.deque()
        self.writes = collections.deque()
        self.write_data = collections.deque()
        self.answers = collections.deque()
        self.reading = 0
        self.held = {}

    @property
    def quiet(self):
        """Nothing is in flight."""
        return not (self.reads or self.writes or self.write_data or self.answers)

    def _willing(self):
        return self.random.random() >= self.stalls

    async def serve(self, ctx):
        """Answer for ever."""
        present = [name for name in ("ar", "aw", "w", "r", "b") if hasattr(self.port, name)]
        channels = {name: getattr(self.port, name) for name in present}
        takes = [name for name in present if name in TAKEN]
        while True:
            for name in takes:
                ctx.set(channels[name].ready, self._willing())
            if "r" in channels:
                self._offer_read(ctx)
            if "b" in channels:
                self._offer_answer(ctx)
            signals = [s for c in channels.values() for s in (c.valid, c.ready, c.payload)]
            sampled = (await ctx.tick().sample(*signals))[2:]
            values = {n: sampled[3 * k : 3 * k + 3] for k, n in enumerate(present)}
            self._check_held(values)
            moved = {n: payload for n, (valid, ready, payload) in values.items() if valid & ready}
            self._take(moved)
            for name in ("r", "b"):
                if name in moved:
                    ctx.set(channels[name].valid, 0)
            self.cycle += 1

    def _check_held(self, values):
        for name, (valid, ready, payload) in values.items():
            if name not in TAKEN:
                continue
            if name in self.held:
                assert valid, f"{name} withdrew its offer"
                assert payload == self.held[name], f"{name} changed its offer"
            self.held.pop(name, None)
            if valid and not ready:
                self.held[name] = payload

    def _take(self, moved):
        if "ar" in moved:
            self._check_burst(moved["ar"])
            self.reads.append((self.cycle + self.latency, moved["ar"].addr, moved["ar"].len + 1))
            self.outstanding = max(self.outstanding, len(self.reads))
        if "aw" in moved:
            self._check_burst(moved["aw"])
            self.writes.append((moved["aw"].addr, moved["aw"].len + 1))
        if "w" in moved:
            self.write_data.append(moved["w"])
            self.write_beats += 1
        if "r" in moved:
            self.read_beats += 1
            self.beat_cycles.append(self.cycle)
            self._read_moved()
        if "b" in moved:
            self.answers.popleft()
        self._write()

    def _check_burst(self, burst):
        size = (burst.len + 1) * self.bus_bytes
        assert burst.addr % self.bus_bytes == 0, f"burst at {burst.addr:#x} is not aligned"
        assert burst.addr // 4096 == (burst.addr + size - 1) // 4096, "burst crosses 4 KiB"
        self.bursts.append((burst.addr, burst.len + 1))

    def _offer_read(self, ctx):
        if ctx.get(self.port.r.valid) or not self.reads or not self._willing():
            return
        ready, addr, beats = self.reads[0]
        if self.cycle >= ready:
            at = addr + self.reading * self.bus_bytes
            value = int.from_bytes(self.data[at : at + self.bus_bytes], "little")
            last = self.reading == beats - 1
            resp = SLVERR if at in self.bad else 0
            ctx.set(self.port.r.payload, {"data": value, "resp": resp, "last": last})
            ctx.set(self.port.r.valid, 1)

    def _read_moved(self):
        self.reading += 1
        if self.reading == self.reads[0][2]:
            self.reads.popleft()
            self.reading = 0

    def _write(self):
        if not self.writes or len(self.write_data) < self.writes[0][1]:
            return
        addr, beats = self.writes.popleft()
        resp = 0
        for beat in range(beats):
            item, at = self.write_data.popleft(), addr + beat * self.bus_bytes
            assert item.last == (beat == beats - 1), "WLAST is not on the last beat"
            for byte in range(self.bus_bytes):
                if item.strb >> byte & 1:
                    self.data[at + byte] = item.data >> 8 * byte & 0xFF
            resp = SLVERR if at in self.bad else resp
        self.answers.append((self.cycle + self.latency, resp))

    def _offer_answer(self, ctx):
        if ctx.get(self.port.b.valid) or not self.answers or not self._willing():
            return
        ready, resp = self.answers[0]
        if self.cycle >= ready:
            ctx.set(self.port.b.payload, {"resp": resp})
            ctx.set(self.port.b.valid, 1)


class Host:
    """Drives the registers through an AXI4-Lite port."""

    def __init__(self, ctx, port):
        self.ctx, self.port = ctx, port

    async def write(self, name, value, strobe=0xF):
        """Write a register by name."""
        aw, w, b = self.port.aw, self.port.w, self.port.b
        self.ctx.set(aw.payload, {"addr": register(name).offset})
        self.ctx.set(w.payload, {"data": value, "strb": strobe})
        self.ctx.set(aw.valid, 1)
        self.ctx.set(w.valid, 1)
        await self.ctx.tick().until(aw.ready & w.ready)
        self.ctx.set(aw.valid, 0)
        self.ctx.set(w.valid, 0)
        self.ctx.set(b.ready, 1)
        await self.ctx.tick().until(b.valid)
        self.ctx.set(b.ready, 0)

    async def read(self, name):
        """Return a register by name."""
        ar, r = self.port.ar, self.port.r
        self.ctx.set(ar.payload, {"addr": register(name).offset})
        self.ctx.set(ar.valid, 1)
        await self.ctx.tick().until(ar.ready)
        self.ctx.set(ar.valid, 0)
        self.ctx.set(r.ready, 1)
        (payload,) = await self.ctx.tick().sample(r.payload).until(r.valid)
        self.ctx.set(r.ready, 0)
        return payload.data

    async def start(self, placed):
        """Write what a placed program needs, and start it."""
        await self.write("PROGRAM", placed.program)
        await self.write("PROGRAM_LENGTH", placed.length)
        for region, base in enumerate(placed.bases):
            await self.write(f"BASE{region}", base)
        await self.write("CONTROL", 1 << Control.START)

    async def wait(self):
        """Wait for the machine's end; return its status."""
        while (status := await self.read("STATUS")) >> Status.BUSY & 1:
            pass
        return status
