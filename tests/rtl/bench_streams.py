"""Cocotb bench: what only delays a stream keeps its payloads, and keeps up."""

import random

import cocotb
from cocotb.triggers import ClockCycles

from tests.rtl.designs import QUEUE_DEPTH, STREAM_BITS
from tests.rtl.streams import receive, send, start, until
from tests.support.stalls import sometimes

#: Payloads that each block holds when nobody takes them.
DEPTHS = {"skid": 2, "queue": QUEUE_DEPTH}


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(block=list(DEPTHS), source=[0.0, 0.5], sink=[0.0, 0.5])
async def payloads_stay_in_order(dut, block, source, sink):
    await start(dut)
    sent, received = [random.randrange(1 << STREAM_BITS) for _ in range(300)], []
    cocotb.start_soon(send(dut, f"{block}_i", sent, sometimes(source, 1)))
    cocotb.start_soon(receive(dut, f"{block}_o", sometimes(sink, 2), received.append))
    await until(dut, lambda: len(received) == len(sent))
    assert received == sent


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(block=list(DEPTHS))
async def full_blocks_hold_their_depth_and_give_one_each_cycle(dut, block):
    await start(dut)
    sent, received = list(range(1, 40)), []
    producer = cocotb.start_soon(send(dut, f"{block}_i", sent))
    await ClockCycles(dut.clk, 20)
    assert dut[f"{block}_i_payload"].value == sent[DEPTHS[block]]
    assert not dut[f"{block}_i_ready"].value
    cocotb.start_soon(receive(dut, f"{block}_o", take=received.append))
    await ClockCycles(dut.clk, len(sent) + 2)
    assert received == sent
    await producer
