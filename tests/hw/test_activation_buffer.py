"""ActivationBuffer against an array and the rules of its ports."""

import random

import pytest

from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.isa.config import Config


def config(banks, rows):
    return Config(
        name="c",
        rows=2,
        columns=2,
        bus_bytes=8,
        activation_bytes=2 * banks * rows,
        weight_bytes=64,
        parameter_bytes=64,
        accumulator_pixels=8,
        activation_banks=banks,
        burst_beats=16,
    )


class Ports:
    """Random requests, held until they are taken."""

    def __init__(self, dut, words, seed):
        self.dut = dut
        self.words = words
        self.rng = random.Random(seed)
        self.requests = {}

    def choose(self, ctx):
        """Drive every port for one cycle; return the requests."""
        rng, dut = self.rng, self.dut
        self.requests["feeder"] = [rng.randrange(2), rng.randrange(self.words), rng.randrange(2)]
        for name in ("vector", "store", "vector_write", "load_write"):
            if name not in self.requests and rng.random() < 0.8:
                self.requests[name] = rng.randrange(self.words), rng.randrange(1 << 16)
        _, addr, wide = self.requests["feeder"]
        taken = read_banks(self.requests, len(dut.feeder.banks))
        ctx.set(dut.feeder.banks, sum(1 << bank for bank in taken))
        ctx.set(dut.feeder.addr, addr)
        ctx.set(dut.feeder.wide, wide)
        for name, port in (("vector", dut.vector.addr), ("store", dut.store.addr)):
            ctx.set(port.valid, name in self.requests)
            ctx.set(port.payload, self.requests.get(name, (0,))[0])
        for name in ("vector_write", "load_write"):
            addr, data = self.requests.get(name, (0, 0))
            ctx.set(getattr(dut, name).valid, name in self.requests)
            ctx.set(getattr(dut, name).payload, {"addr": addr, "data": data})
        return dict(self.requests)


def read_banks(requests, banks):
    """Return which banks the feeder reads."""
    valid, addr, wide = requests["feeder"]
    return {(addr + n) % banks for n in range(1 + wide)} if valid else set()


def ready(requests, banks):
    """Return which ports the rules let through."""
    read = read_banks(requests, banks)
    taken = {"vector_write"} & requests.keys()
    if "vector" in requests:
        if requests["vector"][0] % banks not in read:
            taken.add("vector")
        read = read | {requests["vector"][0] % banks}
    if "store" in requests and requests["store"][0] % banks not in read:
        taken.add("store")
    written = {requests["vector_write"][0] % banks} if "vector_write" in requests else set()
    if "load_write" in requests and requests["load_write"][0] % banks not in written:
        taken.add("load_write")
    return taken


@pytest.mark.parametrize(("banks", "rows"), [(2, 4), (4, 3), (8, 1), (2, 1)])
def test_random_traffic_matches_an_array(simulate, banks, rows):
    words = banks * rows
    dut = ActivationBuffer(config(banks, rows))
    ports = Ports(dut, words, seed=banks * rows)
    memory = [0] * words

    async def bench(ctx):
        for _ in range(600):
            requests = ports.choose(ctx)
            taken = ready(requests, banks)
            streams = {
                "vector": dut.vector.addr,
                "store": dut.store.addr,
                "vector_write": dut.vector_write,
                "load_write": dut.load_write,
            }
            for name, port in streams.items():
                if name in requests:
                    assert ctx.get(port.ready) == (name in taken), name
            await ctx.tick()
            writes = [requests[name] for name in ("load_write", "vector_write") if name in taken]
            free = [n for n in range(words) if n not in dict(writes)]  # to be read in this cycle
            valid, addr, wide = requests["feeder"]
            window, following = ctx.get(dut.feeder.data), (addr + 1) % words
            assert not valid or addr not in free or window & 0xFFFF == memory[addr]
            if valid and wide and following in free:
                assert window >> 16 == memory[following]
            for name, port in (("vector", dut.vector), ("store", dut.store)):
                if name in taken and requests[name][0] in free:
                    assert ctx.get(port.data) == memory[requests[name][0]]
            for addr, data in writes:
                memory[addr] = data
            for name in taken:
                del ports.requests[name]

    simulate(dut, bench)
    assert any(memory)
