"""What tests of the serial machine's blocks share: a configuration, and words of instructions."""

from dataclasses import replace

from shiftloom.isa.config import INSTRUCTION_BYTES, load_config
from shiftloom.isa.instructions import encode

__all__ = ["SERIAL", "SMALL", "WIDE", "pass_words"]

#: With room for the parameters of random programs, and shorter bursts.
SERIAL = replace(load_config("icebreaker"), name="serial", parameter_bytes=8192, burst_beats=16)

#: With twice the rows and columns, and a bus as wide.
WIDE = replace(load_config("tangnano20k"), name="wide", parameter_bytes=16384)

#: With less of everything, for Amaranth's simulator.
SMALL = replace(SERIAL, name="smaller", activation_bytes=1024, weight_bytes=512)


async def pass_words(ctx, port, *instructions):
    """Let the words of instructions pass a block, one each cycle."""
    size = len(port.bits) // 8
    for instruction in instructions:
        code = encode(instruction)
        for number in range(INSTRUCTION_BYTES // size):
            bits = int.from_bytes(code[number * size : (number + 1) * size], "little")
            word = {"valid": 1, "opcode": int(instruction.opcode), "number": number, "bits": bits}
            ctx.set(port, word)
            await ctx.tick()
    ctx.set(port, {"valid": 0})
