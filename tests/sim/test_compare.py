"""Differences are found where they are."""

import dataclasses

import numpy as np
import pytest

from shiftloom.sim.compare import assemble, first_difference
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import write_tensor
from tests.sim.cases import NARROW, TINY, as_program, fill, first_segment, relay

CONFIGS = pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)


def case(config):
    """Return program, segment, run, and the codes that it wrote."""
    program = relay(config)
    regions, source = fill(program), program.places[0]
    codes = np.random.default_rng(0).integers(-128, 128, source.shape).astype(np.int16)
    write_tensor(regions, source, codes, config)
    segment = first_segment(program)
    return program, segment, run_segment(program, segment, regions), codes


def changed(run, write, lane, data=0, address=0):
    """Return a run of which one word is different."""
    new, addresses = run.data.copy(), run.addresses.copy()
    new[write, lane] ^= data
    addresses[write] += address
    return dataclasses.replace(run, data=new, addresses=addresses)


@CONFIGS
def test_equal_runs_have_no_difference(config):
    program, segment, run, _ = case(config)
    assert first_difference(program, segment, run, changed(run, 0, 0)) is None


@CONFIGS
def test_a_wrong_code_is_located(config):
    program, segment, run, codes = case(config)
    for write, lane in np.ndindex(len(run.addresses), config.columns):
        found = first_difference(program, segment, run, changed(run, write, lane, data=0x81))
        position = (found.channel, found.y, found.x)
        if found.channel < len(codes):
            assert codes[position] & 0xFF == found.expected
        assert found.channel == config.columns * (write // 12) + lane
        assert (found.what, found.write, found.lane) == ("value", write, lane)
        assert found.actual == found.expected ^ 0x81
        assert (found.tensor, found.layer) == ("b", ("first", "second")[write // 12])
        assert found.instruction == (5, 7)[write // 12]


def test_the_first_of_several_is_told():
    program, segment, run, _ = case(TINY)
    actual = changed(changed(run, 20, 0, data=1), 17, 2, data=3)
    found = first_difference(program, segment, run, actual)
    assert (found.write, found.lane, found.channel) == (17, 2, 6)
    assert (found.y, found.x) == (2, 1)  # the fifth word of columns of three
    values = f"expected {run.data[17, 2]}, got {actual.data[17, 2]}"
    where = r"layer second, tensor b\[6, 2, 1\], word 17 lane 2: "
    with pytest.raises(AssertionError, match=f"{where}{values}; instruction 7 of layer second"):
        raise AssertionError(str(found))


def test_a_byte_above_the_columns_has_no_channel():
    program, segment, run, _ = case(NARROW)
    found = first_difference(program, segment, run, changed(run, 3, 7, data=1))
    assert (found.lane, found.channel, found.tensor, found.y, found.x) == (7, None, "b", 0, 3)


def test_a_wrong_address_is_told():
    program, segment, run, _ = case(TINY)
    found = first_difference(program, segment, run, changed(run, 13, 0, address=2))
    addresses = (int(run.addresses[13]), int(run.addresses[13]) + 2)
    assert (found.what, found.expected, found.actual) == ("address", *addresses)
    assert (found.channel, found.y, found.x, found.layer) == (4, 1, 0, "second")
    assert f"at address {addresses[0]}, written to {addresses[1]}" in str(found)


@pytest.mark.parametrize("kept", [0, 15])
def test_missing_words_are_told(kept):
    program, segment, run, _ = case(TINY)
    shorter = dataclasses.replace(run, data=run.data[:kept], addresses=run.addresses[:kept])
    found = first_difference(program, segment, run, shorter)
    assert (found.what, found.write) == ("missing", kept)
    assert "never written" in str(found)


def test_extra_words_are_told():
    program, segment, run, _ = case(TINY)
    data, addresses = np.repeat(run.data, 2, axis=0), np.repeat(run.addresses, 2)
    data[:24], addresses[:24] = run.data, run.addresses
    found = first_difference(
        program, segment, run, dataclasses.replace(run, data=data, addresses=addresses)
    )
    assert (found.what, found.write, found.actual) == ("extra", 24, addresses[24])
    assert "one more than expected" in str(found)


def test_programs_without_tables_are_compared_too():
    program, segment, run, _ = case(TINY)
    bare = as_program(TINY, program.instructions)
    found = first_difference(bare, segment, run, changed(run, 14, 1, data=1))
    assert (found.layer, found.tensor, found.channel, found.instruction) == (None, None, None, 7)


def test_a_run_without_trace_is_refused():
    program, segment, run, _ = case(TINY)
    untraced = dataclasses.replace(run, data=run.data[:0], addresses=run.addresses[:0])
    with pytest.raises(ValueError, match="not traced"):
        first_difference(program, segment, untraced, run)
    with pytest.raises(ValueError, match="golden run has 0 traced words, not 24"):
        assemble(program, [segment], [untraced], {})


@CONFIGS
@pytest.mark.parametrize("signed", [True, False])
def test_tensors_are_assembled(config, signed):
    program, segment, run, codes = case(config)
    types = {"b": (codes.shape, signed), "c": ((1, 1, 1), True)}
    tensors = assemble(program, [segment], [run], types)
    assert tensors.keys() == {"b"}
    np.testing.assert_array_equal(tensors["b"], codes if signed else codes & 0xFF)


def test_later_words_replace_earlier_ones():
    program, segment, run, codes = case(TINY)
    again = dataclasses.replace(run, data=~run.data)
    types = {"b": (codes.shape, True)}
    tensors = assemble(program, [segment, segment], [run, again], types)
    np.testing.assert_array_equal(tensors["b"], ~codes)


@pytest.mark.parametrize(
    ("shape", "text"),
    [((7, 2, 4), "y 0…2"), ((7, 3, 3), "x 0…3"), ((4, 3, 4), "block 1…1|block 0…1")],
)
def test_words_outside_their_tensor_are_refused(shape, text):
    program, segment, run, _ = case(TINY)
    with pytest.raises(ValueError, match=f"b: ({text}) of its words is outside"):
        assemble(program, [segment], [run], {"b": (shape, True)})
