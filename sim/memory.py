"""External memory of a program: four regions of bytes, and feature maps in them."""

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.layout import (
    blocked_words,
    folded_pitch_words,
    pack_blocked,
    pack_folded,
    unpack_blocked,
)
from ..isa.program import Place, Program

__all__ = ["Regions", "make_regions", "read_tensor", "write_tensor"]

#: Constants, inputs, outputs, workspace.
Regions = list[NDArray[np.uint8]]


def make_regions(program: Program) -> Regions:
    """Return a program's four regions: constants filled in, the rest zero.

    Returns
    -------
    list of uint8 array
        Flat, of ``program.region_bytes`` bytes, writable.
    """
    regions = [np.zeros(size, np.uint8) for size in program.region_bytes]
    regions[0][: len(program.constants)] = np.frombuffer(program.constants, np.uint8)
    return regions


def write_tensor(
    regions: Regions, place: Place, codes: NDArray[np.integer], config: Config
) -> None:
    """Put a feature map where a program expects it.

    Parameters
    ----------
    regions : list of uint8 array
        Changed in place.
    place : Place
        Where, and in which layout.
    codes : integer array
        ``place.shape``, that is ``(channels, height, width)``; -128…127 if ``place.signed``,
        else 0…255.
    config : Config
        The accelerator.

    Raises
    ------
    ValueError
        Another shape, a code that is no byte, or a place outside its region.
    """
    if codes.shape != place.shape:
        raise ValueError(f"{place.tensor} has shape {place.shape}, not {codes.shape}")
    low, high = (-128, 127) if place.signed else (0, 255)
    if codes.min() < low or codes.max() > high:
        found = f"{codes.min()}…{codes.max()}"
        raise ValueError(f"{place.tensor} takes codes {low}…{high}, not {found}")
    pack = pack_blocked if place.layout == "blocked" else pack_folded
    rows = _rows(regions, place, config)
    stored = _unrolled(codes, place) if place.unroll else codes.astype(np.int64)
    rows[:] = pack(stored, config).reshape(rows.shape)


def read_tensor(regions: Regions, place: Place, config: Config) -> NDArray[np.int16]:
    """Return the codes ``(channels, height, width)`` of a feature map in memory.

    Raises
    ------
    ValueError
        A place outside its region, or an unrolled one.
    """
    if place.unroll:
        raise ValueError(f"{place.tensor} is unrolled in memory: it can only be written")
    rows = _rows(regions, place, config)
    if place.layout == "blocked":
        words = rows.reshape(-1, config.word_bytes)
        codes = unpack_blocked(words, place.shape, config, signed=place.signed)
        return codes.astype(np.int16)
    channels, height, width = place.shape
    pixels = rows.reshape(height, -1)[:, : channels * width].reshape(height, width, channels)
    typed = pixels.view(np.int8) if place.signed else pixels
    return typed.transpose(2, 0, 1).astype(np.int16)


def _rows(regions: Regions, place: Place, config: Config) -> NDArray[np.uint8]:
    """Return the words of a feature map ``(blocks, height, words of a row, bytes)``, as a view."""
    channels, height, width = place.shape
    if place.unroll:
        channels, height = channels * place.unroll[0], place.rows
    blocks, words = blocked_words((channels, 1, 1), config), width
    if place.layout == "folded":
        blocks, words = 1, folded_pitch_words(channels, width, config)
    region = regions[place.region]
    end = place.offset + blocks * height * place.row_words * config.word_bytes
    if end > len(region):
        raise ValueError(
            f"{place.tensor} ends at byte {end} of region {place.region}, "
            f"which has {len(region)} bytes"
        )
    shape = (blocks, height, place.row_words, config.word_bytes)
    return region[place.offset : end].reshape(shape)[:, :, :words]


def _unrolled(codes: NDArray[np.integer], place: Place) -> NDArray[np.int64]:
    """Return codes with kernel rows as channels: ``(kernel rows * channels, rows, width)``."""
    kernel, stride, dilation, padding = place.unroll
    channels, height, width = codes.shape
    y = np.arange(place.rows) * stride + np.arange(kernel)[:, None] * dilation - padding
    inside = (y >= 0) & (y < height)
    rows = codes[:, np.clip(y, 0, height - 1)] * inside[None, :, :, None]
    shape = (kernel * channels, place.rows, width)
    result: NDArray[np.int64] = rows.transpose(1, 0, 2, 3).reshape(shape).astype(np.int64)
    return result
