"""Random quantized networks, small, with every operator that the machine runs."""

import random
from dataclasses import replace

import numpy as np

from shiftloom.isa.thresholds import NEVER, Thresholds
from shiftloom.quant.graph import Conv
from tests.support.graph_builder import Builder

__all__ = ["compared", "random_chain", "random_codes", "random_graph", "random_thresholds"]


def random_codes(graph, seed, samples=1):
    """Return random codes ``(samples, channels, height, width)`` for each input."""
    generator = np.random.default_rng(seed)
    found = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        shape = (samples, *tensor.shape)
        found[name] = generator.integers(tensor.low, tensor.high + 1, shape)
    return found


def random_thresholds(node, tensor, seed, bits=None, most=4):
    """Return random thresholds for a convolution, most of them where its sums are.

    They make codes of so many bits, or of up to ``most``.
    """
    generator = np.random.default_rng(seed)
    bits = bits or int(generator.integers(1, most + 1))
    count = int(generator.integers(1 << bits >> 1, 1 << bits))
    rows = len(node.weight) if generator.random() < 0.8 else 1
    spread = 74.0 * np.sqrt(np.square(node.weight, dtype=float).sum(axis=(1, 2, 3))).max()
    values = np.rint(generator.normal(0, max(spread, 1.0), (rows, count)) + node.bias[:rows, None])
    values[generator.random(values.shape) < 0.05] = NEVER
    low = int(generator.integers(tensor.low, tensor.high - count + 1))
    low = int(generator.choice([low, max(tensor.low, -8)]))
    return Thresholds(values=np.sort(values, axis=1).astype(np.int32), low=low)


def compared(graph, seed, share=0.3, most=4):
    """Return a network in which some convolutions compare with thresholds instead of shifting."""
    rng = random.Random(f"thresholds {seed}")

    def bank(node, index):
        return random_thresholds(node, graph.tensors[node.output], (seed, index), most=most)

    nodes = [
        replace(node, thresholds=bank(node, index))
        if isinstance(node, Conv) and rng.random() < share
        else node
        for index, node in enumerate(graph.nodes)
    ]
    return replace(graph, nodes=tuple(nodes))


def random_graph(seed, nodes=4, threshold_bits=4):
    """Return a random network of about ``nodes`` nodes; every tensor nobody reads is an output.

    Every third convolution or so compares with thresholds, for codes of up to ``threshold_bits``.
    """
    builder = Builder(seed)
    rng = builder.rng
    alive = [builder.input()]
    if rng.random() < 0.2:
        alive.append(builder.input())
    for _ in range(nodes):
        source = rng.choice(alive)
        kind = rng.choice(["conv", "conv", "conv", "pool", "pad", "slice", "add", "concat"])
        tensor = builder.tensors[source]
        same = [n for n in alive if builder.tensors[n].shape == tensor.shape]
        formats = [
            n
            for n in alive
            if builder.tensors[n].shape[1:] == tensor.shape[1:]
            and builder.tensors[n].signed == tensor.signed
        ]
        if kind == "add":
            made = builder.add(source, rng.choice(same))
        elif kind == "concat":
            made = builder.concat(source, *rng.sample(formats, rng.randint(1, len(formats))))
        else:
            made = getattr(builder, kind)(source)
        if made:
            alive.append(made)
    read = {name for node in builder.nodes for name in node.inputs}
    outputs = [name for name in builder.tensors if name not in read and name not in builder.inputs]
    if not outputs:
        return random_graph(seed + 1_000_003, nodes, threshold_bits)
    return compared(builder.graph(outputs), seed, most=threshold_bits)


def random_chain(seed, nodes=6):
    """Return a random network in which most maps are read once, by a convolution or a pool."""
    builder = Builder(seed)
    rng = builder.rng
    shape = rng.randint(1, 9), rng.randint(8, 24), rng.randint(3, 9)
    last = before = builder.input(shape)
    for _ in range(nodes):
        shape = builder.tensors[last].shape
        kind = rng.choice(["dense", "dense", "depthwise", "depthwise", "pool"])
        if shape == builder.tensors[before].shape and last != before and rng.random() < 0.3:
            last = builder.add(last, before)
        elif min(shape[1:]) < 3 or kind == "dense":
            before, last = last, builder.conv(last, "dense")
        elif kind == "depthwise":
            before, last = last, builder.conv(last, "depthwise")
        else:
            last = builder.pool(last) or last
    return compared(builder.graph([last]), seed)
