"""A network on smaller images: every layer and all its weights, fewer positions."""

from dataclasses import replace

from shiftloom.quant.graph import AveragePool, EdgeLayout, Host, QuantGraph

__all__ = ["cropped"]


def cropped(graph, parts):
    """Return a network whose maps have a part of the height and width; vectors stay.

    What hosts compute behind its last layer is left out.

    Parameters
    ----------
    graph : QuantGraph
        Convolutions, additions and pools over whole maps; ``parts`` divides their sizes.
    parts : int
        Height and width become so many times smaller.
    """
    nodes = [node for node in graph.nodes if not isinstance(node, Host)]
    outputs = (nodes[-1].output,)

    def smaller(sizes):
        return tuple(size if size == 1 else size // parts for size in sizes)

    tensors = {
        name: replace(tensor, shape=(tensor.shape[0], *smaller(tensor.shape[1:])))
        for name, tensor in graph.tensors.items()
    }
    return QuantGraph(
        name=f"{graph.name}_cropped",
        inputs=graph.inputs,
        outputs=outputs,
        tensors=tensors,
        nodes=tuple(
            replace(node, kernel=smaller(node.kernel)) if isinstance(node, AveragePool) else node
            for node in nodes
        ),
        edges={
            name: EdgeLayout(shape=(1, *tensors[name].shape)) for name in (*graph.inputs, *outputs)
        },
    )
