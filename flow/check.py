"""The verb ``check``: what becomes of each node of a model, before anything runs."""

from pathlib import Path

import onnx

from ..quant import check as quant_check
from ..quant.check import FATES, Finding

__all__ = ["FATES", "Finding", "check"]


def check(model: onnx.ModelProto | str | Path) -> list[Finding]:
    """Return what becomes of every node of a model, all at once.

    Nothing is quantized or compiled. A model can be carried out if no finding's fate is
    ``refused``; what runs on the host is correct, but slow.

    Parameters
    ----------
    model : onnx.ModelProto, str or pathlib.Path
        A float or QDQ model.

    Raises
    ------
    ModelError
        The file cannot be read, or its inputs or constants cannot be used.
    """
    return quant_check.check(model)
