"""How tensors, weights and parameters lie in memory: the same bytes inside and outside.

*Blocked* feature maps: channels in blocks of ``columns``; word ``(block, y, x)`` holds the block's
channels at one pixel, one byte each, zeros above. *Folded* feature maps (few channels): a row is
the bytes of its pixels one after the other, padded to whole words, so that one read takes several
kernel columns. Weights are tiles of ``rows`` words, in the order the array consumes them.
"""

import numpy as np
from numpy.typing import NDArray

from .config import PARAMETER_LANE_BYTES, Config
from .thresholds import NEVER

__all__ = [
    "blocked_words",
    "folded_pitch_words",
    "pack_bit_weights",
    "pack_blocked",
    "pack_folded",
    "pack_parameters",
    "pack_planes",
    "pack_taps",
    "pack_thresholds",
    "pack_weights",
    "pack_weights_folded",
    "unpack_blocked",
]

Codes = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def blocked_words(shape: tuple[int, int, int], config: Config) -> int:
    """Return the words of a blocked feature map of shape ``(channels, height, width)``."""
    channels, height, width = shape
    return -(-channels // config.columns) * height * width


def pack_blocked(codes: Codes, config: Config) -> Bytes:
    """Return a feature map ``(C, H, W)`` as bytes ``(words, word_bytes)``."""
    channels, height, width = codes.shape
    blocks = -(-channels // config.columns)
    padded = np.zeros((blocks * config.columns, height, width), np.uint8)
    padded[:channels] = codes.astype(np.uint8)
    pixels = padded.reshape(blocks, config.columns, height * width).transpose(0, 2, 1)
    words = np.zeros((blocks, height * width, config.word_bytes), np.uint8)
    words[:, :, : config.columns] = pixels
    return words.reshape(-1, config.word_bytes)


def unpack_blocked(
    words: Bytes, shape: tuple[int, int, int], config: Config, *, signed: bool
) -> Codes:
    """Return the feature map ``(C, H, W)`` that blocked words hold."""
    channels, height, width = shape
    pixels = words.reshape(-1, height * width, config.word_bytes)[:, :, : config.columns]
    codes = pixels.transpose(0, 2, 1).reshape(-1, height, width)[:channels]
    typed = codes.view(np.int8) if signed else codes
    return typed.astype(np.int64)


def folded_pitch_words(channels: int, width: int, config: Config) -> int:
    """Return the words of one row of a folded feature map."""
    return -(-channels * width // config.word_bytes)


def pack_folded(codes: Codes, config: Config) -> Bytes:
    """Return a feature map ``(C, H, W)`` as folded bytes ``(words, word_bytes)``."""
    channels, height, width = codes.shape
    pitch = folded_pitch_words(channels, width, config) * config.word_bytes
    rows = np.zeros((height, pitch), np.uint8)
    rows[:, : channels * width] = codes.astype(np.uint8).transpose(1, 2, 0).reshape(height, -1)
    return rows.reshape(-1, config.word_bytes)


def _tiles(steps: Bytes, config: Config) -> Bytes:
    """Return weights ``(out_channels, tiles, rows)`` as ``(blocks, tiles * rows, bytes)``."""
    outputs, tiles, rows = steps.shape
    blocks = -(-outputs // config.columns)
    padded = np.zeros((blocks * config.columns, tiles * rows), np.uint8)
    padded[:outputs] = steps.reshape(outputs, -1)
    words = np.zeros((blocks, tiles * rows, config.word_bytes), np.uint8)
    lanes = padded.reshape(blocks, config.columns, tiles * rows)
    words[:, :, : config.columns] = lanes.transpose(0, 2, 1)
    return words


def pack_weights(weight: NDArray[np.integer], config: Config) -> Bytes:
    """Return weights ``(O, I, kh, kw)`` for a blocked input.

    The result is ``(output blocks, words, word_bytes)``; words run over input block, row group,
    kernel row, kernel column and array row, the loops of a MAC instruction.
    """
    outputs, inputs, height, width = weight.shape
    columns, rows, groups = config.columns, config.rows, config.row_groups
    blocks = -(-inputs // columns)
    padded = np.zeros((outputs, blocks, columns, height, width), np.uint8)
    padded.reshape(outputs, -1, height, width)[:, :inputs] = weight.astype(np.uint8)
    grouped = np.zeros((outputs, blocks, groups * rows, height, width), np.uint8)
    grouped[:, :, :columns] = padded
    steps = grouped.reshape(outputs, blocks, groups, rows, height, width).transpose(
        0, 1, 2, 4, 5, 3
    )
    return _tiles(steps.reshape(outputs, -1, rows), config)


def pack_weights_folded(weight: NDArray[np.integer], config: Config) -> Bytes:
    """Return weights ``(O, I, kh, kw)`` for a folded input.

    Words run over chunk of ``rows`` bytes within a kernel row, kernel row and array row.
    """
    outputs, inputs, height, width = weight.shape
    chunks = -(-inputs * width // config.rows)
    segments = np.zeros((outputs, height, chunks * config.rows), np.uint8)
    lying = weight.astype(np.uint8).transpose(0, 2, 3, 1)
    segments[:, :, : inputs * width] = lying.reshape(outputs, height, -1)
    steps = segments.reshape(outputs, height, chunks, config.rows).transpose(0, 2, 1, 3)
    return _tiles(steps.reshape(outputs, -1, config.rows), config)


def pack_parameters(bias: Codes, shift: Codes, mid_bias: Codes, config: Config) -> Bytes:
    """Return one parameter word per block of ``columns`` channels: ``(words, bytes)``.

    A lane's eight bytes: bias (int32), shift (uint8), zero, second bias (int16).
    """
    words = -(-len(bias) // config.columns)
    lanes = np.zeros((words, config.word_bytes, PARAMETER_LANE_BYTES), np.uint8)
    entries = np.zeros((words * config.columns, PARAMETER_LANE_BYTES), np.uint8)
    entries[: len(bias), 0:4] = bias.astype("<i4").reshape(-1, 1).view(np.uint8)
    entries[: len(bias), 4] = shift.astype(np.uint8)
    entries[: len(bias), 6:8] = mid_bias.astype("<i2").reshape(-1, 1).view(np.uint8)
    lanes[:, : config.columns] = entries.reshape(words, config.columns, -1)
    return lanes.reshape(words, -1)


def pack_taps(taps: Codes, config: Config) -> Bytes:
    """Return tap words for taps ``(channels, steps, vector_taps)``: ``(blocks, steps, bytes)``.

    A tap is an int16 of which the machine reads 9 bits; the last tap meets the newest column.
    """
    channels, steps, count = taps.shape
    blocks = -(-channels // config.columns)
    lanes = np.zeros((blocks * config.columns, steps, 4), "<i2")
    lanes[:channels, :, :count] = taps
    words = np.zeros((blocks, steps, config.word_bytes, 4), "<i2")
    lanes = lanes.reshape(blocks, config.columns, steps, 4)
    words[:, :, : config.columns] = lanes.transpose(0, 2, 1, 3)
    return words.reshape(blocks, steps, -1).view(np.uint8)


def pack_thresholds(values: NDArray[np.int32], bits: int, config: Config) -> Bytes:
    """Return threshold words for ``(channels, count)`` sorted values: ``(blocks, words, bytes)``.

    A lane's eight bytes hold two int32; a block has ``2**(bits - 1)`` words, of which the last
    half is unused. Missing thresholds, and the lanes above the last channel, are never reached.
    """
    channels, count = values.shape
    blocks, most = -(-channels // config.columns), 1 << bits
    lanes = np.full((blocks * config.columns, most), NEVER, "<i4")
    lanes[:channels, :count] = values
    words = np.zeros((blocks, most // 2, config.word_bytes, 2), "<i4")
    pairs = lanes.reshape(blocks, config.columns, most // 2, 2)
    words[:, :, : config.columns] = pairs.transpose(0, 2, 1, 3)
    return words.reshape(blocks, most // 2, -1).view(np.uint8)


def pack_planes(planes: NDArray[np.uint8], config: Config) -> Bytes:
    """Return bits ``(planes, C, H, W)`` as words ``(planes, blocks * H * W, word_bytes)``.

    A block has ``8 * word_bytes`` channels; word ``(block, y, x)`` holds their bits at one pixel,
    lowest first, zeros above.
    """
    count, channels, height, width = planes.shape
    lanes = 8 * config.word_bytes
    blocks = -(-channels // lanes)
    padded = np.zeros((count, blocks * lanes, height * width), np.uint8)
    padded[:, :channels] = planes.reshape(count, channels, -1)
    pixels = padded.reshape(count, blocks, lanes, height * width).transpose(0, 1, 3, 2)
    return np.packbits(pixels, axis=-1, bitorder="little").reshape(count, -1, config.word_bytes)


def pack_bit_weights(bits: NDArray[np.uint8], config: Config) -> Bytes:
    """Return one plane of weights ``(O, I, kh, kw)`` as ``(output blocks, words, word_bytes)``.

    Words run over input block, kernel row, kernel column and column of the array; lanes and
    columns above the last channel are 0.
    """
    outputs, inputs, height, width = bits.shape
    lanes, columns = 8 * config.word_bytes, config.columns
    blocks, inner = -(-outputs // columns), -(-inputs // lanes)
    padded = np.zeros((blocks * columns, inner * lanes, height, width), np.uint8)
    padded[:outputs, :inputs] = bits
    tiles = padded.reshape(blocks, columns, inner, lanes, height, width)
    words = tiles.transpose(0, 2, 4, 5, 1, 3)  # the lanes of a word last
    packed = np.packbits(words, axis=-1, bitorder="little")
    return packed.reshape(blocks, -1, config.word_bytes)
