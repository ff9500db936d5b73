"""RTL engine against the golden engine: values, memory, counters, and all that can go wrong."""

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Buffer, Engine, Instruction, Opcode
from shiftloom.isa.program import Segment
from shiftloom.isa.registers import Error
from shiftloom.sim.compare import assemble, first_difference
from shiftloom.sim.golden import run_segment
from shiftloom.sim.memory import read_tensor, write_tensor
from shiftloom.sim.result import SimulationError
from shiftloom.sim.rtl_engine import PROGRAM, Fault
from shiftloom.sim.rtl_library import Bench
from tests.sim.cases import (
    BITS,
    END,
    NARROW,
    TINY,
    as_program,
    fill,
    first_segment,
    relay,
    work,
)
from tests.support.programs import compute_program, config_instruction, copy_program

pytestmark = pytest.mark.rtl

CONFIGS = pytest.mark.parametrize("config", [TINY, NARROW, BITS], ids=lambda c: c.name)


def check(engine, program, contents=(), **options):
    """Run a program on both engines, compare all, and return the RTL's run."""
    segment = first_segment(program)
    regions, expected = fill(program, contents), fill(program, contents)
    right = run_segment(program, segment, expected)
    run = engine.run_segment(program, segment, regions, **options)
    assert first_difference(program, segment, right, run) is None
    np.testing.assert_array_equal(run.counts, right.counts)
    for number in range(4):
        np.testing.assert_array_equal(regions[number], expected[number])
    check_times(program, run)
    return run


def check_times(program, run):
    """Check what must hold of any run's counters and stamps."""
    opcodes = [i.opcode for i in program.instructions]
    for unit in Engine:
        count = opcodes.count(Opcode[unit.name])
        assert run.counters[f"{unit.name}_WORK"] == count
        assert len(run.starts[unit]) == len(run.dones[unit]) == count
        assert (run.starts[unit] < run.dones[unit]).all()
        assert (np.diff(run.dones[unit]) > 0).all()
    assert run.cycles == run.counters["CYCLES"]
    # The machine stops counting two cycles after its last piece of work.
    assert run.cycles == max(stamps[-1] for stamps in run.dones.values() if len(stamps)) + 2
    assert min(stamps[0] for stamps in run.starts.values() if len(stamps)) > 0


@CONFIGS
@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (1, {}),
        (2, {"latency": 1}),
        (3, {"latency": 90}),
        (4, {"stalls": 0.4, "seed": 1}),
        (5, {"stalls": 0.9, "seed": 2, "latency": 5}),
    ],
)
def test_programs_give_the_same_on_both_engines(engine_of, config, seed, options):
    instructions, contents = compute_program(config, seed)
    check(engine_of(config), as_program(config, instructions, contents[0]), contents, **options)


@CONFIGS
@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_overlapping_transfers_keep_their_order(engine_of, config, stalls):
    for seed in range(5):
        program = as_program(
            config, copy_program(config, seed, transfers=30), region_bytes=(4096,) * 4
        )
        check(engine_of(config), program, stalls=stalls, seed=seed)


@CONFIGS
def test_a_feature_map_passes_through(engine_of, config):
    program = relay(config)
    source, target = program.places
    regions = fill(program)
    codes = np.random.default_rng(0).integers(-128, 128, source.shape).astype(np.int16)
    write_tensor(regions, source, codes, config)
    run = engine_of(config).run_segment(program, first_segment(program), regions)
    np.testing.assert_array_equal(read_tensor(regions, target, config), codes)
    tensors = assemble(program, program.segments, [run], {"b": (codes.shape, True)})
    np.testing.assert_array_equal(tensors["b"], codes)


def test_equal_seeds_give_equal_runs(engine_of):
    program, engine = relay(TINY), engine_of(TINY)

    def cycles(**options):
        return check(engine, program, **options).cycles

    assert cycles() == cycles()
    assert cycles(stalls=0.5, seed=3) == cycles(stalls=0.5, seed=3) > cycles()
    assert len({cycles(stalls=0.5, seed=seed) for seed in range(8)}) > 1


def test_latency_is_what_the_caller_says(engine_of):
    """LOADs of one beat that wait for a STORE each: one read and one write after the other."""
    one = {"words": 1, "runs": 1}
    instructions = [config_instruction(TINY)]
    for n in range(5):
        instructions.append(work(Opcode.LOAD, wait_store=n, **one))
        instructions.append(work(Opcode.STORE, wait_load=n + 1, region=2, **one))
    program = as_program(TINY, [*instructions, END])
    for latency in (10, 11, 50):
        run = check(engine_of(TINY), program, latency=latency)
        assert set(np.diff(run.dones[Engine.STORE])) == {14 + 2 * latency}


def test_a_load_that_does_not_wait_for_a_store_shows(engine_of):
    one = {"words": 8, "runs": 1}
    for wait in (0, 1):
        instructions = [
            config_instruction(TINY),
            work(Opcode.LOAD, **one),
            work(Opcode.STORE, wait_load=1, region=2, **one),
            work(Opcode.LOAD, wait_load=1, wait_store=wait, region=2, addr=8, **one),
            work(Opcode.STORE, wait_load=2, region=3, addr=8, **one),
            END,
        ]
        program = as_program(TINY, instructions)
        regions, expected = fill(program), fill(program)
        engine_of(TINY).run_segment(program, first_segment(program), regions)
        run_segment(program, first_segment(program), expected)
        assert np.array_equal(regions[2], expected[2])
        assert np.array_equal(regions[3], expected[3]) == (wait == 1)


def test_beats_are_counted(engine_of):
    transfer = {"words": 64, "runs": 3, "memory_pitch": 512, "pitch": 64}
    load = work(Opcode.LOAD, **transfer)
    store = work(Opcode.STORE, region=2, wait_load=1, **transfer)
    program = as_program(TINY, [config_instruction(TINY), load, store, END])
    run = check(engine_of(TINY), program)
    beats = 3 * 64 * TINY.word_bytes // TINY.bus_bytes
    fetched = 4 * 32 // TINY.bus_bytes
    assert run.counters["FETCH_BEATS"] == fetched
    assert run.counters["READ_BEATS"] == beats + fetched
    assert run.counters["WRITE_BEATS"] == beats


def test_only_the_segment_runs(engine_of):
    store = work(Opcode.STORE, region=3, words=4, runs=1)
    program = as_program(TINY, [bytes(32), store, config_instruction(TINY), store, END, store])
    segment = Segment(first=2, count=3, inputs=(), outputs=())
    run = engine_of(TINY).run_segment(program, segment, fill(program))
    assert run.counters["STORE_WORK"] == 1


def test_without_trace_nothing_is_kept(engine_of):
    program = relay(TINY)
    regions = fill(program)
    run = engine_of(TINY).run_segment(program, first_segment(program), regions, trace=False)
    assert run.addresses.shape == (0,)
    assert run.data.shape == (0, TINY.word_bytes)
    assert run.counts.tolist() == [12, 12]


def test_progress_is_told(engine_of):
    instructions, contents = compute_program(TINY, 1)
    program, seen = as_program(TINY, instructions, contents[0]), []
    run = check(engine_of(TINY), program, contents, progress=lambda *now: seen.append(now))
    cycles = [cycle for cycle, _ in seen]
    assert cycles == sorted(cycles)
    assert 5 < len(cycles) <= run.cycles // 1000
    assert all(list(done) == list(Engine) for _, done in seen)
    assert seen[-1][1][Engine.LOAD] > seen[0][1][Engine.LOAD]


FIRST = config_instruction(TINY)
LOAD = work(Opcode.LOAD, words=60, runs=1)
STORE = work(Opcode.STORE, words=60, runs=1, region=2, wait_load=1)
OTHER = Instruction(Opcode.CONFIG, {"config_id": TINY.id ^ 1})
STUCK = work(Opcode.STORE, words=1, runs=1, wait_mac=7)
WHOLE = TINY.weight_bytes // TINY.word_bytes
LONG = work(Opcode.LOAD, buffer=Buffer.WEIGHT, words=WHOLE, runs=1)
WRONG = {
    "opcode": ([FIRST, LOAD, bytes(32), END], {}, Error.ILLEGAL_OPCODE, 2, "no opcode 0"),
    "config": ([OTHER, LOAD, END], {}, Error.WRONG_CONFIG, 0, "WRONG_CONFIG at instruction 0"),
    "no_end": ([FIRST, LOAD], {}, Error.NO_END, 2, "instruction 2, behind the last of 2"),
    "fetch": (
        [FIRST, *[LOAD] * 40, END],
        {"fault": Fault(region=PROGRAM, addresses=range(640, 641))},
        Error.FETCH_BUS,
        20,
        "FETCH_BUS at instruction 20",
    ),
    "load": (
        [FIRST, LOAD, LOAD, END],
        {"fault": Fault(region=0, addresses=range(128, 136))},
        Error.LOAD_BUS,
        1,
        r"LOAD_BUS at instruction 1 \(LOAD +words=60 runs=1\)",
    ),
    "store": (
        [FIRST, LOAD, STORE, LOAD, END],
        {"fault": Fault(region=2, addresses=range(200, 208))},
        Error.STORE_BUS,
        2,
        "STORE_BUS at instruction 2",
    ),
    "outside": (
        [FIRST, work(Opcode.LOAD, offset=(1 << 16) - 64, words=60, runs=1), END],
        {},
        Error.LOAD_BUS,
        1,
        "LOAD_BUS",
    ),
    "read_only": (  # the instructions lie behind the regions, which are 68 KiB apart
        [FIRST, work(Opcode.STORE, region=3, offset=17 << 12, words=8, runs=1), END],
        {},
        Error.STORE_BUS,
        1,
        "STORE_BUS",
    ),
    "stuck": (
        [FIRST, LOAD, STUCK, END],
        {"patience": 20_000},
        Error.NONE,
        None,
        "stuck: no work completed in 20.* 1 of 1 LOAD, 0 of 0 MAC, 0 of 0 VECTOR, 0 of 1 STORE",
    ),
    "limit": ([FIRST, LONG, END], {"limit": 700}, Error.NONE, None, "not done after 700 cycles"),
}


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("what", WRONG)
def test_failures_are_reported_and_leave_no_trace(engine_of, monkeypatch, what, stalls):
    instructions, options, error, index, text = WRONG[what]
    program, engine = as_program(TINY, instructions), engine_of(TINY)
    monkeypatch.setattr(Bench, "reset", lambda bench: pytest.fail("the soft reset was not enough"))
    with pytest.raises(SimulationError, match=text) as caught:
        engine.run_segment(program, first_segment(program), fill(program), stalls=stalls, **options)
    assert (caught.value.error, caught.value.index) == (error, index)
    good = relay(TINY)
    assert check(engine, good).cycles == check(engine, good).cycles


def test_a_layer_is_named_where_the_program_knows_it(engine_of):
    program = relay(TINY)
    fault = Fault(region=2, addresses=range(8))
    with pytest.raises(SimulationError, match="STORE_BUS at instruction 8 of layer second"):
        engine_of(TINY).run_segment(program, first_segment(program), fill(program), fault=fault)


def test_a_run_can_be_stopped(engine_of):
    instructions, contents = compute_program(TINY, 1)
    program, engine = as_program(TINY, instructions, contents[0]), engine_of(TINY)

    def stop(cycle, _):
        raise KeyboardInterrupt(cycle)

    with pytest.raises(KeyboardInterrupt):
        engine.run_segment(program, first_segment(program), fill(program, contents), progress=stop)
    check(engine, relay(TINY))


def test_a_program_for_another_accelerator_is_refused(engine_of):
    program = relay(load_config("odd"))
    with pytest.raises(SimulationError, match="for configuration odd with id 0x") as caught:
        engine_of(TINY).run_segment(program, first_segment(program), fill(program))
    assert caught.value.error is Error.WRONG_CONFIG


@pytest.mark.parametrize(
    "options", [{"latency": 0}, {"interval": 0}, {"outstanding": 0}, {"stalls": 1.0}, {"limit": 0}]
)
def test_parameters_out_of_range_are_refused(engine_of, options):
    program = relay(TINY)
    with pytest.raises(ValueError, match="out of range"):
        engine_of(TINY).run_segment(program, first_segment(program), fill(program), **options)


def test_regions_must_be_plain_bytes(engine_of):
    program = relay(TINY)
    regions = fill(program)
    regions[2] = regions[2][::2]
    with pytest.raises(ValueError, match="region 2 is no flat contiguous array"):
        engine_of(TINY).run_segment(program, first_segment(program), regions)


def test_memory_must_fit_into_the_addresses(engine_of):
    program = relay(TINY)
    regions = fill(program)
    regions[3] = np.broadcast_to(np.zeros(1, np.uint8), 1 << 32)
    with pytest.raises(SimulationError, match="do not fit into 32-bit addresses"):
        engine_of(TINY).run_segment(program, first_segment(program), regions)
