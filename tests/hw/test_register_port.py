"""RegisterPort: AXI4-Lite with hosts that take their time."""

import pytest

from shiftloom.hw.register_port import RegisterPort


@pytest.mark.parametrize(("address", "word"), [(0, 5), (5, 0), (3, 3)])
@pytest.mark.parametrize("answer", [0, 7])
def test_write_happens_once_when_both_halves_are_there(simulate, address, word, answer):
    dut, writes, answers = RegisterPort(), [], []

    async def host(ctx):
        port = dut.s_axi
        sent = {"aw": address, "w": word}
        ctx.set(port.aw.payload, {"addr": 0x20})
        ctx.set(port.w.payload, {"data": 0x12345678, "strb": 0b0110})
        for cycle in range(30):
            for name, begin in sent.items():
                ctx.set(getattr(port, name).valid, begin is not None and cycle >= begin)
            ctx.set(port.b.ready, cycle >= max(address, word) + 3 + answer)
            taken = [ctx.get(getattr(port, n).valid & getattr(port, n).ready) for n in sent]
            if ctx.get(dut.write.valid):
                writes.append((ctx.get(dut.write.number), ctx.get(dut.write.data)))
            if ctx.get(port.b.valid & port.b.ready):
                answers.append(ctx.get(port.b.p.resp))
            await ctx.tick()
            sent = {n: None if t else b for (n, b), t in zip(sent.items(), taken, strict=True)}

    simulate(dut, host)
    assert writes == [(8, 0x12345678)]
    assert answers == [0]


@pytest.mark.parametrize("delay", [0, 1, 6])
def test_value_is_held_until_it_is_taken(simulate, delay):
    dut, values = RegisterPort(), []

    async def host(ctx):
        port = dut.s_axi
        ctx.set(port.ar.payload, {"addr": 0x54})
        ctx.set(port.ar.valid, 1)
        ctx.set(dut.read_data, 0xCAFE)
        await ctx.tick().until(port.ar.ready)
        assert ctx.get(dut.read_number) == 0x15
        ctx.set(port.ar.valid, 0)
        ctx.set(dut.read_data, 0)
        await ctx.tick().repeat(delay + 1)
        assert ctx.get(port.r.valid)
        ctx.set(port.r.ready, 1)
        for _ in range(4):
            if ctx.get(port.r.valid):
                values.append(ctx.get(port.r.p.data))
            await ctx.tick()

    simulate(dut, host)
    assert values == [0xCAFE]


def test_ready_does_not_follow_valid_at_once(simulate):
    dut = RegisterPort()

    async def check(ctx):
        for channel in (dut.s_axi.aw, dut.s_axi.w, dut.s_axi.ar):
            ctx.set(channel.valid, 1)
            assert not ctx.get(channel.ready)

    simulate(dut, check)
