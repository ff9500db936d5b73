"""CPU seconds per image of golden execution and onnxruntime: ``python -m benchmarks.golden_speed``.

A process of its own, because the number of BLAS threads is fixed when NumPy is loaded.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shiftloom.quant import golden
from shiftloom.quant.export import load_graph

__all__ = ["compare", "main"]

Array = NDArray[Any]

#: Rounds in which both are timed in turn; the shortest time of each counts.
ROUNDS = 15


def _session(path: str, level: onnxruntime.GraphOptimizationLevel) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(path, options)


def _run(session: onnxruntime.InferenceSession, images: Array) -> Array:
    """Return the first output, in one call where the model takes any batch."""
    source = session.get_inputs()[0]
    step = 1 if source.shape[0] == 1 else len(images)
    parts = np.split(images, range(step, len(images), step))
    return np.concatenate([session.run(None, {source.name: part})[0] for part in parts])


def _shortest(actions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the shortest CPU time of each action; all are run in turn."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, action in actions.items():
            start = time.process_time()
            action()
            times[name].append(time.process_time() - start)
    return {name: min(seconds) for name, seconds in times.items()}


def compare(path: str, images: Array) -> dict[str, Any]:
    """Return CPU seconds per image of both, and on how many images their outputs are equal.

    ``exact`` is onnxruntime without graph optimization: every integer in the quantized network
    must be golden's, so the outputs must be equal up to the last bits of a softmax. ``fused`` is
    what is timed: the int8 kernels, which round in float32 where golden is exact.
    """
    graph = load_graph(path)
    (name,), (target,) = graph.inputs, graph.outputs
    levels = onnxruntime.GraphOptimizationLevel
    plain, fused = (_session(path, n) for n in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL))
    want = golden.predict(graph, {name: images})[target]
    codes = {name: golden.encode_input(graph, name, images)}
    actions = {"golden": lambda: golden.run(graph, codes), "onnx": lambda: _run(fused, images)}
    seconds = _shortest(actions)
    return {
        "images": len(images),
        "exact": _equal(want, _run(plain, images)),
        "fused": _equal(want, _run(fused, images)),
        "golden_seconds": seconds["golden"] / len(images),
        "onnx_seconds": seconds["onnx"] / len(images),
    }


def _equal(want: Array, found: Array) -> int:
    same = np.isclose(want, found, rtol=1e-6, atol=1e-6).reshape(len(want), -1)
    return int(same.all(axis=1).sum())


def main(path: str, inputs: str) -> None:
    """Print the comparison as JSON."""
    print(json.dumps(compare(path, np.load(inputs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
