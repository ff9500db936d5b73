"""Accuracy of each method on ResNet-20: ``python -m benchmarks.accuracy``.

Needs PyTorch (``pip install 'shiftloom[train]'``) and CIFAR-10 below SHIFTLOOM_DATA. Every row
starts from the float network's weights, passes over some training images, on one thread, with a
fixed seed. All rows are scored by the golden integer network; what it returns must equal
training's own forward pass in float64 on the first 100 images (tests compare every tensor of
both). Rows are written to ``docs/accuracy.json`` and ``docs/accuracy.md`` as they come;
``seconds`` are those of this process, without what a checkpoint had.
"""

import argparse
import json
import sys
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shiftloom.quant import golden
from shiftloom.quant.float_graph import FloatGraph
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.recipe import Recipe, recipe_for
from shiftloom.quant.transforms import prepare

from .accuracy_page import page
from .subjects import MissingDataError, cifar_images, cifar_labels, data_file, normalized

__all__ = ["ROWS", "Result", "Row", "main"]

Array = NDArray[Any]

_DOCS = Path(__file__).resolve().parents[1] / "docs"

#: Images that are scored.
TESTS = 2000

#: Images that are scored before training.
FEWER = 500

#: Images whose outputs are compared with the forward pass of training.
COMPARED = 100


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement.

    Parameters
    ----------
    method : str
        ``"static"``, or a method that is trained.
    weight_bits, activation_bits : int
        Inside the network.
    limit : float
        Points below float that are asked for.
    images : int
        Training images of an epoch.
    changes : dict
        What differs from the method's short recipe.
    again : dict, optional
        What differs from that in a second training, which starts where the first ended.
    """

    method: str
    weight_bits: int
    activation_bits: int
    limit: float
    images: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    again: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the row is called."""
        return f"{self.method}-w{self.weight_bits}a{self.activation_bits}"

    def recipes(self) -> list[Recipe]:
        """Return the recipe of each training, in order."""
        first = replace(recipe_for(self.method, epochs=1), **self.changes)
        return [first, replace(first, **self.again)] if self.again else [first]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a row came to: accuracies in percent, and CPU seconds of training."""

    name: str
    method: str
    weight_bits: int
    activation_bits: int
    limit: float
    images: int
    epochs: int
    accurate_float: float
    before: float
    after: float
    seconds: float


ROWS = (
    Row(method="static", weight_bits=8, activation_bits=8, limit=0.3),
    Row(method="tqt", weight_bits=8, activation_bits=8, limit=0.3, images=4800),
    Row(
        method="tqt",
        weight_bits=4,
        activation_bits=8,
        limit=1.0,
        images=12800,
        changes={"weight_lr": 2e-4, "flip": True, "crop": 2},
    ),
    Row(
        method="lglsq",
        weight_bits=4,
        activation_bits=4,
        limit=1.0,
        images=12800,
        changes={"flip": True, "crop": 2},
    ),
    Row(method="qil", weight_bits=4, activation_bits=4, limit=1.0, images=4800),
    Row(
        method="lglsq",
        weight_bits=3,
        activation_bits=3,
        limit=2.0,
        images=48000,
        changes={"weight_lr": 3e-4, "flip": True, "crop": 2},
        again={"epochs": 2, "seed": 1},
    ),
    Row(
        method="lsbq",
        weight_bits=1,
        activation_bits=2,
        limit=8.0,
        images=48000,
        changes={"epochs": 5, "bfloat16": True, "flip": True, "crop": 2},
    ),
)


def measure(row: Row, threads: int = 1, checkpoint: Path | None = None) -> Result:
    """Train one row and measure its integers.

    Raises
    ------
    MissingDataError
        SHIFTLOOM_DATA does not hold the network or the images.
    """
    graph = _graph()
    (source,), (target,) = graph.inputs, graph.outputs
    tests, labels = normalized(cifar_images("test", TESTS)), cifar_labels("test", TESTS)
    fixed: dict[str, Any] = {"accurate_float": _float_accuracy(graph), "limit": row.limit}
    bits: dict[str, Any] = {"weight_bits": row.weight_bits, "activation_bits": row.activation_bits}
    times: dict[str, Any]
    if row.method == "static":
        made = quantize_model(graph, normalized(cifar_images("train", 50)), **bits)
        found = _accuracy(golden.predict(made, {source: tests})[target], labels)
        times = {"images": 0, "epochs": 0, "before": found, "after": found, "seconds": 0.0}
    else:
        times = _trained(row, graph, (tests, labels), threads, checkpoint)
    return Result(name=row.name, method=row.method, **bits, **fixed, **times)


@cache
def _float_accuracy(graph: FloatGraph) -> float:
    import torch

    from shiftloom.quant.train.teacher import Teacher

    torch.set_num_threads(1)
    parts = np.array_split(normalized(cifar_images("test", TESTS)), 20)
    teacher = Teacher(graph)
    found = [teacher(torch.from_numpy(part)).numpy() for part in parts]
    return _accuracy(np.concatenate(found), cifar_labels("test", TESTS))


@cache
def _graph() -> FloatGraph:
    return prepare(import_onnx(data_file("models", "resnet20_cifar10", "resnet20.onnx")))


def _trained(
    row: Row, graph: FloatGraph, scored: tuple[Array, Array], threads: int, folder: Path | None
) -> dict[str, Any]:
    import torch

    from shiftloom.quant.train.export import export_network
    from shiftloom.quant.train.fitting import fit
    from shiftloom.quant.train.network import Network
    from shiftloom.quant.train.precision import Precision

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    (source,), (target,), (tests, labels) = graph.inputs, graph.outputs, scored
    images = normalized(cifar_images("train", row.images))
    precision = Precision(
        method=row.method, weight_bits=row.weight_bits, activation_bits=row.activation_bits
    )
    network = Network(graph, {source: images[:50]}, precision)

    def score(count: int) -> float:
        """Score the integers, which are checked to be those that were trained."""
        exact = golden.predict(export_network(network), {source: tests[:count]})[target]
        twin = deepcopy(network).double().eval()
        with torch.no_grad():
            same = twin(twin.encode(source, tests[:COMPARED])).numpy()
        if not np.array_equal(exact[:COMPARED], same):
            raise AssertionError(f"{row.name}: golden differs from the network that was trained")
        return _accuracy(exact, labels[:count])

    before, start = score(FEWER), time.process_time()
    given, wanted = {source: images}, cifar_labels("train", row.images)
    for index, recipe in enumerate(row.recipes()):
        place = folder / (f"{row.name}-{index}" if index else row.name) if folder else None
        progress = _progress(row.name)
        fit(network, given, wanted, recipe, progress, checkpoint=place, resume=True)
    seconds = time.process_time() - start
    epochs = sum(recipe.epochs * (1 + len(recipe.stages)) for recipe in row.recipes())
    counts = {"images": row.images, "epochs": epochs, "seconds": seconds}
    return {"before": before, "after": score(TESTS), **counts}


def _progress(name: str) -> Any:
    recent: list[float] = []

    def report(done: int, total: int, loss: float) -> None:
        recent.append(loss)
        if done % 25 == 0 or done == total:
            mean = np.mean(recent[-25:])
            print(f"{name}: step {done} of {total}, loss {mean:.3f}", file=sys.stderr, flush=True)

    return report


def _accuracy(results: Array, labels: Array) -> float:
    return float((results.argmax(axis=1) == labels).mean() * 100)


def record(result: Result, folder: Path) -> None:
    """Write a row among those that are there already, in the order of :data:`ROWS`."""
    path = folder / "accuracy.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = {entry["name"]: entry for entry in found} | {result.name: asdict(result)}
    ordered = [rows[row.name] for row in ROWS if row.name in rows]
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    (folder / "accuracy.md").write_text(page(ordered), encoding="utf-8")


def main() -> int:
    """Measure rows; return 0, or 2 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.accuracy")
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=_DOCS, help="folder of the page")
    parser.add_argument("--checkpoint", type=Path, help="folder to resume from")
    options = parser.parse_args()
    unknown = set(options.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    try:
        rows = {row.name: row for row in ROWS}
        for name in options.rows or rows:
            result = measure(rows[name], options.threads, options.checkpoint)
            record(result, options.output)
            print(f"{name}: {result.before:.2f} -> {result.after:.2f}", flush=True)
    except (MissingDataError, ModuleNotFoundError) as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
