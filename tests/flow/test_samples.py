"""Samples from files that are as they should be, damaged or hostile."""

import io
import zipfile

import numpy as np
import pytest

from shiftloom.flow.errors import FlowError
from shiftloom.flow.samples import read_arrays, read_samples

ONE, TWO = np.arange(12.0).reshape(2, 2, 3), np.ones((2, 4), np.uint8)


def test_one_array(tmp_path):
    np.save(tmp_path / "x.npy", ONE)
    assert np.array_equal(read_samples(tmp_path / "x.npy", ["x"])["x"], ONE)


def test_archive_by_name(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", b=TWO, a=ONE, label=np.arange(2))
    found = read_samples(tmp_path / "x.npz", ["a", "b"])
    assert list(found) == ["a", "b"]
    assert np.array_equal(found["a"], ONE)
    assert np.array_equal(found["b"], TWO)


def test_only_array_of_an_archive(tmp_path):
    np.savez(tmp_path / "x.npz", ONE)
    assert np.array_equal(read_samples(tmp_path / "x.npz", ["image"])["image"], ONE)


def header(shape, kind="<f8"):
    """Return the start of an .npy file that claims a shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def archive(name, data, compression=zipfile.ZIP_DEFLATED):
    """Return a zip file with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr(name, data)
    return buffer.getvalue()


def flagged(data, flag):
    """Return a zip file with one member whose two headers have a flag."""
    changed = bytearray(data)
    changed[6] |= flag
    changed[data.index(b"PK\1\2") + 8] |= flag
    return bytes(changed)


def overwritten(data):
    """Return a zip file whose compressed data are others."""
    start = data.index(b".npy") + 40
    return (
        data[:start] + bytes(byte ^ 0x5A for byte in data[start : start + 20]) + data[start + 20 :]
    )


def saved(array):
    """Return an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


DAMAGED = {
    "empty": (b"", "not an array"),
    "text": (b"hello, this is text", "not an array"),
    "short data": (saved(ONE)[:-1], "not an array"),
    "short header": (saved(ONE)[:40], "not an array"),
    "huge": (header((1 << 40, 8)), "needs"),
    "negative": (header((-1, 8)), "needs -64 bytes"),
    "objects": (header((2, 2), "|O") + b"\x80\x04N.", "only numbers"),
    "strings": (saved(np.array(["a"])), "only numbers"),
    "no samples": (saved(np.zeros((0, 3))), "no samples"),
    "scalar": (saved(np.float64(3)), "no samples"),
    "short archive": (archive("x.npy", saved(ONE))[:100], "not an array"),
    "huge member": (archive("x.npy", header((1 << 40,))), "needs"),
    "text member": (archive("x.npy", b"text"), "not an array"),
    "damaged member": (overwritten(archive("x.npy", saved(ONE))), "decompressing data"),
    "encrypted member": (flagged(archive("x.npy", saved(ONE)), 1), "encrypted, password"),
    "strongly encrypted": (flagged(archive("x.npy", saved(ONE)), 0x41), "strong encryption"),
    "bzip2": (archive("x.npy", saved(ONE), zipfile.ZIP_BZIP2), "compressed in another way"),
    "LZMA": (archive("x.npy", saved(ONE), zipfile.ZIP_LZMA), "compressed in another way"),
    "zip start": (b"PK\x03\x04" + bytes(100), "not an array"),
}


@pytest.mark.parametrize(("data", "message"), DAMAGED.values(), ids=DAMAGED)
def test_files_that_cannot_be_used(data, message, tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(FlowError, match=message) as caught:
        read_samples(path, ["x"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name", [n for n in DAMAGED if n.endswith(("member", "encrypted", "bzip2"))]
)
def test_archives_whose_arrays_cannot_be_used(name, tmp_path):
    data, message = DAMAGED[name]
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    with pytest.raises(FlowError, match=message.replace("not an array", "not an .npz")) as caught:
        read_arrays(path)
    assert str(path) in str(caught.value)


def test_arrays_that_are_missing(tmp_path):
    np.savez(tmp_path / "x.npz", a=ONE, b=TWO)
    with pytest.raises(FlowError, match="no array for input c; it holds a, b"):
        read_samples(tmp_path / "x.npz", ["a", "c"])
    np.save(tmp_path / "x.npy", ONE)
    with pytest.raises(FlowError, match=r"inputs a, b: use an \.npz file"):
        read_samples(tmp_path / "x.npy", ["a", "b"])


def test_inputs_of_different_lengths(tmp_path):
    np.savez(tmp_path / "x.npz", a=ONE, b=TWO[:1])
    with pytest.raises(FlowError, match="different numbers of samples"):
        read_samples(tmp_path / "x.npz", ["a", "b"])
