"""All commands: each parses its options, calls a verb and shows what came of it."""

from .asking_commands import check, doctor, info, simulate, verify
from .board_commands import build, run
from .making_commands import compile, demo, generate, quantize

__all__ = ["COMMANDS"]

#: In the order that a newcomer meets them.
COMMANDS = (demo, check, quantize, compile, simulate, verify, generate, build, run, info, doctor)
