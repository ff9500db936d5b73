"""Decode: each instruction to its engine, and nothing after a wrong one."""

import pytest

from shiftloom.hw.decode import Decode
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import (
    ENGINES,
    Instruction,
    Opcode,
    encode,
    engine_of,
    is_work,
)
from shiftloom.isa.registers import Error
from tests.support.programs import config_instruction
from tests.support.stalls import sometimes

TINY = load_config("tiny")
CONFIG = config_instruction(TINY)
ROUTED = [code for code in Opcode if engine_of(code) is not None]


def decode(simulate, items, *, length=None, stalls=0.0, cycles=80, begin=0):
    """Return what arrives at the queues, issued counts, ended and failure.

    The first instruction is offered in cycle ``begin``.
    """
    dut = Decode(TINY)
    length = len(items) if length is None else length
    arrived, issued = {e: [] for e in ENGINES}, dict.fromkeys(ENGINES, 0)
    end = {}

    async def check(ctx):
        ctx.set(dut.length, length)
        position, hold = 0, [sometimes(stalls, seed) for seed in range(5)]
        offering = False
        for cycle in range(cycles):
            for queue, pattern in zip(dut.queues, hold, strict=False):
                ctx.set(queue.ready, not next(pattern))
            offering = position < len(items) and (offering or not next(hold[4]))
            offering &= cycle >= begin
            if offering:
                bits, error = items[position]
                ctx.set(dut.i.payload, {"bits": bits, "error": error})
            ctx.set(dut.i.valid, offering)
            queues = [(ctx.get(q.valid & q.ready), ctx.get(q.payload)) for q in dut.queues]
            for engine, (moved, payload) in zip(ENGINES, queues, strict=True):
                if moved:
                    arrived[engine].append((payload.bits, payload.index))
                issued[engine] += ctx.get(dut.issued) >> engine & 1
            if ctx.get(dut.i.ready) and offering:
                position, offering = position + 1, False
            await ctx.tick()
        failure = ctx.get(dut.failure)
        end.update(ended=ctx.get(dut.ended), code=failure.code, index=failure.index)

    simulate(dut, check)
    return arrived, issued, end


def raw(instruction, error=0):
    """Return an instruction as Fetch gives it."""
    data = instruction if isinstance(instruction, bytes) else encode(instruction)
    return int.from_bytes(data, "little"), error


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_instructions_reach_their_engines(simulate, stalls):
    program = [CONFIG, *(Instruction(code, {}) for code in (*ROUTED, *reversed(ROUTED)))]
    program.append(Instruction(Opcode.END, {}))
    arrived, issued, end = decode(simulate, [raw(i) for i in program], stalls=stalls)
    for engine in ENGINES:
        mine = [(i, n) for n, i in enumerate(program) if engine_of(i.opcode) is engine]
        assert arrived[engine] == [(raw(i)[0], n) for i, n in mine]
        assert issued[engine] == sum(is_work(i.opcode) for i, _ in mine)
    assert end["ended"]
    assert end["code"] == Error.NONE


@pytest.mark.parametrize("code", [0, 3, 11, 0x80, 0xFF])
def test_illegal_opcode_stops(simulate, code):
    wrong = bytes([code]) + bytes(31)
    load = Instruction(Opcode.LOAD, {})
    arrived, _, end = decode(simulate, [raw(i) for i in (CONFIG, load, wrong, load)])
    assert end == {"ended": 0, "code": Error.ILLEGAL_OPCODE, "index": 2}
    assert len(arrived[0]) == 1


@pytest.mark.parametrize("begin", [0, 5])
@pytest.mark.parametrize(
    "first",
    [
        Instruction(Opcode.CONFIG, {"config_id": TINY.id ^ 1 << 31}),
        Instruction(Opcode.LOAD, {}),
        bytes(32),
    ],
)
def test_program_must_begin_with_our_configuration(simulate, first, begin):
    _, _, end = decode(simulate, [raw(first), raw(Instruction(Opcode.END, {}))], begin=begin)
    assert end == {"ended": 0, "code": Error.WRONG_CONFIG, "index": 0}


def test_another_configuration_later_is_wrong_too(simulate):
    other = Instruction(Opcode.CONFIG, {"config_id": 0})
    _, _, end = decode(simulate, [raw(CONFIG), raw(CONFIG), raw(other)])
    assert end == {"ended": 0, "code": Error.WRONG_CONFIG, "index": 2}


def test_bus_error_counts_before_contents(simulate):
    _, _, end = decode(simulate, [raw(CONFIG), raw(bytes(32), error=1)])
    assert end == {"ended": 0, "code": Error.FETCH_BUS, "index": 1}


@pytest.mark.parametrize("length", [0, 1, 3])
def test_missing_end_fails_at_the_length(simulate, length):
    program = [CONFIG, *[Instruction(Opcode.LOAD, {})] * 5]
    _, issued, end = decode(simulate, [raw(i) for i in program], length=length)
    assert end == {"ended": 0, "code": Error.NO_END, "index": length}
    assert issued[0] == max(0, length - 1)


def test_nothing_is_read_after_end(simulate):
    program = [CONFIG, Instruction(Opcode.END, {}), bytes(32)]
    _, _, end = decode(simulate, [raw(i, n == 2) for n, i in enumerate(program)])
    assert end["ended"]
    assert end["code"] == Error.NONE
