"""One network on several levels: golden network, program by definition, program on RTL."""

import numpy as np

from shiftloom.quant import golden
from shiftloom.sim.compare import assemble, first_difference
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import make_regions, read_tensor, write_tensor

__all__ = ["check_program", "check_rtl", "prepare"]


def prepare(program, codes):
    """Return regions with a sample's codes, one ``(channels, height, width)`` per input."""
    regions = make_regions(program)
    for name, values in codes.items():
        write_tensor(regions, program.place(name), values, program.config)
    return regions


def check_program(graph, program, codes):
    """Run a program by definition, and compare every tensor with the golden network's.

    Outputs that the host makes of the machine's are left out.
    """
    want = golden.run(graph, {name: values[None] for name, values in codes.items()}, keep=True)
    regions = prepare(program, codes)
    runs = [run_segment(program, segment, regions) for segment in program.segments]
    formats = {name: t.format for name, t in graph.tensors.items()}
    found = assemble(program, program.segments, runs, formats)
    assert set(found) == set(program.tensors)
    for name, values in found.items():
        np.testing.assert_array_equal(values, want[name][0], err_msg=name)
    for name in _stored(program):
        values = read_tensor(regions, program.place(name), program.config)
        np.testing.assert_array_equal(values, want[name][0], err_msg=name)
    return regions, runs


def check_rtl(graph, program, codes, engine, **settings):
    """Run a program on RTL too, and compare every word and every output; return the runs."""
    expected, runs = check_program(graph, program, codes)
    regions, all_found = prepare(program, codes), []
    for segment, run in zip(program.segments, runs, strict=True):
        found = engine.run_segment(program, segment, regions, **settings)
        assert first_difference(program, segment, run, found) is None
        all_found.append(found)
    for name in _stored(program):
        place = program.place(name)
        want = read_tensor(expected, place, program.config)
        np.testing.assert_array_equal(read_tensor(regions, place, program.config), want)
    return all_found


def _stored(program):
    """Return what the segments leave in memory."""
    return [name for segment in program.segments for name in segment.outputs]
