"""Samples from ``.npy`` and ``.npz`` files that may be damaged or hostile."""

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from .errors import FlowError

__all__ = ["read_arrays", "read_samples"]

#: Largest array that is read, in bytes.
MAX_BYTES = 1 << 31

#: What a damaged file raises. zipfile raises RuntimeError for a member that is encrypted, and its
#: subclass NotImplementedError for stronger encryption and for compression that it does not know.
_UNREADABLE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)

Array = NDArray[Any]


def read_samples(path: str | Path, names: Sequence[str]) -> dict[str, Array]:
    """Return samples for the inputs of a model, batch first.

    Parameters
    ----------
    path : str or pathlib.Path
        An ``.npy`` file for a model with one input; or an ``.npz`` file with one array for each
        input, of the input's name. With one input and one array, names do not matter.
    names : sequence of str
        The inputs.

    Raises
    ------
    FlowError
        Not such a file, an array is missing or empty, or it does not hold numbers.
    """
    try:
        with Path(path).open("rb") as file:
            zipped = file.read(2) == b"PK"
            file.seek(0)
            arrays = _from_archive(file, names) if zipped else _from_array(path, file, names)
    except FlowError as error:
        raise FlowError(f"{path}: {error}") from error
    except _UNREADABLE as error:
        allowed = "an array that numpy.save or numpy.savez wrote"
        raise FlowError(f"{path}: not {allowed}, or a truncated one ({error})") from error
    for name, array in arrays.items():
        if not array.ndim or not len(array):
            raise FlowError(f"{path}: no samples for {name}: its shape is {array.shape}")
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise FlowError(f"{path}: the inputs have different numbers of samples: {counts}")
    return arrays


def read_arrays(path: str | Path) -> dict[str, Array]:
    """Return all arrays of an ``.npz`` file.

    Raises
    ------
    FlowError
        Not such a file, or it holds other things than numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(info.file_size for info in members) > MAX_BYTES:
                raise FlowError(f"more than {MAX_BYTES} bytes of arrays")
            return {
                info.filename.removesuffix(".npy"): _read_member(archive, info) for info in members
            }
    except FlowError as error:
        raise FlowError(f"{path}: {error}") from error
    except _UNREADABLE as error:
        raise FlowError(f"{path}: not an .npz file, or a truncated one ({error})") from error


def _from_array(path: str | Path, file: IO[bytes], names: Sequence[str]) -> dict[str, Array]:
    if len(names) != 1:
        raise FlowError(f"one array, but the model has inputs {', '.join(names)}: use an .npz file")
    return {names[0]: _read(file, Path(path).stat().st_size)}


def _from_archive(file: IO[bytes], names: Sequence[str]) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(names) == len(members) == 1:
            members = {names[0]: next(iter(members.values()))}
        missing = [name for name in names if name not in members]
        if missing:
            found = ", ".join(members) or "nothing"
            raise FlowError(f"no array for input {missing[0]}; it holds {found}")
        return {name: _read_member(archive, members[name]) for name in names}


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    if info.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        raise FlowError(f"{info.filename} is compressed in another way than numpy.savez does")
    with archive.open(info) as file:
        return _read(file, info.file_size)


def _read(file: IO[bytes], available: int) -> Array:
    """Read one array, whose header is checked before anything is allocated."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read(file)
    if kind.kind not in "biuf":
        raise FlowError(f"values of type {kind}: only numbers can be used")
    size = math.prod(shape) * kind.itemsize
    limit = min(available, MAX_BYTES)
    if not 0 <= size <= limit:
        raise FlowError(f"shape {shape} needs {size} bytes; {limit} are there, or allowed")
    file.seek(0)
    array: Array = npy.read_array(file, allow_pickle=False)
    return array
