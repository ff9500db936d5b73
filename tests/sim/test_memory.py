"""Feature maps in external memory."""

import numpy as np
import pytest

from shiftloom.isa.layout import folded_pitch_words, pack_blocked, pack_folded
from shiftloom.isa.program import Place
from shiftloom.sim.memory import make_regions, read_tensor, write_tensor
from tests.sim.cases import NARROW, TINY, as_program


def place(shape, layout="blocked", *, config=TINY, signed=True, offset=64, more=0):
    """Return a place whose rows are ``more`` words longer than they must be."""
    channels, _, width = shape
    needed = width if layout == "blocked" else folded_pitch_words(channels, width, config)
    fields = {"region": 1, "offset": offset, "shape": shape, "layout": layout, "signed": signed}
    return Place(tensor="t", row_words=needed + more, **fields)


def codes_of(where, seed=0):
    low = -128 if where.signed else 0
    return np.random.default_rng(seed).integers(low, low + 256, where.shape).astype(np.int16)


def regions_of(config, size=4096):
    return make_regions(as_program(config, [], region_bytes=(64, size, 0, 32)))


def test_constants_fill_the_start_of_region_zero():
    regions = make_regions(as_program(TINY, [], b"abc", region_bytes=(5, 1, 0, 2)))
    assert [len(region) for region in regions] == [5, 1, 0, 2]
    assert regions[0].tobytes() == b"abc\0\0"
    regions[0][0] = 7  # writable


@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
@pytest.mark.parametrize("layout", ["blocked", "folded"])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (11, 2, 3)])
@pytest.mark.parametrize("more", [0, 3])
def test_what_was_written_is_read(config, layout, signed, shape, more):
    where = place(shape, layout, config=config, signed=signed, more=more)
    regions = regions_of(config)
    codes = codes_of(where)
    write_tensor(regions, where, codes, config)
    found = read_tensor(regions, where, config)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, codes)


@pytest.mark.parametrize(("layout", "pack"), [("blocked", pack_blocked), ("folded", pack_folded)])
def test_bytes_are_those_of_the_layout(layout, pack):
    where, regions = place((3, 5, 7), layout, config=NARROW), regions_of(NARROW)
    write_tensor(regions, where, codes_of(where), NARROW)
    data = pack(codes_of(where).astype(np.int64), NARROW).tobytes()
    assert regions[1].tobytes() == bytes(64) + data + bytes(4096 - 64 - len(data))


@pytest.mark.parametrize("layout", ["blocked", "folded"])
def test_bytes_between_rows_stay(layout):
    where, tight = place((3, 5, 7), layout, more=2), place((3, 5, 7), layout)
    regions, packed = regions_of(TINY), regions_of(TINY)
    regions[1][:] = 0xEE
    write_tensor(regions, where, codes_of(where), TINY)
    write_tensor(packed, tight, codes_of(where), TINY)
    size, wide = tight.row_words * TINY.word_bytes, where.row_words * TINY.word_bytes
    for row in range(5):
        start, packed_start = 64 + row * wide, 64 + row * size
        expected = packed[1][packed_start : packed_start + size].tobytes()
        assert regions[1][start : start + wide].tobytes() == expected + b"\xee" * (wide - size)
    assert (regions[1][:64] == 0xEE).all()
    assert (regions[1][64 + 5 * wide :] == 0xEE).all()


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"t has shape \(3, 5, 7\), not \(3, 7, 5\)"):
        write_tensor(regions_of(TINY), place((3, 5, 7)), np.zeros((3, 7, 5), np.int16), TINY)


@pytest.mark.parametrize(("signed", "code"), [(True, 128), (True, -129), (False, 256), (False, -1)])
def test_codes_that_are_no_byte_are_refused(signed, code):
    codes = np.full((1, 1, 1), code, np.int16)
    with pytest.raises(ValueError, match=f"not {code}…{code}"):
        write_tensor(regions_of(TINY), place((1, 1, 1), signed=signed), codes, TINY)


@pytest.mark.parametrize("layout", ["blocked", "folded"])
def test_a_place_outside_its_region_is_refused(layout):
    where = place((4, 3, 4), layout)
    read_tensor(regions_of(TINY, 64 + 48), where, TINY)
    with pytest.raises(ValueError, match="ends at byte 112 of region 1, which has 111 bytes"):
        read_tensor(regions_of(TINY, 64 + 47), where, TINY)


def test_unrolled_inputs_hold_kernel_rows_side_by_side():
    config = TINY
    codes = np.arange(1, 19).reshape(2, 3, 3)
    unrolled = Place(
        tensor="x",
        region=0,
        offset=0,
        shape=(2, 3, 3),
        layout="folded",
        signed=False,
        row_words=3,
        unroll=(2, 1, 1, 1),
        rows=3,
    )
    regions = [np.zeros(3 * 3 * config.word_bytes, np.uint8)]
    write_tensor(regions, unrolled, codes, config)
    rows = regions[0].reshape(3, 12)
    assert rows[0].tolist() == [0, 0, 1, 10, 0, 0, 2, 11, 0, 0, 3, 12]  # the row above is padding
    assert rows[2].tolist() == [4, 13, 7, 16, 5, 14, 8, 17, 6, 15, 9, 18]
    with pytest.raises(ValueError, match="unrolled"):
        read_tensor(regions, unrolled, config)
