"""The verb ``build``: from a board's name to its bitstream."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..isa.config import Config, load_config
from .files import write_files
from .progress import Progress, silent

__all__ = ["Build", "build"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """A bitstream, and what place-and-route says about it.

    Parameters
    ----------
    board, config : str
        Names.
    folder : pathlib.Path
        Where everything is.
    bitstream : pathlib.Path
        The file that a loader takes.
    clock_mhz, achieved_mhz : float
        The machine's clock, and the one at which every path has enough time.
    blocks : dict
        By block LUTs, flip-flops, multipliers and memories.
    total : dict
        The same of all blocks together.
    memory_bits : int
        Bits of the memories used.
    macs_per_cycle : int
        Multiply-accumulates of the array in one cycle.
    untimed : str
        Cells through which no path counts, for the tools do not know their delays.
    path : list
        The longest path: signals, and when their value is there, in nanoseconds.
    path_logic_ns, path_routing_ns : float
        What it spends in cells and between them.
    seconds : dict
        Wall time of each tool that ran.
    loader : str
        Command that loads the bitstream.
    """

    board: str
    config: str
    folder: Path
    bitstream: Path
    clock_mhz: float
    achieved_mhz: float
    blocks: dict[str, dict[str, int]]
    total: dict[str, int]
    memory_bits: int
    macs_per_cycle: int
    untimed: str
    path: list[tuple[str, float]]
    path_logic_ns: float
    path_routing_ns: float
    seconds: dict[str, float]
    loader: str

    @property
    def fast_enough(self) -> bool:
        """Whether the bitstream's clock is one that place-and-route reached."""
        return self.achieved_mhz >= self.clock_mhz

    @property
    def peak_gops(self) -> float:
        """Operations a second of the array at its clock, a multiply-accumulate being two."""
        return 2e-3 * self.macs_per_cycle * self.clock_mhz

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return self.__dict__ | {
            "folder": str(self.folder),
            "bitstream": str(self.bitstream),
            "peak_gops": self.peak_gops,
        }


def build(
    board: str,
    output: str | Path,
    config: Config | str | Path | None = None,
    *,
    clock_mhz: float | None = None,
    memory_bytes: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Build:
    """Synthesize, place and route an accelerator for a board, and write its bitstream.

    Parameters
    ----------
    board : str
        Name of the board.
    output : str or pathlib.Path
        Folder for the bitstream, the netlist and all reports.
    config : Config, str or pathlib.Path, optional
        The accelerator, if not the board's own.
    clock_mhz : float, optional
        The machine's clock, if not the board's own.
    memory_bytes : int, optional
        Size of its external memory, if not the board's own.
    seed : int, optional
        Of the placement, if not the board's own.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    BoardError
        No such board, or a clock that it cannot make.
    ConfigError
        The configuration cannot be built.
    ToolError
        A tool is missing or failed: the design does not fit, for example.
    """
    from ..boards.board import load_board
    from ..boards.build import build_board

    chosen = load_board(board)
    accelerator = chosen.config if config is None else load_config(config)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    built = build_board(
        chosen,
        accelerator,
        folder,
        clock_hz=round(clock_mhz * 1e6) if clock_mhz else chosen.clock_hz,
        memory_bytes=memory_bytes or chosen.memory_bytes,
        seed=chosen.seed if seed is None else seed,
        tell=progress or silent,
    )
    timing, bitstream = built.timing, folder / built.bitstream
    write_files(folder, {f"{accelerator.name}.toml": accelerator.to_toml()})
    return Build(
        board=chosen.name,
        config=accelerator.name,
        folder=folder,
        bitstream=bitstream,
        clock_mhz=built.clock_hz / 1e6,
        achieved_mhz=timing.achieved_mhz,
        blocks={name: dict(counts) for name, counts in sorted(built.blocks.items())},
        total=dict(built.total),
        memory_bits=built.memory_bits,
        macs_per_cycle=accelerator.macs_per_cycle,
        untimed=built.untimed,
        path=[(step.signal, step.at) for step in timing.path],
        path_logic_ns=timing.logic_ns,
        path_routing_ns=timing.routing_ns,
        seconds=built.seconds,
        loader=chosen.loader.format(bitstream),
    )
