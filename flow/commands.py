"""All commands: each parses its options, calls a verb and shows what came of it."""

from .asking_commands import check, doctor, info, simulate, verify
from .making_commands import compile, demo, export, generate, quantize

__all__ = ["COMMANDS"]

#: In the order that a newcomer meets them.
COMMANDS = (demo, check, quantize, compile, simulate, verify, generate, export, info, doctor)
