"""Build: from a board and a configuration to a bitstream and what is known about it."""

import inspect
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..isa.config import Config
from .board import Board, BoardError
from .cache import cached, content_key
from .design import TOP, Design, make_design
from .families import FAMILIES
from .family import Family
from .flat_module import FlatModule, Step
from .netlist import count_blocks, read_module
from .router_rounds import RouterRounds
from .timing import Timing, read_timing
from .tools import YOSYS

__all__ = ["Built", "Progress", "build_board"]

#: Called with what is being done, and steps done of all steps.
Progress = Callable[[str, int, int], None]

#: What the placer prints when it begins something, and what we call it.
_STAGES = {
    "Packing": "packing cells",
    "Running main analytical placer": "placing",
    "Running Static placer": "placing",
    "Running simulated annealing placer": "refining the placement",
    "Routing globals": "routing clocks",
    "Running router2": "routing",
    "Router1": "routing",
    "Routing..": "routing",
    "Running timing-driven": "routing",
}

_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Built:
    """A board's bitstream and figures.

    Parameters
    ----------
    board : Board
        The board.
    config : Config
        The accelerator.
    clock_hz : int
        The machine's clock, which the bitstream sets whatever place-and-route reached.
    memory_bytes : int
        External memory of the accelerator.
    seed : int
        Of the placement.
    blocks : dict
        By block how much of each kind it takes.
    timing : Timing
        Clock and longest path.
    seconds : dict
        Wall time of each tool; those that the cache spared are missing.
    """

    board: Board
    config: Config
    clock_hz: int
    memory_bytes: int
    seed: int
    blocks: dict[str, Counter[str]]
    timing: Timing
    seconds: dict[str, float]

    @property
    def total(self) -> Counter[str]:
        """How much of each kind all blocks take together."""
        return sum(self.blocks.values(), Counter())

    @property
    def bitstream(self) -> str:
        """Name of the file that a loader takes."""
        return FAMILIES[self.board.family].bitstream

    @property
    def untimed(self) -> str:
        """Cells whose delays the tools do not know; empty if they know all."""
        return FAMILIES[self.board.family].untimed

    @property
    def memory_bits(self) -> int:
        """Bits of the memories used, whether they hold something or not."""
        bits = FAMILIES[self.board.family].memory_bits
        return sum(
            bits[kind] * used for kind, (used, _) in self.timing.used.items() if kind in bits
        )


def build_board(
    board: Board,
    config: Config,
    folder: Path,
    *,
    clock_hz: int,
    memory_bytes: int,
    seed: int = 1,
    tell: Progress,
) -> Built:
    """Synthesize, place, route and pack; leaves the bitstream and all reports in a folder.

    Raises
    ------
    BoardError
        A clock that the board cannot make, or a design that needs more cells than there are.
    ToolError
        A tool that is missing or failed, for example because the design does not fit, or a router
        that stands still.
    """
    family = FAMILIES[board.family]
    seconds: dict[str, float] = {}
    tell("generating the design", 0, _STEPS)
    design = make_design(board, config, clock_hz=clock_hz, memory_bytes=memory_bytes)
    (folder / "top.il").write_text(design.rtlil, encoding="utf-8")
    constraints = design.constraints + family.aim(clock_hz)
    (folder / f"top.{family.constraints}").write_text(constraints, encoding="utf-8")

    def timed(name: str, make: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            start = time.monotonic()
            make()
            seconds[name] = time.monotonic() - start

        return run

    finish = (*family.finish, *board.finish)
    key = _synthesis_key(design, family, finish)
    synthesize = timed("synthesis", lambda: _synthesize(family, finish, folder, tell))
    cached(key, ("top.json",), folder, synthesize)
    module = read_module(folder / "top.json", TOP)
    if shortage := family.shortage(module):
        raise BoardError(f"{config.name} does not fit {board.name}: it needs {shortage}")

    arguments = tuple(family.place(design.platform, clock_hz, seed))
    key = content_key(key, constraints, family.placer.version, *arguments, *family.pack)
    results = ("top.config", "report.json", family.bitstream)

    def implement() -> None:
        _place(family, arguments, folder, tell)
        family.packer.run(family.pack, folder)

    cached(key, results, folder, timed("place and route", implement))
    tell("reading reports", _STEPS - 1, _STEPS)
    return Built(
        board=board,
        config=config,
        clock_hz=clock_hz,
        memory_bytes=memory_bytes,
        seed=seed,
        blocks=count_blocks(module, family),
        timing=read_timing(folder / "report.json"),
        seconds=seconds,
    )


def _synthesis_key(design: Design, family: Family, finish: tuple[Step, ...]) -> str:
    maps = family.map_texts.values()
    changing = (FlatModule, *finish) if finish else ()
    texts = (inspect.getsource(sys.modules[step.__module__]) for step in changing)
    return content_key(design.rtlil, family.synthesis, *maps, YOSYS.version, *texts)


def _synthesize(family: Family, finish: tuple[Step, ...], folder: Path, tell: Progress) -> None:
    tell("synthesizing", 1, _STEPS)
    for name, text in family.map_texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = (
        f"read_rtlil top.il; hierarchy -top {TOP}; {family.synthesis} -top {TOP} -json top.json"
    )

    def watch(line: str) -> None:
        found = re.match(r"\d+\.\d+\. Executing (\w+) pass", line)
        if found:
            tell(f"synthesizing: {found[1].lower()}", 1, _STEPS)

    YOSYS.run(["-p", script], folder, watch, log="synthesis.log")
    if finish:
        netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
        module = FlatModule(netlist["modules"][TOP])
        for step in finish:
            step(module)
        (folder / "top.json").write_text(json.dumps(netlist), encoding="utf-8")


def _place(family: Family, arguments: tuple[str, ...], folder: Path, tell: Progress) -> None:
    tell("placing", 2, _STEPS)
    rounds = RouterRounds(lambda doing: tell(doing, 2, _STEPS))

    def watch(line: str) -> None:
        rounds.watch(line)
        for text, stage in _STAGES.items():
            if text in line:
                tell(stage, 2, _STEPS)

    family.placer.run(arguments, folder, watch, log="place.log")
