"""The verb ``export``: a quantized network in a format of other tools."""

from pathlib import Path
from typing import Literal

import onnx

from ..quant.export import load_graph, to_onnx
from ..quant.graph import QuantGraph
from ..quant.interchange.export_qonnx import to_qonnx
from .files import write_file

__all__ = ["export"]


def export(
    network: QuantGraph | str | Path,
    output: str | Path | None = None,
    *,
    format: Literal["qonnx", "qdq"] = "qonnx",
) -> onnx.ModelProto:
    """Return a quantized network as an ONNX model, and write it if a file is given.

    Parameters
    ----------
    network : QuantGraph, str or pathlib.Path
        What :func:`quantize` returned, or its file.
    output : str or pathlib.Path, optional
        File to write.
    format : str
        ``qonnx``: Quant and MultiThreshold; ``qdq``: operators of the ONNX standard alone.

    Raises
    ------
    ModelError
        The file cannot be used, or an integer has no place in the format.
    """
    graph = network if isinstance(network, QuantGraph) else load_graph(network)
    model = to_qonnx(graph) if format == "qonnx" else to_onnx(graph)
    del model.metadata_props[:]
    if output is not None:
        write_file(output, model.SerializeToString())
    return model
