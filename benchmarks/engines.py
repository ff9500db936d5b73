"""Speed of the engines, each beside what else there is: ``python -m benchmarks.engines``.

Needs the development packages (cocotb, cocotbext-axi, onnxruntime), and Icarus for its row.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter

from shiftloom.flow.console import Shown
from shiftloom.flow.engines import simulation_text
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.isa.config import Config, load_config
from shiftloom.sim.rtl_engine import Engine, build_engine

from .cocotb_run import WAYS, Way, cocotb_rates, missing
from .command import changed_environment, run
from .engines_report import Measured, data_of, goals_of, tables_of
from .goals import all_met
from .images import golden_time, rtl_time
from .rates import Case, make_case, rtl_rate
from .subjects import MissingDataError, convolution, trained

__all__ = ["engines", "main"]

Result = TypeVar("Result")

#: Images for golden and onnxruntime.
IMAGES = 128

#: Shares of the cycles in which the memory's channels hold back.
PAUSES = (0.0, 0.3)


def engines(
    *,
    config: str = "base",
    ways: Annotated[Sequence[Way], Parameter(consume_multiple=True, negative=())] = WAYS,
    shown: Shown = DEFAULT,
) -> int:
    """Compare speeds: Verilog under cocotb and in the RTL engine; golden and onnxruntime.

    What is timed has given golden's integers before. Builds everything anew, which takes
    minutes. The exit status is 0 if all goals are met that could be measured, 1 if not, 2 for
    errors.

    Parameters
    ----------
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    ways
        How cocotb runs: verilator (as its runner sets it up), "verilator, tuned" (as fast as it
        gets), icarus.
    """
    accelerator = load_config(config)
    with shown.progress() as progress, tempfile.TemporaryDirectory() as folder:
        found = _measure(accelerator, ways, Path(folder), progress)
    goals = goals_of(found) if accelerator.id == load_config("base").id else []
    shown.show(data_of(found, goals), *tables_of(found, goals))
    return 0 if all_met(goals) else 1


def _measure(config: Config, ways: Sequence[Way], folder: Path, progress: Progress) -> Measured:
    found = Measured(config=config.name)
    with changed_environment({"XDG_CACHE_HOME": str(folder / "cache")}):  # an empty cache
        engine = _build(config, found, progress)
        case = make_case(convolution(32, 14), config)
        found.rates += [rtl_rate(engine, case, pauses) for pauses in PAUSES]
        for number, way in enumerate(ways):
            progress(f"building and running cocotb on {way}", 0, 0)
            _compare(way, case, folder / f"cocotb{number}", found)
    for name in ("resnet8", "resnet20"):
        progress(f"timing {name}", 0, 0)
        try:
            subject = trained(name, IMAGES)
        except MissingDataError as error:
            found.skipped[name] = str(error)
            continue
        found.images.append(rtl_time(name, subject, config, engine))
        found.golden.append(golden_time(name, subject, folder))
    return found


def _build(config: Config, found: Measured, progress: Progress) -> Engine:
    """Generate and build the RTL engine, and get it from the cache again."""
    progress(f"building the RTL engine of {config.name}", 0, 0)
    found.text_seconds, text = _timed(lambda: simulation_text(config))
    found.build_seconds, _ = _timed(lambda: build_engine(text))
    found.load_seconds, engine = _timed(lambda: build_engine(simulation_text(config)))
    return engine


def _timed(action: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def _compare(way: Way, case: Case, folder: Path, found: Measured) -> None:
    """Run a program under cocotb, where what that needs is installed."""
    lacking = missing(way)
    if lacking:
        found.skipped[f"cocotb on {way}"] = f"not installed: {lacking}"
        return
    folder.mkdir()
    pauses = PAUSES[:1] if way == "icarus" else PAUSES  # Icarus would take minutes
    found.rates += cocotb_rates(way, case, pauses, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(engines, arguments)


if __name__ == "__main__":
    sys.exit(main())
