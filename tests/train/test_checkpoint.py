"""A training that is cut off goes on as if it had not been; damaged folders are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shiftloom.quant.importer import import_onnx
from shiftloom.quant.recipe import recipe_for
from shiftloom.quant.transforms import prepare
from tests.quant.builders import Net

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
network = pytest.importorskip("shiftloom.quant.train.network", reason=REASON)
precision = pytest.importorskip("shiftloom.quant.train.precision", reason=REASON)
fitting = pytest.importorskip("shiftloom.quant.train.fitting", reason=REASON)
checkpoint = pytest.importorskip("shiftloom.quant.train.checkpoint", reason=REASON)

METHODS = {"tqt": (4, 8), "qil": (3, 3), "lglsq": (3, 3), "lsbq": (1, 2)}
EPOCHS = 3


def model():
    net = Net(["n", 2, 6, 6])
    x = net.node("Relu", net.conv("x", 4, 2, pads=[1, 1, 1, 1]))
    y = net.conv(net.node("Relu", net.conv(x, 4, 4, pads=[1, 1, 1, 1])), 4, 4, kernel=1)
    x = net.node("Relu", net.node("Add", x, y))
    return net.model(net.conv(x, 5, 4, kernel=6))


IMAGES = np.random.default_rng(1).standard_normal((40, 2, 6, 6)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 5, 40)


def built(method="lsbq"):
    weights, activations = METHODS[method]
    bits = precision.Precision(method=method, weight_bits=weights, activation_bits=activations)
    return network.Network(prepare(import_onnx(model())), {"x": IMAGES[:20]}, bits)


def recipe(method="lsbq", **changes):
    short = recipe_for(method, epochs=EPOCHS, batch=10, seed=7)
    return replace(short, freeze_start=1, **changes)


def parameters(found):
    return {name: value.numpy().tobytes() for name, value in found.state_dict().items()}


class CutOffError(Exception):
    """The machine was switched off."""


def cut(at):
    def progress(done, total, loss):
        if done == at:
            raise CutOffError

    return progress


@pytest.mark.parametrize("method", METHODS)
def test_resumed_training_equals_one_without_interruption(method, tmp_path):
    whole = built(method)
    wanted = fitting.fit(whole, IMAGES, LABELS, recipe(method))
    steps = len(wanted) * 4
    with pytest.raises(CutOffError):  # in the middle of the last epoch but one
        fitting.fit(
            built(method),
            IMAGES,
            LABELS,
            recipe(method),
            cut(steps - 6),
            checkpoint=tmp_path,
        )
    resumed = built(method)
    found = fitting.fit(resumed, IMAGES, LABELS, recipe(method), checkpoint=tmp_path, resume=True)
    assert found == wanted
    assert parameters(resumed) == parameters(whole)


def test_folder_holds_one_state_and_no_pickle(tmp_path):
    fitting.fit(built(), IMAGES, LABELS, recipe(), checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"epoch-{EPOCHS:04}.safetensors",
        "state.json",
    ]
    again = built()
    checkpoint.load_network(tmp_path, again)
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["epoch"] == EPOCHS
    assert len(state["losses"]) == EPOCHS


def test_a_write_that_is_cut_off_leaves_the_epoch_before(tmp_path, monkeypatch):
    training = fitting.Training(built(), recipe(), len(LABELS))
    training.run_epoch({"x": IMAGES}, LABELS)
    checkpoint.save_checkpoint(tmp_path, training)
    training.run_epoch({"x": IMAGES}, LABELS)
    write = checkpoint._write

    def stop(path, data):
        if path.name == "state.json":
            raise CutOffError
        write(path, data)

    monkeypatch.setattr(checkpoint, "_write", stop)
    with pytest.raises(CutOffError):
        checkpoint.save_checkpoint(tmp_path, training)
    resumed = fitting.Training(built(), recipe(), len(LABELS))
    assert checkpoint.load_checkpoint(tmp_path, resumed)
    assert resumed.epoch == 1


def damage_tensors(folder):
    (path,) = folder.glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def damage_state(folder):
    (folder / "state.json").write_text('{"version": 1')


def newer(folder):
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"version": 9}))


def outside(folder):
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"tensors": "../../etc/passwd"}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_tensors, "damaged: it is not the file"),
        (damage_state, r"state.json: damaged"),
        (newer, "must have version 1"),
        (outside, "passwd: missing"),
    ],
)
def test_damaged_folders_are_refused(damage, message, tmp_path):
    fitting.fit(built(), IMAGES, LABELS, replace(recipe(), epochs=1), checkpoint=tmp_path)
    damage(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match=message):
        checkpoint.load_network(tmp_path, built())


def test_another_training_is_refused(tmp_path):
    fitting.fit(built(), IMAGES, LABELS, recipe(), checkpoint=tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="its precision is"):
        checkpoint.load_network(tmp_path, built("qil"))
    with pytest.raises(checkpoint.CheckpointError, match="its recipe is"):
        fitting.fit(
            built(), IMAGES, LABELS, recipe(weight_decay=0.5), checkpoint=tmp_path, resume=True
        )
    with pytest.raises(checkpoint.CheckpointError, match=r"no state\.json"):
        checkpoint.load_network(tmp_path / "other", built())
