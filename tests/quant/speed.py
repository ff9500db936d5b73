"""Time golden execution and onnxruntime on one image each: ``python -m tests.quant.speed CODES``.

A process of its own, because the number of BLAS threads is fixed when NumPy is loaded.
"""

import sys
import time

import numpy as np
import onnxruntime

from shiftloom.quant import golden
from shiftloom.quant.export import load_graph

__all__ = ["main"]


def fastest(action, times=7):
    """Return the shortest time of several runs: the machine may be busy with other things."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main(path, inputs):
    """Print seconds per image of golden execution and of onnxruntime's int8 kernels."""
    graph, x = load_graph(path), np.load(inputs)
    (name,) = graph.inputs
    codes = {name: golden.encode_input(graph, name, x)}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    ours = fastest(lambda: golden.run(graph, codes))
    theirs = fastest(lambda: [session.run(None, {name: image[None]}) for image in x])
    print(ours / len(x), theirs / len(x))


if __name__ == "__main__":
    main(*sys.argv[1:])
