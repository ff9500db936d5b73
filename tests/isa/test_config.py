"""Configurations: what they derive, and what they refuse."""

from dataclasses import fields, replace

import pytest

from shiftloom.isa.config import Config, ConfigError, load_config, named_configs, parse_config

TINY = load_config("tiny")


@pytest.mark.parametrize("name", named_configs())
def test_named_configuration_survives_its_text(name):
    config = load_config(name)
    assert config.name == name
    assert parse_config(config.to_toml(), "text") == config


def test_configuration_is_read_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(replace(TINY, name="mine").to_toml())
    assert load_config(path) == load_config(str(path)) == replace(TINY, name="mine")
    assert load_config(TINY) is TINY


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("tiny", {"word_bytes": 4, "align_bytes": 32, "row_groups": 1, "macs_per_cycle": 16}),
        ("odd", {"word_bytes": 16, "align_bytes": 32, "row_groups": 2, "macs_per_cycle": 60}),
        ("odd", {"activation_words": 8192, "weight_words": 4096, "parameter_word_bytes": 128}),
        ("odd", {"parameter_words": 128, "memory_bits": 8 * 212992 + 2 * 96 * 10 * 32}),
        ("base", {"word_bytes": 16, "align_bytes": 32, "activation_words": 16384}),
    ],
)
def test_derived_values(name, derived):
    config = load_config(name)
    assert {key: getattr(config, key) for key in derived} == derived


def test_wide_words_and_buses_set_the_alignment():
    wide = replace(TINY, bus_bytes=64, burst_beats=16)
    assert wide.align_bytes == 64
    assert replace(TINY, columns=33, weight_bytes=1 << 16).word_bytes == 64


def test_id_names_the_hardware_and_not_its_name():
    assert replace(TINY, name="other").id == TINY.id
    changes = {"rows": 3, "columns": 5, "vector_taps": 2, "activation_banks": 4, "burst_beats": 8}
    sizes = {f.name: 2 * getattr(TINY, f.name) for f in fields(Config) if "bytes" in f.name}
    changes |= sizes | {"accumulator_pixels": 128, "threshold_bits": 2, "pipeline": 1}
    assert changes.keys() == {f.name for f in fields(Config)} - {"name", "bit_lanes", "serial"}
    ids = {replace(TINY, **{key: value}).id for key, value in changes.items()}
    square = replace(TINY, rows=8, columns=8)
    ids |= {TINY.id, square.id, replace(square, bit_lanes=64).id}
    assert len(ids) == len(changes) + 3
    assert all(0 <= n < 1 << 32 for n in ids)


def test_id_is_the_same_in_every_release():
    """Programs carry it: a change here makes every compiled program useless."""
    assert load_config("base").id == 0x9506ABED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "no name"}, "name must be an identifier, not 'no name'"),
        ({"rows": 1}, "rows must be 2…64, not 1"),
        ({"rows": 65, "columns": 65}, "rows must be 2…64, not 65"),
        ({"columns": 3}, r"columns must be rows \(4\)…64, not 3"),
        ({"columns": 65}, "columns must be rows"),
        ({"bus_bytes": 12}, "bus_bytes must be 4, 8, 16, 32 or 64, not 12"),
        ({"vector_taps": 0}, "vector_taps must be 1…4, not 0"),
        ({"vector_taps": 5}, "vector_taps must be 1…4, not 5"),
        ({"activation_banks": 3}, "activation_banks must be 2, 4 or 8, not 3"),
        ({"burst_beats": 12}, "burst_beats must be a power of two ≤ 256, not 12"),
        ({"burst_beats": 0}, "burst_beats must be a power of two"),
        ({"burst_beats": 512}, "burst_beats must be a power of two ≤ 256, not 512"),
        ({"bus_bytes": 64, "burst_beats": 128}, r"within 4096 bytes \(it is 8192\), not 128"),
        ({"accumulator_pixels": 7}, "accumulator_pixels must be 8…4096, not 7"),
        ({"accumulator_pixels": 4097}, "accumulator_pixels must be 8…4096, not 4097"),
        ({"activation_bytes": 12}, "activation_bytes must be a positive multiple of 8, not 12"),
        ({"activation_bytes": 0}, "activation_bytes must be a positive multiple"),
        ({"activation_bytes": 1 << 25}, "activation_bytes must be at most 16 MiB"),
        ({"weight_bytes": 30}, "weight_bytes must be a positive multiple of 4, not 30"),
        ({"weight_bytes": 28}, "weight_bytes must hold two weight tiles, not 28"),
        ({"parameter_bytes": 33}, "parameter_bytes must be a positive multiple of 32, not 33"),
        ({"parameter_bytes": 96}, "parameter_bytes must hold four parameter words, not 96"),
    ],
)
def test_impossible_values_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(TINY, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = ", "here: not a TOML file"),
        ("rowz = 4", "here: unknown field rowz; did you mean rows"),
        ("weather = 4", "here: unknown field weather; known: name, rows, columns"),
        ('rows = "4"', "here: rows must be of type int, not '4'"),
        ("rows = true", "here: rows must be of type int, not True"),
        ("rows = 4.0", "here: rows must be of type int, not 4.0"),
        ("name = 4", "here: name must be of type str, not 4"),
        ("rows = 4", "here: missing .*'name'"),
        (TINY.to_toml().replace("rows = 4", "rows = 1"), "here: rows must be 2…64, not 1"),
    ],
)
def test_wrong_texts_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(text, "here")


@pytest.mark.parametrize("source", ["huge", "missing.toml", "../configs/tiny/x"])
def test_missing_configurations_are_refused(source):
    with pytest.raises(ConfigError, match=r"no configuration .*: use .*base, base_bits, bits, "):
        load_config(source)


def test_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no configuration"):
        load_config(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bit_lanes": 32}, "be 0 or 64, not 32"),
        ({"bit_lanes": 32, "rows": 4, "columns": 4}, "at least 6 beside a bit array, not 4"),
        ({"bit_lanes": 64, "rows": 7, "weight_bytes": 8 * 15}, "hold two weight tiles, not 120"),
        ({"bit_lanes": 128, "columns": 12}, "power of two beside a bit array, not 12"),
    ],
)
def test_what_a_bit_array_needs(changes, message):
    square = replace(TINY, rows=8, columns=8)
    assert replace(square, bit_lanes=64).bit_operations_per_cycle == 512
    with pytest.raises(ConfigError, match=message):
        replace(square, **changes)
