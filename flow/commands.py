"""All commands: each parses its options, calls a verb and shows what came of it."""

from .asking_commands import check, doctor, info, simulate, verify
from .board_commands import build, run
from .making_commands import compile, demo, export, generate
from .measuring_commands import explore, report
from .quantize_command import quantize

__all__ = ["COMMANDS"]

#: In the order that a newcomer meets them.
COMMANDS = (
    demo,
    check,
    quantize,
    compile,
    simulate,
    verify,
    report,
    explore,
    generate,
    export,
    build,
    run,
    info,
    doctor,
)
