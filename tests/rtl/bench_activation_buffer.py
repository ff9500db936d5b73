"""Cocotb bench: the activation buffer against an array and the rules of its ports."""

import random

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from shiftloom.hw.interfaces import result_layout, write_layout
from tests.rtl.designs import CONFIGS
from tests.rtl.streams import start

STREAMS = {
    "vector": "vector_addr",
    "store": "store_addr",
    "vector_write": "vector_write",
    "load_write": "load_write",
}


class Traffic:
    """Random requests to one buffer, each held until it is taken; few words, so that they meet."""

    def __init__(self, dut, name, words=24):
        self.dut, self.port, self.config = dut, f"buffer_{name}", CONFIGS[name]
        self.size = self.config.activation_words
        self.addresses = [*range(self.size - words // 2, self.size), *range(words // 2)]
        self.layouts = {
            "vector_write": result_layout(self.config),
            "load_write": write_layout(self.size, self.config),
        }
        self.bytes = range(self.config.word_bytes)
        self.whole = (1 << self.config.word_bytes) - 1
        self.requests, self.feeder = {}, None

    def choose(self):
        """Drive every port for one cycle."""
        rng, port = random, self.port
        self.feeder = rng.choice(self.addresses), rng.randrange(2), rng.randrange(2)
        addr, _, wide = self.feeder
        banks = sum(1 << bank for bank in self.feeder_banks())
        for name, value in (("addr", addr), ("wide", wide), ("banks", banks)):
            self.dut[f"{port}_feeder_{name}"].value = value
        for name, stream in STREAMS.items():
            if name not in self.requests and rng.random() < 0.8:
                word = rng.randrange(1 << 8 * self.config.word_bytes)
                self.requests[name] = rng.choice(self.addresses), word, self.mask(name)
            self.dut[f"{port}_{stream}_valid"].value = name in self.requests
            if name in self.requests:
                self.dut[f"{port}_{stream}_payload"].value = self.payload(name)

    def feeder_banks(self):
        """Return the banks that the feeder reads."""
        addr, valid, wide = self.feeder
        return (
            {(addr + n) % self.config.activation_banks for n in range(1 + wide)} if valid else set()
        )

    def mask(self, name):
        """Return which bytes a request writes: all, unless the port has a mask."""
        masked = "mask" in self.layouts.get(name, self.layouts["load_write"]).members
        return random.randrange(self.whole + 1) if masked else self.whole

    def payload(self, name):
        """Return what a request puts on its stream."""
        addr, word, mask = self.requests[name]
        if name not in self.layouts:
            return addr
        layout, fields = self.layouts[name], {"addr": addr, "data": word, "mask": mask}
        return layout.const({k: fields[k] for k in layout.members}).as_bits()

    def write(self, memory, names):
        """Change the words that are known afterwards."""
        for addr, word, mask in (self.requests[name] for name in names):
            bits = int.from_bytes(bytes(255 * (mask >> n & 1) for n in self.bytes), "little")
            if addr in memory or mask == self.whole:
                memory[addr] = memory.get(addr, 0) & ~bits | word & bits

    def takeable(self):
        """Return the requests that the rules let through."""
        banks, asked = self.config.activation_banks, self.requests
        bank = {name: addr % banks for name, (addr, *_) in asked.items()}
        read = self.feeder_banks()
        taken = {"vector_write"} & asked.keys()
        for name in ("vector", "store"):
            if name in asked and bank[name] not in read:
                taken.add(name)
            read.add(bank.get(name))
        if "load_write" in asked and bank["load_write"] != bank.get("vector_write"):
            taken.add("load_write")
        return taken

    def reads(self, taken):
        """Return which addresses are read, each with the port and its word that will hold them."""
        addr, valid, wide = self.feeder
        found = [(self.requests[n][0], n, 0) for n in ("vector", "store") if n in taken]
        found += [(addr, "feeder", 0)] * valid
        return found + [((addr + 1) % self.size, "feeder", 1)] * (valid and wide)

    def word(self, name, position):
        """Return a word that a port gives."""
        bits = 8 * self.config.word_bytes
        value = self.dut[f"{self.port}_{name}_data"].value.to_unsigned()
        return value >> bits * position & (1 << bits) - 1


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS))
async def random_traffic_matches_an_array(dut, name):
    await start(dut)
    traffic, memory, due, checked = Traffic(dut, name), {}, [], 0
    for _ in range(3000):
        traffic.choose()
        await ReadOnly()
        taken = traffic.takeable()
        for request in traffic.requests:
            ready = dut[f"{traffic.port}_{STREAMS[request]}_ready"].value
            assert bool(ready) == (request in taken), request
        for word, port, position in due:
            assert traffic.word(port, position) == word, port
        checked += len(due)
        writes = {"load_write", "vector_write"} & taken
        written = {traffic.requests[name][0] for name in writes}
        known = memory.keys() - written  # what is written in this cycle may not be read
        due = [(memory[a], port, n) for a, port, n in traffic.reads(taken) if a in known]
        traffic.write(memory, writes)
        for request in taken:
            del traffic.requests[request]
        await RisingEdge(dut.clk)
    assert checked > 3000
