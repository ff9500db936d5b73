"""PyTorch modules as ONNX models; PyTorch is not imported unless somebody has done so already."""

import io
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .errors import FlowError

__all__ = ["is_module", "module_to_onnx"]

Array = NDArray[Any]

OPSET = 17


def is_module(model: object) -> bool:
    """Return whether a model is a PyTorch module."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def module_to_onnx(module: Any, samples: Array | Mapping[str, Array]) -> onnx.ModelProto:
    """Return a module in evaluation mode as an ONNX model; batch norms stay nodes of their own.

    Parameters
    ----------
    module : torch.nn.Module
        Its training mode is left as it was.
    samples : array or mapping
        Samples, batch first: the first one says the shapes. The keys of a mapping name the inputs,
        in the order of ``forward``; a single input is called ``input``.

    Raises
    ------
    FlowError
        PyTorch cannot export the module; the message is its own.
    """
    import torch

    named = dict(samples) if isinstance(samples, Mapping) else {"input": samples}
    first = tuple(torch.from_numpy(np.asarray(v[:1], np.float32)) for v in named.values())
    modes = [(part, part.training) for part in module.modules()]
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                first,
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(named),
                dynamic_axes={name: {0: "N"} for name in named},
                do_constant_folding=False,
                training=torch.onnx.TrainingMode.PRESERVE,
            )
    except Exception as error:
        raise FlowError(f"{type(module).__name__}: PyTorch cannot export it: {error}") from error
    finally:
        for part, mode in modes:
            part.training = mode
    return onnx.load_model_from_string(buffer.getvalue())
