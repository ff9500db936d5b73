"""Trainings on disk: tensors as safetensors, the rest as JSON; nothing is unpickled.

``state.json`` names the file of tensors that belongs to it and that file's digest, and is replaced
last, so that a training that is cut off at any moment leaves a whole checkpoint: this one, or the
one before.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..float_graph import Conv, FloatGraph

if TYPE_CHECKING:
    from .fitting import Training
    from .network import Network

__all__ = ["CheckpointError", "graph_digest", "load_checkpoint", "load_network", "save_checkpoint"]

STATE = "state.json"

#: Of the files' format.
VERSION = 1

#: Largest file of tensors that is read, in bytes.
MAX_BYTES = 1 << 32


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why, and what would be right."""


def graph_digest(graph: FloatGraph) -> str:
    """Return a digest of a float network's layers and weights."""
    digest = hashlib.sha256()
    for node in graph.nodes:
        digest.update(repr((type(node).__name__, node.name, node.inputs, node.output)).encode())
        if isinstance(node, Conv):
            digest.update(node.weight.tobytes() + node.bias.tobytes())
    return digest.hexdigest()


def save_checkpoint(folder: Path, training: "Training") -> None:
    """Write a training after an epoch; files appear whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    data = save(_tensors(training))
    name = f"epoch-{training.epoch:04}.safetensors"
    _write(folder / name, data)
    state = {
        **_identity(training.network),
        "recipe": asdict(training.recipe),
        "samples": training.samples,
        "epoch": training.epoch,
        "losses": training.losses,
        "steps": training.freezer.steps,
        "frozen": [i for i, t in enumerate(training.freezer.thresholds) if not t.requires_grad],
        "tensors": name,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    _write(folder / STATE, json.dumps(state, indent=1).encode())
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(folder: Path, training: "Training") -> bool:
    """Set a training to what a folder holds; return whether it holds anything.

    Raises
    ------
    CheckpointError
        The files are damaged, or are of another network, method or recipe.
    """
    if not (folder / STATE).exists():
        return False
    state = _state(folder)
    _same(folder, state, _identity(training.network))
    wanted = json.loads(
        json.dumps({"recipe": asdict(training.recipe), "samples": training.samples})
    )
    _same(folder, state, wanted)
    tensors = _read(folder, state)
    training.network.load_state_dict(_part(tensors, "network."))
    for name in ("weights", "quantizers"):
        _load_optimizer(getattr(training, name), _part(tensors, f"{name}."))
    training.freezer.load(_part(tensors, "freezer."), int(state["steps"]), state["frozen"])
    training.epoch, training.losses = int(state["epoch"]), [float(v) for v in state["losses"]]
    return True


def load_network(folder: Path, network: "Network") -> None:
    """Set a network to what a folder holds, whatever recipe it was trained by.

    Raises
    ------
    CheckpointError
        There is no checkpoint, it is damaged, or it is of another network or method.
    """
    if not (folder / STATE).exists():
        raise CheckpointError(f"{folder}: no {STATE}; a folder that training wrote is needed")
    state = _state(folder)
    _same(folder, state, _identity(network))
    network.load_state_dict(_part(_read(folder, state), "network."))
    network.eval()


def _identity(network: "Network") -> dict[str, Any]:
    return {
        "version": VERSION,
        "graph": graph_digest(network.graph),
        "precision": asdict(network.precision),
        "parts": asdict(network.parts),
    }


def _tensors(training: "Training") -> dict[str, Tensor]:
    found = {f"network.{k}": v for k, v in training.network.state_dict().items()}
    for name in ("weights", "quantizers"):
        for index, entry in getattr(training, name).state_dict()["state"].items():
            for key, value in entry.items():
                found[f"{name}.{index}.{key}"] = torch.as_tensor(value)
    found |= {f"freezer.{k}": v for k, v in training.freezer.tensors().items()}
    return {name: tensor.detach().contiguous().clone() for name, tensor in found.items()}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".")
        entries.setdefault(int(index), {})[key] = tensor
    state = optimizer.state_dict()
    optimizer.load_state_dict({**state, "state": entries})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{folder / STATE}: damaged: {error}") from None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise CheckpointError(f"{folder / STATE}: must have version {VERSION}")
    return state


def _same(folder: Path, state: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if state.get(name) != value:
            raise CheckpointError(
                f"{folder}: its {name} is {state.get(name)}, not {value}; "
                "choose another folder, or the options that it was begun with"
            )


def _read(folder: Path, state: dict[str, Any]) -> dict[str, Tensor]:
    path = folder / Path(str(state.get("tensors"))).name
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path}: missing, or larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != state.get("sha256"):
        raise CheckpointError(f"{path}: damaged: it is not the file that {STATE} was written for")
    try:
        return load(data)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from None


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
