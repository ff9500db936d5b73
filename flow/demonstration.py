"""The verb ``demo``: a network that reads digits, from floats to verified hardware."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from ..isa.config import Config, load_config
from ..quant.golden import predict
from .compile import compile
from .generate import generate
from .progress import Progress, silent
from .quantize import quantize
from .samples import read_samples
from .tables import layers_table
from .verify import Verification, verify

__all__ = ["DEMO", "Demonstration", "demo"]

#: Model and data; ``examples/train_digits.py`` makes them.
DEMO = Path(__file__).parent / "demo"

#: Digits drawn side by side, and how dark a pixel of each value is.
_PER_ROW = 4
_SHADES, _PLAIN_SHADES = " ░▒▓█", " .:+#"

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstration:
    """What the demonstration did.

    Parameters
    ----------
    folder : pathlib.Path
        Where everything is.
    accuracy : float
        Share of all test digits that the network of integers reads correctly.
    tested : int
        How many those are.
    images, labels, digits : array
        The verified images, what they show, and what the hardware says.
    verification : Verification
        Whether all integers are equal.
    """

    folder: Path
    accuracy: float
    tested: int
    images: Array
    labels: Array
    digits: Array
    verification: Verification

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the images, for JSON."""
        return {
            "folder": str(self.folder),
            "accuracy": self.accuracy,
            "tested": self.tested,
            "labels": self.labels.tolist(),
            "digits": self.digits.tolist(),
            "verification": self.verification.to_dict(),
        }

    def tables(self) -> list[RenderableType]:
        """Return what there is to see."""
        found = self.verification
        title = f"\nCycles of one digit on {found.config}, layer by layer"
        times = [layers_table(found.times, title)] if found.times else []
        return [
            *(Text(line) for line in _drawing(self.images, self.labels, self.digits)),
            *times,
            Text(f"\n{found.verdict()}"),
            Text(f"accuracy: {self.accuracy:.2%} of {self.tested} test digits, as integers"),
            Text(f"report: {self.folder / 'report' / 'report.md'}"),
            Text(f"Verilog: {self.folder / 'verilog'}"),
        ]


def demo(
    output: str | Path,
    config: Config | str | Path = "tiny",
    *,
    samples: int = 8,
    progress: Progress | None = None,
) -> Demonstration:
    """Quantize, compile, verify and generate, and write all results to a folder.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder for the quantized network, the program, Verilog and a report.
    config : Config, str or pathlib.Path
        The accelerator.
    samples : int
        How many digits to verify on the generated Verilog.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError, CompileError, SimulationError, BuildError, OSError
        The accelerator cannot be built, or is too small, or the folder cannot be written.
    """
    folder, report, chosen = Path(output), progress or silent, load_config(config)
    model, calibration = DEMO / "digits.onnx", DEMO / "calibration.npy"
    network = quantize(model, calibration, folder / "digits.q.onnx", progress=report)
    program = compile(network, chosen, folder / "digits.program", progress=report)
    generate(chosen, folder / "verilog", progress=report)
    data = read_samples(DEMO / "digits.npz", ["image", "label"])
    report("reading all test digits", 0, 0)
    right = predict(network, {"image": data["image"]})["digit"].argmax(1) == data["label"]
    images = data["image"][:samples]
    found = verify(program, inputs=images, report=folder / "report", progress=report)
    logits = found.outputs.get("digit", np.zeros((0, 10)))
    return Demonstration(
        folder=folder,
        accuracy=float(right.mean()),
        tested=len(right),
        images=images,
        labels=data["label"][:samples],
        digits=logits.argmax(1),
        verification=found,
    )


def _drawing(images: Array, labels: Array, digits: Array) -> list[str]:
    """Return pictures of digits side by side, each above what it is taken for."""
    lines: list[str] = []
    for start in range(0, len(digits), _PER_ROW):
        part = slice(start, start + _PER_ROW)
        pictures = [_picture(image[0]) for image in images[part]]
        lines += ["    ".join(row).rstrip() for row in zip(*pictures, strict=True)]
        names = [_name(*pair) for pair in zip(labels[part], digits[part], strict=True)]
        lines += ["    ".join(f"{name:<16}" for name in names).rstrip(), ""]
    return lines


def _picture(image: Array) -> list[str]:
    encoding = sys.stdout.encoding or "ascii"
    shades = _SHADES if encoding.lower().startswith("utf") else _PLAIN_SHADES
    levels = np.rint(image * (len(shades) - 1)).astype(int)
    return ["".join(2 * shades[level] for level in row) for row in levels]


def _name(label: int, digit: int) -> str:
    return f"{digit}: right" if label == digit else f"{digit}: is a {label}"
