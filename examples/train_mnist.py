"""Train a small network on MNIST, quantize it by each method, and write the integers.

Needs PyTorch, and MNIST as ``mnist/train.npz`` and ``mnist/test.npz`` below SHIFTLOOM_DATA::

    python examples/train_mnist.py

It writes the networks that tests verify to ``tests/data``, with ten images; it takes some minutes.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import shiftloom as sl
from shiftloom.flow.torch_models import module_to_onnx
from shiftloom.quant import golden

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data"
TRAINING, TESTS, KEPT = 6000, 2000, 10
METHODS = {"tqt": "W4A8", "qil": "W3A3", "lglsq": "W3A3", "lsbq": "W1A2"}
#: Passes over the images; signs need more of them to settle than steps do.
EPOCHS = {"tqt": 3, "qil": 3, "lglsq": 3, "lsbq": 10}


class Net(nn.Module):
    """Two layers that shrink the image, a residual block, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.down, self.down_norm = nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.first, self.first_norm = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.second, self.second_norm = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.classifier = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits for images ``(batch, 1, 28, 28)``, values 0 to 1."""
        x = functional.relu(self.stem_norm(self.stem(x)))
        x = functional.relu(self.down_norm(self.down(x)))
        y = functional.relu(self.first_norm(self.first(x)))
        x = functional.relu(x + self.second_norm(self.second(y)))
        return self.classifier(x.mean(dim=(2, 3)))


def read(part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images ``(count, 1, 28, 28)`` and labels."""
    with np.load(Path(os.environ["SHIFTLOOM_DATA"]) / "mnist" / f"{part}.npz") as data:
        images = data["images"][:count, None].astype(np.float32) / 255
        return images, data["labels"][:count].astype(np.int64)


def train(images: np.ndarray, labels: np.ndarray, epochs: int = 6) -> Net:
    """Return a network trained in float."""
    torch.manual_seed(0)
    net, rng = Net(), np.random.default_rng(0)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(labels) // 64)
    for _ in range(epochs):
        order = rng.permutation(len(labels))
        for start in range(0, len(order) - 63, 64):
            chosen = order[start : start + 64]
            logits = net(torch.from_numpy(images[chosen]))
            loss = functional.cross_entropy(logits, torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def main() -> None:
    """Write ``mnist_*.q.onnx``, ``mnist.onnx`` and ``mnist.npz``, and print accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=FOLDER)
    parser.add_argument("methods", nargs="*", help=f"of {', '.join(METHODS)}; else all")
    options = parser.parse_args()
    chosen = options.methods or [*METHODS]
    if unknown := {*chosen} - METHODS.keys():
        parser.error(f"no method {', '.join(sorted(unknown))}")
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    images, labels = read("train", TRAINING)
    tests, wanted = read("test", TESTS)
    net = train(images, labels)
    with torch.no_grad():
        floats = net(torch.from_numpy(tests)).argmax(dim=1).numpy()
    print(f"float: {(floats == wanted).mean():.2%}", flush=True)
    model = module_to_onnx(net, images)
    (options.output / "mnist.onnx").write_bytes(model.SerializeToString())
    pixels = np.rint(tests[:KEPT] * 255).astype(np.uint8)
    np.savez_compressed(options.output / "mnist.npz", images=pixels, labels=wanted[:KEPT])
    for method in chosen:
        bits = METHODS[method]
        graph = sl.quantize(
            model,
            output=options.output / f"mnist_{method}.q.onnx",
            method=method,
            bits=bits,
            train=images,
            labels=labels,
            epochs=EPOCHS[method],
        )
        (found,) = golden.predict(graph, {"input": tests}).values()
        print(f"{method} {bits}: {(found.argmax(axis=1) == wanted).mean():.2%}", flush=True)


if __name__ == "__main__":
    main()
