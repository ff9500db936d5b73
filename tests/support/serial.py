"""What tests of the serial machine's blocks share: a configuration, and words of instructions."""

from dataclasses import replace

from shiftloom.hw.serial_fields import WORD_BITS
from shiftloom.isa.config import INSTRUCTION_BYTES, load_config
from shiftloom.isa.instructions import encode

__all__ = ["SERIAL", "SMALL", "pass_words"]

#: With room for the parameters of random programs, and shorter bursts.
SERIAL = replace(load_config("icebreaker"), name="serial", parameter_bytes=8192, burst_beats=16)

#: With less of everything, for Amaranth's simulator.
SMALL = replace(SERIAL, name="smaller", activation_bytes=1024, weight_bytes=512)


async def pass_words(ctx, port, *instructions):
    """Let the words of instructions pass a block, one each cycle."""
    size = WORD_BITS // 8
    for instruction in instructions:
        code = encode(instruction)
        for number in range(INSTRUCTION_BYTES // size):
            bits = int.from_bytes(code[number * size : (number + 1) * size], "little")
            word = {"valid": 1, "opcode": int(instruction.opcode), "number": number, "bits": bits}
            ctx.set(port, word)
            await ctx.tick()
    ctx.set(port, {"valid": 0})
