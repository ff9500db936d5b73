"""Train ResNet-20 with TQT and measure the integers: ``python -m benchmarks.train_resnet20``.

Needs PyTorch (``pip install 'shiftloom[train]'``) and CIFAR-10 below SHIFTLOOM_DATA. The seed is
fixed; one pass over the images, without augmentation, on one thread.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from shiftloom.quant import golden
from shiftloom.quant.float_run import run_float
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.transforms import prepare

from .subjects import MissingDataError, cifar_images, cifar_labels, data_file, normalized

__all__ = ["main"]

Array = NDArray[Any]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.train_resnet20"
    )
    parser.add_argument("--weight-bits", type=int, default=8)
    parser.add_argument("--activation-bits", type=int, default=8)
    parser.add_argument("--images", type=int, default=3200, help="training images, seen once")
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--weight-lr", type=float, default=3e-5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _accuracy(results: Array, labels: Array) -> float:
    return float((results.argmax(axis=1) == labels).mean() * 100)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return accuracies in percent, of float, before and after training, and the seconds it took.

    Raises
    ------
    MissingDataError
        SHIFTLOOM_DATA does not hold the network or the images.
    """
    import torch

    from shiftloom.quant.train.export import export_network
    from shiftloom.quant.train.fitting import Recipe, fit
    from shiftloom.quant.train.network import TqtNetwork
    from shiftloom.quant.train.precision import Precision

    torch.manual_seed(0)
    torch.set_num_threads(1)
    path: Path = data_file("models", "resnet20_cifar10", "resnet20.onnx")
    graph = prepare(import_onnx(path))
    (source,), (target,) = graph.inputs, graph.outputs
    images = normalized(cifar_images("train", options.images))
    tests = normalized(cifar_images("test", options.test_images))
    labels = cifar_labels("test", options.test_images)
    parts = np.array_split(tests, max(1, len(tests) // 100))
    floats = np.concatenate([run_float(graph, {source: part})[target] for part in parts])
    precision = Precision(weight_bits=options.weight_bits, activation_bits=options.activation_bits)
    network = TqtNetwork(graph, {source: images[:50]}, precision)

    def integers() -> float:
        found = golden.predict(export_network(network), {source: tests})
        return _accuracy(found[target], labels)

    before, start = integers(), time.perf_counter()
    recipe = Recipe(
        epochs=1,
        batch=32,
        weight_lr=options.weight_lr,
        threshold_lr=1e-2,
        freeze_start=60,
        threshold_halving=150,
        weight_halving=8,
    )
    fit(network, {source: images}, cifar_labels("train", options.images), recipe)
    seconds = time.perf_counter() - start
    return {
        "float": _accuracy(floats, labels),
        "before": before,
        "after": integers(),
        "seconds": seconds,
    }


def main() -> int:
    """Print the table; return 0, or 2 where something is missing."""
    options, console = _arguments(), Console()
    try:
        found = measure(options)
    except (MissingDataError, ModuleNotFoundError) as error:
        print(f"train_resnet20: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found))
        return 0
    bits = f"W{options.weight_bits}A{options.activation_bits}"
    table = Table("bits", "float", "before training", "after", "images", "seconds")
    shares = [f"{found[name]:.2f} %" for name in ("float", "before", "after")]
    table.add_row(bits, *shares, f"{options.images:,}", f"{found['seconds']:.0f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
