"""Reading ONNX files that may be damaged or hostile."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from .errors import ModelError, UnsupportedError

__all__ = ["MAX_ELEMENTS", "OPSETS", "operator_set", "read_model", "tensor_array"]

#: Largest number of elements of one constant.
MAX_ELEMENTS = 1 << 28

#: Versions of the standard operator set that are read.
OPSETS = range(7, 26)

Array = NDArray[np.generic]


def read_model(model: onnx.ModelProto | str | Path) -> tuple[onnx.ModelProto, Path | None]:
    """Return a parsed model and its folder; external tensor data is not read yet.

    Raises
    ------
    ModelError
        The file is missing, not ONNX, or has no graph.
    """
    if isinstance(model, onnx.ModelProto):
        return model, None
    path = Path(model)
    parsed = _parse(path)
    if not parsed.graph.node:
        raise ModelError(
            "SL-Q101", "no graph with nodes in this file", node=str(path), allowed="an ONNX model"
        )
    return parsed, path.resolve().parent


def _parse(path: Path) -> onnx.ModelProto:
    parsed = onnx.ModelProto()
    try:
        parsed.ParseFromString(path.read_bytes())
    except OSError as error:
        found = error.strerror or str(error)
        raise ModelError("SL-Q101", found, node=str(path), fix="check the path") from None
    except Exception:  # the parser has no error class with types
        raise ModelError(
            "SL-Q101",
            "not an ONNX file, or a truncated one",
            node=str(path),
            allowed="an ONNX model",
            fix="export the model again",
        ) from None
    return parsed


def operator_set(model: onnx.ModelProto) -> int:
    """Return the version of the standard operator set that a model uses.

    Raises
    ------
    UnsupportedError
        The version is outside :data:`OPSETS`.
    """
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    version = versions[0] if versions else 1
    if version not in OPSETS:
        raise UnsupportedError(
            "SL-Q103",
            f"operator set {version}",
            allowed=f"{OPSETS.start} to {OPSETS.stop - 1}",
            fix="convert the model with onnx.version_converter",
        )
    return int(version)


def tensor_array(tensor: onnx.TensorProto, folder: Path | None) -> Array:
    """Return a tensor's values, with sizes checked before anything is allocated.

    Raises
    ------
    ModelError
        The values are too many, missing, or stored outside the model's folder.
    """
    elements = 1
    for size in tensor.dims:
        elements *= size
    if elements > MAX_ELEMENTS or min(tensor.dims, default=0) < 0:
        raise ModelError(
            "SL-Q112",
            f"shape {list(tensor.dims)}",
            node=tensor.name,
            allowed=f"at most {MAX_ELEMENTS} elements",
        )
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external_array(tensor, folder, elements)
    try:
        array: Array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError("SL-Q110", f"values do not fit: {error}", node=tensor.name) from None
    return array


def _external_array(tensor: onnx.TensorProto, folder: Path | None, elements: int) -> Array:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _external_path(tensor.name, entries.get("location", ""), folder)
    dtype = _dtype(tensor)
    offset = _count(tensor.name, entries.get("offset", "0"))
    length = _count(tensor.name, entries.get("length", str(elements * dtype.itemsize)))
    if length != elements * dtype.itemsize:
        _refuse(tensor.name, f"{length} bytes", f"{elements * dtype.itemsize} bytes for its shape")
    if offset + length > path.stat().st_size:
        size = path.stat().st_size
        _refuse(tensor.name, f"bytes {offset} to {offset + length} of {size}", "inside the file")
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    return np.frombuffer(data, dtype=dtype).reshape(tuple(tensor.dims))


def _external_path(name: str, location: str, folder: Path | None) -> Path:
    if folder is None:
        _refuse(name, "external data of a model that has no folder", "a path to the model file")
        raise AssertionError
    path = (folder / location).resolve()
    if not location or not path.is_relative_to(folder):
        _refuse(name, repr(location), "a file below the model's own folder")
    if not path.is_file():
        _refuse(name, f"no file {location!r}", "a file below the model's own folder")
    return path


def _dtype(tensor: onnx.TensorProto) -> np.dtype[np.generic]:
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        raise ModelError("SL-Q108", f"type {tensor.data_type}", node=tensor.name) from None
    return np.dtype(dtype).newbyteorder("<")


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        _refuse(name, repr(text), "a count of bytes")
    return int(text)


def _refuse(name: str, found: str, allowed: str) -> None:
    raise ModelError("SL-Q102", found, node=name, allowed=allowed)
