"""Streams: maps that pass in pieces from the operation that makes them to the one that reads."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.net import Net
from shiftloom.compiler import plan, residency
from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.credits import Credits
from shiftloom.compiler.errors import CompileError
from shiftloom.compiler.ops import ArrayOp, Map, VectorOp
from shiftloom.compiler.storage import Storage, Stream
from shiftloom.compiler.tiling import Tiling, even_parts
from shiftloom.isa.config import Config, load_config
from shiftloom.isa.instructions import Opcode
from tests.compiler.test_random_networks import sample
from tests.support.graphs import random_chain, random_codes
from tests.support.levels import check_program

#: Room for a few rows of most maps, and for little more.
NARROW = Config(
    name="narrow",
    rows=4,
    columns=4,
    bus_bytes=8,
    activation_bytes=1536,
    weight_bytes=2048,
    parameter_bytes=1024,
    accumulator_pixels=16,
    activation_banks=2,
    burst_beats=16,
)


#: Room for a chain of streams in several chunks.
ROOMY = replace(NARROW, activation_bytes=4096)


@pytest.fixture
def streams(monkeypatch):
    """Return the streams of what was compiled last, by map."""
    found = {}
    plan_segment = plan._Planner.run

    def run(planner):
        planned = plan_segment(planner)
        found.clear()
        found.update(planner.storage.streams)
        return planned

    monkeypatch.setattr(plan._Planner, "run", run)
    return found


def bottleneck(height=16, width=12, *, stride=1):
    """Return an expansion, a depthwise convolution and a projection."""
    net = Net("bottleneck", (6, height, width))
    wide = net.conv(net.conv("image", 6, 3), 24)
    narrow = net.conv(net.conv(wide, 24, 3, stride, depthwise=True), 6, relu=False)
    return net.graph(net.conv(narrow, 5))


def moved(program):
    """Return the activation words that cross the bus."""
    transfers = [i for i in program.instructions if i.opcode in (Opcode.LOAD, Opcode.STORE)]
    return sum(i["words"] * i["runs"] for i in transfers if i["region"] > 0)


@pytest.mark.parametrize("stride", [1, 2])
def test_expanded_maps_stay_on_the_chip(streams, stride, monkeypatch):
    graph = bottleneck(stride=stride)
    codes = {name: values[0] for name, values in random_codes(graph, 1).items()}
    program = compile_graph(graph, ROOMY)
    assert {(len(s.rows) > 1, s.by_block) for s in streams.values()} >= {(True, True)}
    check_program(graph, program, codes)
    monkeypatch.setattr(residency, "find_links", lambda ops, storage: {})
    assert moved(program) < 0.5 * moved(compile_graph(graph, ROOMY))
    assert not streams


def test_rows_that_two_chunks_read_are_made_twice(streams):
    compile_graph(bottleneck(), ROOMY)
    (stream,) = (s for s in streams.values() if s.by_block and len(s.rows) > 1)
    for (_, stop), (start, _) in zip(stream.rows, stream.rows[1:], strict=False):
        assert stop - start == 2  # of a 3x3 window
    assert (stream.rows[0][0], stream.rows[-1][1]) == (0, 16)


@pytest.mark.parametrize("height", [10, 13])
def test_a_last_chunk_may_have_no_rows_of_its_own(streams, height, monkeypatch):
    fixed = even_parts(height, 3)
    monkeypatch.setattr("shiftloom.compiler.streams.even_parts", lambda total, most: fixed)
    graph = bottleneck(height)
    program = compile_graph(graph, ROOMY)
    (stream,) = (s for s in streams.values() if s.by_block)
    assert stream.rows[-1][1] == stream.rows[-2][1] == height
    check_program(graph, program, sample(graph, 1))


def test_rows_that_nobody_reads_are_made_too(streams):
    net = Net("sparse", (6, 17, 12))
    wide = net.conv(net.conv("image", 6, 3), 24)
    graph = net.graph(net.conv(net.conv(wide, 24, 1, 3, depthwise=True), 5))
    program = compile_graph(graph, ROOMY)
    assert any(s.rows[-1][1] == 17 for s in streams.values())
    check_program(graph, program, sample(graph, 1))


def test_a_map_with_two_readers_is_no_stream(streams):
    net = Net("fork", (6, 16, 12))
    wide = net.conv(net.conv("image", 6, 3), 24)
    first, second = net.conv(wide, 24, 3, depthwise=True), net.conv(wide, 8)
    graph = net.graph(net.conv(net.concat(net.conv(first, 8), second), 5))
    program = compile_graph(graph, ROOMY)
    assert wide not in streams
    check_program(graph, program, sample(graph, 1))


def test_rows_below_each_other_begin_in_neighbouring_banks():
    storage = Storage(ROOMY, (), ())
    rows = Map(name="t", channels=4, height=3, width=12, signed=False)
    assert storage.row_words(rows) == 12
    storage.windowed.add("t")
    assert storage.row_words(rows) % ROOMY.activation_banks == 1


def check_chain(seed, activation_bytes, weight_bytes):
    graph = random_chain(seed, 3 + seed % 7)
    sizes = {"activation_bytes": activation_bytes, "weight_bytes": weight_bytes}
    try:
        program = compile_graph(graph, replace(NARROW, **sizes))
    except CompileError as error:
        assert "raise" in str(error)  # names what would help
        return
    check_program(graph, program, sample(graph, seed))


SIZES = st.sampled_from([768, 1536, 2048, 3072, 4096]), st.sampled_from([512, 2048])


@settings(max_examples=25)
@given(st.integers(0, 1 << 20), *SIZES)
def test_program_equals_golden_network(seed, activation_bytes, weight_bytes):
    check_chain(seed, activation_bytes, weight_bytes)


@pytest.mark.slow
@settings(max_examples=600)
@given(st.integers(0, 1 << 20), *SIZES)
def test_more_programs_equal_golden_networks(seed, activation_bytes, weight_bytes):
    check_chain(seed, activation_bytes, weight_bytes)


def test_mobilenet_keeps_its_expanded_maps(streams):
    net = Net("blocks", (32, 56, 56))
    x = net.conv(net.conv("image", 144), 144, 3, depthwise=True)
    x = net.conv(net.conv(net.conv(x, 24), 144), 144, 3, 2, depthwise=True)
    program = compile_graph(net.graph(net.conv(x, 32)), load_config("base"))
    assert len(streams) == 4
    edges = 2 * 56 * 56 + 2 * 28 * 28  # words of input and output
    thin = 2 * 2 * 56 * 56  # between the blocks, out and in
    assert moved(program) < 1.2 * (edges + thin)


def test_a_maker_waits_for_its_reader():
    made, read = object.__new__(ArrayOp), object.__new__(VectorOp)
    names = {"map": type("Map", (), {"name": "t"})()}
    view = type("View", (), names)()
    object.__setattr__(made, "out", view)
    object.__setattr__(made, "sources", ())
    object.__setattr__(read, "out", type("View", (), {"map": type("M", (), {"name": "u"})()})())
    object.__setattr__(read, "source", view)
    object.__setattr__(read, "source_tensor", "t")
    storage = Storage(NARROW, (), ())
    storage.streams["t"] = Stream(rows=((0, 2), (2, 4)), by_block=True, depth=2)
    credits = Credits([made, read], storage)
    tiling = Tiling(chunks=(((0, 1), (1, 1)), ((2, 2),)), parts=((0, 1),), by_block=True)
    tiles, reads = list(tiling.tiles(0, 2)), list(tiling.tiles(1, 2))
    assert [(t.chunk, t.block, t.y) for t in tiles[:4]] == [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        (0, 1, 1),
    ]
    for index in range(4):  # two blocks of the first chunk
        assert credits.may(tiles[index])
        credits.issue(tiles[index], tiles[index + 1])
    assert not credits.may(tiles[4])
    credits.issue(reads[0], reads[1])
    assert not credits.may(tiles[4])
    credits.issue(reads[1], reads[2])
    assert credits.may(tiles[4])
    assert credits.end([0]) == 2
