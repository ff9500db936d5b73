"""The verb ``check``: what becomes of each node of a model, before anything runs."""

from dataclasses import replace
from pathlib import Path

import onnx

from ..compiler.fit import Misfit, misfits
from ..isa.config import Config, load_config
from ..quant import check as quant_check
from ..quant.check import FATES, Finding, check_quantized
from ..quant.export import from_onnx, is_quantized
from ..quant.importer import import_onnx
from ..quant.transforms import prepare

__all__ = ["FATES", "Finding", "check"]


def check(
    model: onnx.ModelProto | str | Path, config: Config | str | Path | None = None
) -> list[Finding]:
    """Return what becomes of every node of a model, all at once.

    Nothing is quantized or compiled. A model can be carried out if no finding's fate is
    ``refused``; what runs on the host is correct, but slow.

    Parameters
    ----------
    model : onnx.ModelProto, str or pathlib.Path
        A float or QDQ model, or a network that :func:`quantize` made.
    config : Config, str or pathlib.Path, optional
        An accelerator: layers that cannot fit it are refused too.

    Raises
    ------
    ModelError, ConfigError
        A file cannot be read, or the model's inputs or constants cannot be used.
    """
    machine = None if config is None else load_config(config)
    quantized = from_onnx(model) if is_quantized(model) else None
    findings = check_quantized(quantized) if quantized else quant_check.check(model)
    if machine is None or any(finding.fate == "refused" for finding in findings):
        return findings
    wrong = {m.node: m for m in misfits(quantized or prepare(import_onnx(model)), machine)}
    known = {finding.node for finding in findings}
    return [_refused(f, wrong.get(f.node)) for f in findings] + [
        _refused(Finding(node=name, op="", fate="refused"), misfit)
        for name, misfit in wrong.items()
        if name not in known
    ]


def _refused(finding: Finding, misfit: Misfit | None) -> Finding:
    if misfit is None:
        return finding
    return replace(finding, fate="refused", reason=misfit.reason, remedy=misfit.remedy)
