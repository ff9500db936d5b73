"""Cocotb bench: the vector unit between buffers that hold back, against the meaning of VECTOR."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from shiftloom.hw.interfaces import job_layout, result_layout
from shiftloom.isa.instructions import Engine, VectorSource
from shiftloom.isa.semantics import execute
from tests.rtl.designs import CONFIGS
from tests.rtl.streams import send, start, until
from tests.support.jobs import Jobs, payload, random_machine, written_bytes
from tests.support.stalls import sometimes

GARBAGE = 0xA5A5A5A5


def number(words):
    """Return words as one number, the first lowest."""
    return int.from_bytes(words.tobytes(), "little")


class Buffers:
    """Stand-ins for everything that the unit reads and writes; data follow one cycle later.

    Parameters
    ----------
    machine : Machine
        Contents; writes of the unit change its activations.
    """

    def __init__(self, dut, name, machine, stalls):
        self.dut, self.port, self.machine = dut, f"vector_{name}", machine
        self.stalls = stalls
        self.layout = result_layout(machine.config)
        self.writes, self.done = [], []

    def value(self, name):
        """Return a port of the unit."""
        return int(self.dut[f"{self.port}_{name}"].value)

    def drive(self, name, value):
        """Drive a port of the unit."""
        self.dut[f"{self.port}_{name}"].value = value

    def write(self, word):
        """Change the bytes of a word that the mask says, if there is one."""
        size, config = self.machine.config.word_bytes, self.machine.config
        mask = word.mask if config.bit_lanes else (1 << size) - 1
        chosen = np.array([mask >> n & 1 for n in range(size)], bool)
        found = np.where(chosen, np.frombuffer(word.data.to_bytes(size, "little"), np.uint8), 0)
        self.writes.append((word.addr, number(found.astype(np.uint8))))
        self.machine.activation[word.addr, chosen] = found[chosen]

    async def serve(self):
        """Answer for ever."""
        machine, size = self.machine, self.machine.config.word_bytes
        parameters = machine.parameter.reshape(-1, 8 * size)
        held = None
        while True:
            willing = not next(self.stalls)
            self.drive("read_addr_ready", willing)
            await RisingEdge(self.dut.clk)
            asked = self.value("read_addr_payload") if self.value("read_addr_valid") else None
            assert held in (None, asked), "read changed its offer"
            held = None if willing else asked
            taken = willing and asked is not None
            self.drive("read_data", number(machine.activation[asked]) if taken else GARBAGE)
            pixel = self.value("accumulators_pixel") % machine.config.accumulator_pixels
            sums = machine.accumulators[self.value("accumulators_half"), pixel]
            self.drive("accumulators_data", number(sums.astype("<i4")))
            self.drive(
                "parameters_data",
                number(parameters[self.value("parameters_addr") % len(parameters)]),
            )
            if self.value("write_valid"):
                self.write(self.layout.from_bits(self.value("write_payload")))
            if self.value("done"):
                self.done.append(len(self.writes))


def machines(config, seed):
    """Return two equal machines with random accumulators, and a source of jobs for both."""
    rng = np.random.default_rng(seed)
    first, second = random_machine(config, seed), random_machine(config, seed)
    shape = first.accumulators.shape
    sums = rng.integers(-(1 << 31), 1 << 31, shape) >> rng.integers(0, 31, shape)
    first.accumulators[:] = second.accumulators[:] = sums
    first.parameter = second.parameter
    return first, second, Jobs(second, seed)


def lower_taps(machine, jobs, rng):
    """Make some taps that are not zero the lowest there is, whose low byte is zero."""
    words = machine.parameter.view("<u2").reshape(-1, machine.config.word_bytes, 4)
    for loops, _, work in jobs:
        begin = work["parameter_addr"] + 1
        taps = words[begin : begin + loops["kernel_rows"] * loops["kernel_columns"]]
        chosen = (taps & 0x1FF != 0) & (rng.random(taps.shape) < 0.2)
        taps[chosen] = taps[chosen] & ~np.uint16(0x1FF) | np.uint16(0x100)


async def run(buffers, jobs, machine, stalls):
    """Let the unit and a machine carry out jobs; compare each word that is written."""
    layout = job_layout(Engine.VECTOR)
    payloads = [layout.const(payload(n, job)).as_bits() for n, job in enumerate(jobs)]
    dut, port = buffers.dut, buffers.port
    await start(dut, **{f"{port}_write_ready": 1})
    cocotb.start_soon(buffers.serve())
    cocotb.start_soon(send(dut, f"{port}_job", payloads, stalls))
    await until(dut, lambda: len(buffers.done) == len(jobs))
    begin = 0
    for job, end in zip(jobs, buffers.done, strict=True):
        *settings, work = job
        for instruction in settings:
            execute(machine, instruction)
        places = execute(machine, work).tolist()
        words = written_bytes(machine, work, places)
        wanted = [(place, number(word)) for place, word in zip(places, words, strict=True)]
        assert buffers.writes[begin:end] == wanted, job
        begin = end
    assert begin == len(buffers.writes)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), seed=[1, 2, 3, 4], stalls=[0.0, 0.5])
async def random_jobs_match_the_definition(dut, name, seed, stalls):
    actual, machine, source = machines(CONFIGS[name], seed)
    jobs = []
    for n in range(24 if CONFIGS[name].vector_taps > 1 else 12):
        halves = source.halves if n % 2 else source.halves[::-1]
        jobs.append(source.vector(*halves))
    lower_taps(machine, jobs, np.random.default_rng(seed))
    buffers = Buffers(dut, name, actual, sometimes(stalls, seed))
    await run(buffers, jobs, machine, sometimes(stalls, seed + 9))
    assert np.array_equal(actual.activation, machine.activation)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.7], source=list(VectorSource))
async def residuals_meet_their_sums(dut, name, stalls, source):
    actual, machine, jobs = machines(CONFIGS[name], 7)
    fixed = {"source": int(source), "residual": 1, "emit_first": 0, "columns": 7, "rows": 3}
    fixed |= {"operation": 0, "low": -(1 << 15), "high": (1 << 15) - 1, "out_shift": 4}
    fixed |= {"out_low": -128, "out_high": 255, "kernel_rows": 2, "kernel_columns": 1}
    work = [
        jobs.vector(*jobs.halves, window=False, emit_period=n % 3 + 1, **fixed) for n in range(9)
    ]
    buffers = Buffers(dut, name, actual, sometimes(stalls, 1))
    await run(buffers, work, machine, sometimes(stalls, 2))
