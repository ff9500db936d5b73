"""The program file: there and back, and nothing but a clear error for anything else."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode, encode
from shiftloom.isa.program import (
    HostStep,
    Layer,
    Place,
    Program,
    ProgramError,
    Segment,
    load_program,
    parse_program,
)

TINY = load_config("tiny")
INSTRUCTIONS = (
    Instruction(Opcode.CONFIG, {"config_id": TINY.id}),
    Instruction(Opcode.LOAD, {"words": 8, "runs": 1, "region": 1}),
    Instruction(Opcode.VECTOR, {"rows": 2, "wait_load": 1}),
    Instruction(Opcode.STORE, {"words": 8, "runs": 1, "region": 2, "wait_vector": 1}),
    Instruction(Opcode.END, {}),
)


def place(tensor, region, **changes):
    fields = {"offset": 32, "shape": (3, 4, 5), "layout": "blocked", "signed": True}
    return Place(tensor=tensor, region=region, **{**fields, "row_words": 6, **changes})


PROGRAM = Program(
    name="small",
    config=TINY,
    code=b"".join(map(encode, INSTRUCTIONS)),
    constants=bytes(range(64)),
    region_bytes=(64, 4096, 4096, 0),
    places=(place("x", 1), place("y", 2, layout="folded", signed=False)),
    inputs=("x",),
    outputs=("y", "z"),
    steps=(
        Segment(first=0, count=5, inputs=("x",), outputs=("y",)),
        HostStep(node="softmax"),
    ),
    layers=(Layer(name="conv", operator="conv 3x3/2", engine="array", output="y", macs=99),),
    layer_of=np.array([-1, 0, 0, 0, -1], np.int32),
    tensors=("y",),
    tiles=np.array([[2, 0, 0, 1, 0, 0, 0]], np.int32),
    graph=b"{}",
)
DATA = PROGRAM.to_bytes()
HEADER = 8 + int.from_bytes(DATA[:8], "little")


def parts():
    """Return manifest and arrays of the program's file."""
    manifest = json.loads(json.loads(DATA[8:HEADER])["__metadata__"]["manifest"])
    return manifest, load(DATA)


def put_together(manifest, arrays):
    return save(arrays, {"manifest": json.dumps(manifest)})


def test_there_and_back(tmp_path):
    path = tmp_path / "folder" / "small.slp"
    PROGRAM.save(path)
    program = load_program(str(path))
    assert program.to_bytes() == path.read_bytes() == DATA
    assert program.config == TINY
    assert program.instructions == tuple(
        replace(i, fields={f: i[f] for f in j.fields})
        for i, j in zip(INSTRUCTIONS, program.instructions, strict=True)
    )
    for name in ("places", "steps", "layers", "inputs", "outputs", "region_bytes", "graph"):
        assert getattr(program, name) == getattr(PROGRAM, name)
    assert np.array_equal(program.tiles, PROGRAM.tiles)
    assert np.array_equal(program.layer_of, PROGRAM.layer_of)
    assert list(path.parent.iterdir()) == [path]


def test_places_and_segments_by_name():
    assert PROGRAM.place("y").region == 2
    assert PROGRAM.segments == PROGRAM.steps[:1]
    with pytest.raises(KeyError, match="z"):
        PROGRAM.place("z")


def test_bytes_do_not_depend_on_the_process(tmp_path):
    PROGRAM.save(tmp_path / "p")
    script = "import sys; from shiftloom.isa.program import load_program as load\n"
    script += "sys.stdout.buffer.write(load(sys.argv[1]).to_bytes())"
    command = [sys.executable, "-c", script, tmp_path / "p"]
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        copy = subprocess.run(command, capture_output=True, check=True, env=environment)
        assert copy.stdout == DATA


def test_arrays_need_not_be_contiguous():
    wide = np.zeros((1, 14), np.int32)
    wide[:, ::2] = PROGRAM.tiles
    assert replace(PROGRAM, tiles=wide[:, ::2]).to_bytes() == DATA


def test_failed_save_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        PROGRAM.save(tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("length", [*range(0, len(DATA), 7), len(DATA) - 1])
def test_truncated_file_is_refused(length):
    with pytest.raises(ProgramError, match="not a Shiftloom program, or truncated"):
        parse_program(DATA[:length])


@settings(max_examples=300)
@given(st.integers(0, 8 * len(DATA) - 1))
def test_flipped_bit_is_refused_or_harmless(bit):
    damaged = bytearray(DATA)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        program = parse_program(bytes(damaged))
    except ProgramError as error:
        assert str(error)
    else:
        program.to_bytes()


@given(st.binary(max_size=200))
def test_noise_is_refused(data):
    with pytest.raises(ProgramError):
        parse_program(data)


WRONG = st.sampled_from([None, True, -1, 1 << 80, 0.5, float("inf"), "", "x", [], ["x"], {}, [[]]])


def spots(value, path=()):
    """Yield the path to every value within a JSON value."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, item in value.items() if isinstance(value, dict) else ():
        yield from spots(item, (*path, key))


@settings(max_examples=300)
@given(st.sampled_from(list(spots(parts()[0]))[1:]), WRONG)
def test_any_wrong_value_is_refused_or_harmless(path, value):
    manifest, arrays = parts()
    target = manifest
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    try:
        program = parse_program(put_together(manifest, arrays))
    except ProgramError as error:
        assert len(str(error)) < 400
    else:
        program.to_bytes()


@pytest.mark.parametrize("name", list(parts()[0]))
def test_missing_entry_is_refused(name):
    manifest, arrays = parts()
    del manifest[name]
    with pytest.raises(ProgramError, match=name if name != "format" else "of format"):
        parse_program(put_together(manifest, arrays))


@pytest.mark.parametrize("name", sorted(parts()[1]))
def test_missing_or_mistyped_array_is_refused(name):
    manifest, arrays = parts()
    for wrong in (arrays[name].astype(np.int64), arrays[name].reshape(1, -1, 1)):
        with pytest.raises(ProgramError, match=f"{name} is"):
            parse_program(put_together(manifest, {**arrays, name: wrong}))
    del arrays[name]
    with pytest.raises(ProgramError, match=f"no array {name}"):
        parse_program(put_together(manifest, arrays))


def test_other_files_are_refused():
    manifest, arrays = parts()
    for wrong in ("shiftloom-program-2", None, 1):
        with pytest.raises(ProgramError, match="not a Shiftloom program of format"):
            parse_program(put_together({**manifest, "format": wrong}, arrays))
    for metadata in (None, {"other": "text"}, {"manifest": "{"}, {"manifest": "[" * 100_000}):
        with pytest.raises(ProgramError, match="not a Shiftloom program, or truncated"):
            parse_program(save(arrays, metadata))
    with pytest.raises(ProgramError, match="not a Shiftloom program"):
        parse_program(save(arrays, {"manifest": "[]"}))


def test_configuration_must_have_the_id_it_had():
    manifest, arrays = parts()
    with pytest.raises(ProgramError, match=r"configuration tiny has id .* compile it again"):
        parse_program(put_together({**manifest, "config_id": TINY.id ^ 1}, arrays))
    changed = manifest["config"].replace("rows = 4", "rows = 1")
    with pytest.raises(ProgramError, match="rows must be 2…64, not 1"):
        parse_program(put_together({**manifest, "config": changed}, arrays))


def tiles(**columns):
    names = ("instruction", "tensor", "block", "y", "x", "transposed", "plane")
    row = dict(zip(names, PROGRAM.tiles[0], strict=True)) | columns
    return {"tiles": np.array([list(row.values())], np.int32)}


def segment(**changes):
    return {"steps": (replace(PROGRAM.steps[0], **changes),)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": PROGRAM.code[:-1]}, "code has 159 bytes, not a multiple of 32"),
        ({"region_bytes": (64, -1, 4096, 0)}, "region sizes"),
        ({"region_bytes": (64, 1 << 32, 4096, 0)}, "region sizes"),
        ({"constants": bytes(65)}, "constants are larger than their region"),
        ({"layer_of": PROGRAM.layer_of[1:]}, "one entry per instruction"),
        ({"layer_of": PROGRAM.layer_of + 1}, "refers to a missing layer"),
        ({"layer_of": PROGRAM.layer_of - 1}, "refers to a missing layer"),
        ({"tiles": PROGRAM.tiles[:, 1:]}, r"tiles of \(1, 6\)"),
        (tiles(block=-1), "a negative number"),
        (tiles(tensor=1), "a tile without tensor"),
        (tiles(instruction=1), "a tile refers to no VECTOR instruction"),
        (tiles(instruction=5), "a tile refers to no VECTOR instruction"),
        ({"inputs": ("w",)}, "w has no place in memory"),
        (segment(inputs=("w",)), "w has no place in memory"),
        (segment(outputs=("w",)), "w has no place in memory"),
        (segment(first=-1), "segment -1"),
        (segment(count=1), "segment 0.1 of 5 instructions"),
        (segment(count=6), "segment 0.6 of 5 instructions"),
        (segment(first=4, count=2), "segment 4.2 of 5 instructions"),
        ({"places": (place("x", 4),)}, "x in region 4"),
        ({"places": (place("x", -1),)}, "x in region -1"),
        ({"places": (place("x", 1, layout="odd"),)}, "layout odd"),
        ({"places": (place("x", 1, shape=(3, 0, 5)),)}, "shape"),
        ({"places": (place("x", 1, row_words=4),)}, "rows of 4 words"),
        ({"places": (place("x", 1, row_words=1 << 20),)}, "rows of 1048576 words"),
        ({"places": (place("x", 1, row_words=3, layout="folded"),)}, "rows of 3 words"),
        ({"places": (place("x", 1, offset=-32),)}, "x in region 1 ends at byte 64 of 4096"),
        ({"places": (place("x", 1, offset=4032),)}, "x in region 1 ends at byte 4128 of 4096"),
        ({"places": (place("x", 0, shape=(5, 4, 5)),)}, "x in region 0 ends at byte 224 of 64"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ProgramError, match=f"damaged: .*{message}"):
        parse_program(replace(PROGRAM, **changes).to_bytes())


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("hello")
    for name, message in {"text": "not a Shiftloom", "none": "no such file", "": "no such"}.items():
        with pytest.raises(ProgramError, match=message) as caught:
            load_program(tmp_path / name)
        assert str(caught.value).count(str(tmp_path)) == 1
