"""Parts of a network that the machine runs alone, and what the host computes between them."""

from dataclasses import dataclass

from ..quant.graph import Host, Node, QuantGraph

__all__ = ["Part", "parts_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Nodes of one segment with the tensors that cross its border, or nodes of the host."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    host: bool


def parts_of(graph: QuantGraph) -> list[Part]:
    """Return the parts of a network in order; as few as the graph allows."""
    done, waiting, groups = set(graph.inputs), list(graph.nodes), []
    host = False
    while waiting:
        group = []
        for node in waiting:
            if isinstance(node, Host) == host and done.issuperset(node.inputs):
                group.append(node)
                done.add(node.output)
        waiting = [node for node in waiting if node not in group]
        if group:
            groups.append((tuple(group), host))
        host = not host
    return [_part(graph, nodes, host) for nodes, host in groups]


def _part(graph: QuantGraph, nodes: tuple[Node, ...], host: bool) -> Part:
    made = [node.output for node in nodes]
    used = {name for node in graph.nodes if node not in nodes for name in node.inputs}
    used.update(graph.outputs)
    read = dict.fromkeys(name for node in nodes for name in node.inputs)
    return Part(
        nodes=nodes,
        inputs=tuple(name for name in read if name not in made),
        outputs=tuple(name for name in made if name in used),
        host=host,
    )
