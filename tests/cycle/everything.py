"""All that the cycle model is compared with RTL on, counted.

``python -m tests.cycle.everything``, or with names of configurations behind it

Random programs, random layers and networks, random networks and, with SHIFTLOOM_DATA, published
ones; on RTL and on both forms of the model; every start and completion, total cycles, counters.
"""

import sys
from collections import Counter
from functools import cache

import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.hw.verilog import simulation_verilog
from shiftloom.isa.config import load_config
from shiftloom.quant.quantize import quantize_model
from shiftloom.sim.rtl_engine import build_engine
from tests.cycle.equality import assert_equal
from tests.cycle.programs import random_program
from tests.support.data import data_path
from tests.support.graphs import random_graph
from tests.support.networks import NETWORKS, quantized_network

__all__ = ["CONFIGS", "KINDS", "MEMORIES", "PUBLISHED", "check_kind", "check_published", "main"]

CONFIGS = tuple(map(load_config, ("tiny", "odd", "small", "base", "base_bits", "ulx3s")))

#: Near, usual and far; and one that is slow and takes few requests.
MEMORIES = (
    {"latency": 1},
    {"latency": 32},
    {"latency": 100},
    {"latency": 20, "interval": 3, "outstanding": 2},
)

TFC = ("TFC_1W1A", "TFC_1W2A", "TFC_2W2A")
PUBLISHED = (*NETWORKS, *TFC)


def _network(config, seed, layers):
    try:
        return compile_graph(random_graph(seed, layers, config.threshold_bits), config)
    except CompileError:
        return None


#: By name how a program is made of configuration and seed, and the seeds.
KINDS = {
    "random programs": (random_program, range(1000, 1300)),
    "random layers": (lambda config, seed: _network(config, seed, 1), range(1000, 1100)),
    "random networks": (
        lambda config, seed: _network(config, seed, 1 + seed % 6),
        range(1000, 1100),
    ),
}


def check_kind(engine, config, kind, seeds=None):
    """Compare all programs of a kind, on every memory; return what was compared."""
    make, usual = KINDS[kind]
    seeds, found = seeds or usual, Counter()
    for seed in seeds:
        program = make(config, seed)
        if program is None:
            found["refused"] += 1
            continue
        found["programs"] += 1
        for memory in MEMORIES:
            found += assert_equal(engine, program, **memory)
    assert found["refused"] < len(seeds) / 5
    return found


@cache
def _published(name):
    if name in TFC:
        return quantize_model(data_path("models", "qonnx_tfc", f"{name}.onnx"))
    return quantized_network(name, 1)[0]


def check_published(engine, config, name):
    """Compare a published network on every memory; return what was compared."""
    program, found = compile_graph(_published(name), config), Counter(programs=1)
    for memory in MEMORIES:
        found += assert_equal(engine, program, **memory)
    return found


def main(names):
    """Compare everything on all or some configurations, and print what it was.

    The first difference ends it.
    """
    columns = ("programs", "runs", "work", "cycles")
    print(f"{'':<28}", *(f"{column:>14}" for column in columns))
    total, left_out = Counter(), {}
    for config in map(load_config, names) if names else CONFIGS:
        engine = build_engine(simulation_verilog(config))
        for name in (*KINDS, *PUBLISHED):
            check = check_kind if name in KINDS else check_published
            try:
                row = check(engine, config, name)
            except pytest.skip.Exception as absent:
                print(f"{config.name + ', ' + name:<28} left out: {absent}")
                left_out[name] = absent
                continue
            print(f"{config.name + ', ' + name:<28}", *(f"{row[c]:>14,}" for c in columns))
            total += row
    print(f"{'all':<28}", *(f"{total[column]:>14,}" for column in columns))
    print("0 differences" + summary(left_out))
    return 0


def summary(left_out):
    """Return how many published networks were not compared, and why."""
    if not left_out:
        return f"; all {len(PUBLISHED)} published networks compared"
    reasons = "; ".join(sorted({str(reason) for reason in left_out.values()}))
    return (
        f" in what was compared; left out: {len(left_out)} of {len(PUBLISHED)} published networks "
        f"({', '.join(left_out)}): {reasons}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
