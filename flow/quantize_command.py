"""The command ``quantize``."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from .bits import parse_bits
from .console import Shown
from .options import DEFAULT, YES, Bits, Flag, Output

__all__ = ["quantize"]


def _check_bits(_: object, text: str | None) -> None:
    if text is not None:
        parse_bits(text)


Widths = Annotated[str | None, Parameter(validator=_check_bits)]
Positive = Annotated[int, Parameter(validator=Number(gte=1))]


def quantize(
    model: Path,
    /,
    *,
    output: Output,
    calibration: Path | None = None,
    method: Literal["tqt", "qil", "lglsq", "lsbq"] = "tqt",
    bits: Widths = None,
    weight_bits: Bits = 8,
    activation_bits: Bits = 8,
    two_stage: Flag = False,
    per_channel: Flag = False,
    train: Path | None = None,
    labels: Path | None = None,
    epochs: Positive = 1,
    batch: Positive = 64,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    checkpoint: Path | None = None,
    resume: Flag = False,
    report: Path | None = None,
    shown: Shown = DEFAULT,
) -> int:
    """Turn a float ONNX model into a network of integers that shifts and compares.

    Example: `shiftloom quantize model.onnx --calibration images.npy -o model.q.onnx`

    With training: `shiftloom quantize model.onnx --method lglsq --bits W4A4 --train data.npz
    --epochs 2 -o model.q.onnx`

    Parameters
    ----------
    model
        ONNX file: float; or QDQ with scales that are powers of two, or QONNX, which are imported
        as they are; or .npz of a trained binary perceptron.
    output
        File to write: an ONNX model that other runtimes run too.
    calibration
        Samples in the model's own input layout, batch first: .npy, or .npz with one array for
        each input. Without them training data are used, or seeded noise, and then accuracy means
        nothing.
    method
        How scales are found; all but tqt without training need PyTorch.
    bits
        Of weights and of feature maps, like W4A8 or 4,8, in the place of the next two; lsbq has
        W1A1 and W1A2.
    weight_bits
        Width of weights; the first and the last layer keep 8 bits.
    activation_bits
        Width of feature maps.
    two_stage
        Round accumulator and bias to 16 bits first, as TQT's published integer path does.
    per_channel
        One weight scale per output channel (tqt).
    train
        Training samples: .npz with one array for each input and one called labels, or as
        calibration, with labels apart.
    labels
        The class of each training sample: .npy.
    epochs
        Passes over the training samples.
    batch
        Samples of a training step.
    seed
        Of the order of samples.
    checkpoint
        Folder that is written after each epoch.
    resume
        Go on from that folder; the result is that of a training without interruption.
    report
        Folder for a report: bits, scales and error of each layer, as JSON, table and plot.
    """
    from ..quant.layer_report import LayerReport
    from .info import info
    from .quantize import quantize as verb
    from .quantize_report import quantize_table
    from .tables import facts_table

    with shown.progress() as progress:
        verb(
            model,
            calibration,
            output,
            method=method,
            bits=bits,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            two_stage=two_stage,
            per_channel=per_channel,
            train=train,
            labels=labels,
            epochs=epochs,
            batch=batch,
            seed=seed,
            checkpoint=checkpoint,
            resume=resume,
            report=report,
            progress=progress,
        )
    facts = {"file": str(output), **info(output)}
    tables = [facts_table(facts)]
    if report is not None:
        found = json.loads((report / "quantization.json").read_text(encoding="utf-8"))
        tables.insert(0, quantize_table([LayerReport(**layer) for layer in found["layers"]]))
        facts["report"] = str(report)
    shown.show(facts, *tables)
    return YES
