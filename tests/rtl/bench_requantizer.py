"""Cocotb bench: the requantizer against its integer definition, all shifts and roundings."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from numpy.random import default_rng

from shiftloom.hw.interfaces import fields_layout
from shiftloom.hw.requantizer import Requantizer, lane_layout
from shiftloom.isa.instructions import Opcode
from shiftloom.isa.requantize import MID_HIGH, MID_LOW, Requantize, Rounding, requantize
from tests.rtl.designs import CONFIGS
from tests.rtl.streams import start

ROWS = 24
SHIFTS, OUT_SHIFTS = np.arange(32), range(-8, 16)
INT32 = 1 << 32


def wrapped(values):
    """Return integers as a register of 32 bits holds them."""
    return (values + INT32 // 2) % INT32 - INT32 // 2


def spread(rng, bits, shape):
    """Return signed integers of all magnitudes, the largest often among them."""
    low, high = -1 << (bits - 1), (1 << (bits - 1)) - 1
    values = rng.integers(low, high, shape, endpoint=True) >> rng.integers(0, bits, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([low, high], shape), values)


def accumulators(rng, shift):
    """Return rows of sums: all magnitudes, ties of the lane's shift, and what lies beside."""
    shape = ROWS // 2, len(shift)
    ties = (spread(rng, 9, shape) << shift) + (1 << shift >> 1) + rng.integers(-1, 2, shape)
    return wrapped(np.concatenate([spread(rng, 32, shape), ties]))


class Case:
    """Settings, parameters and values of one batch, and their codes."""

    def __init__(self, rng, lanes, rounding, out_shift, shift):
        wide = rng.random() < 0.7  # so that roundings show
        low, high = (MID_LOW, MID_HIGH) if wide else np.sort(rng.integers(MID_LOW, MID_HIGH, 2))
        out_low, out_high = (-128, 255) if wide else np.sort(rng.integers(-128, 256, 2))
        out = {"out_shift": out_shift, "out_low": int(out_low), "out_high": int(out_high)}
        limits = {"low": int(low), "high": int(high)}
        self.params = Requantize(shift=tuple(shift.tolist()), rounding=rounding, **limits, **out)
        residual = {name: int(rng.integers(2)) for name in ("residual", "residual_unsigned")}
        residual["residual_shift"] = int(rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 7, 7]))
        self.settings = {"rounding": int(rounding), **limits, **out, **residual}
        self.bias = spread(rng, 32, lanes)
        self.shift = shift
        self.addend = spread(rng, 16, lanes)
        self.sums = accumulators(rng, shift)
        self.values = wrapped(self.sums - self.bias)
        self.residual = spread(rng, 8, self.values.shape).astype(np.uint8)

    def codes(self):
        """Return what the definition makes of the values."""
        settings, addend = self.settings, self.addend
        if settings["residual"]:
            kind = np.uint8 if settings["residual_unsigned"] else np.int8
            typed = self.residual.view(kind).astype(np.int64)
            addend = addend + (typed << settings["residual_shift"])
        return requantize(self.sums, self.params, addend=addend) & 0xFF

    def drive(self, dut, port):
        """Drive what must hold still."""
        settings = fields_layout(Opcode.VECTOR_REQUANTIZE).const(self.settings)
        dut[f"{port}_settings"].value = settings.as_bits()
        lanes = zip(self.bias.tolist(), self.shift.tolist(), self.addend.tolist(), strict=True)
        words = [lane_layout().const({"bias": b, "shift": s, "addend": a}) for b, s, a in lanes]
        parameters = sum(word.as_bits() << 64 * lane for lane, word in enumerate(words))
        dut[f"{port}_parameters"].value = parameters


async def run(dut, port, case, config):
    """Return what the component makes of one row of values each cycle."""
    case.drive(dut, port)
    rows, codes = len(case.values), []
    latency, residual_latency = Requantizer.latency(config), Requantizer.residual_latency(config)
    await RisingEdge(dut.clk)
    for cycle in range(rows + latency + 1):
        if cycle < rows:
            bits = case.values[cycle].astype("<i4").tobytes()
            dut[f"{port}_values"].value = int.from_bytes(bits, "little")
        late = cycle - residual_latency
        if 0 <= late < rows:
            word = case.residual[late].tobytes()
            dut[f"{port}_residual"].value = int.from_bytes(word, "little")
        await RisingEdge(dut.clk)
        codes.append(
            dut[f"{port}_codes"].value.to_unsigned().to_bytes(case.values.shape[1], "little")
        )
    return np.frombuffer(b"".join(codes[latency:-1]), np.uint8).reshape(rows, -1)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), rounding=list(Rounding))
async def sums_of_all_magnitudes_match_the_definition(dut, name, rounding):
    await start(dut)
    config = CONFIGS[name]
    rng, lanes = default_rng(int(rounding)), config.columns
    shifts = np.resize(rng.permutation(SHIFTS), (len(OUT_SHIFTS), lanes))
    for out_shift, shift in zip(OUT_SHIFTS, shifts, strict=True):
        case = Case(rng, lanes, Rounding(rounding), out_shift, shift)
        got = await run(dut, f"requantizer_{name}", case, config)
        assert np.array_equal(got, case.codes()), case.settings
