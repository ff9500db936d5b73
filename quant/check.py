"""What becomes of each node of a model, before anything runs."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from . import float_graph as fg
from . import graph as qg
from .errors import ModelError
from .float_graph import FloatGraph, FloatNode
from .import_context import Call, Context
from .importer import begin, calls, finish, import_node
from .transforms import prepare

__all__ = ["FATES", "Finding", "check", "check_quantized"]

#: What can become of a node.
FATES = {
    "array": "runs on the MAC array",
    "vector": "runs on the vector unit",
    "fused": "is part of another layer, or a constant",
    "edge": "is a change of layout that needs no work",
    "host": "runs on the host, in float",
    "refused": "cannot be carried out",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What becomes of one node.

    Parameters
    ----------
    node, op : str
        Name and operator type.
    fate : str
        Key of :data:`FATES`.
    reason : str
        Why, where it is not what one would wish.
    remedy : str
        What the user can do about it.
    """

    node: str
    op: str
    fate: str
    reason: str = ""
    remedy: str = ""


def check(model: onnx.ModelProto | str | Path) -> list[Finding]:
    """Return what becomes of every node of a model, all at once.

    Raises
    ------
    ModelError
        The file cannot be read, or its inputs or constants cannot be used.
    """
    parsed, context = begin(model)
    nodes = calls(parsed, context)
    refused = _import_all(context, nodes)
    graph, problem = None, None
    if not refused:
        try:
            graph = prepare(finish(parsed, context))
        except ModelError as error:
            problem = Finding(
                node=error.node,
                op="",
                fate="refused",
                reason=error.found,
                remedy=error.fix or error.allowed,
            )
    final = {node.name: node for node in (graph.nodes if graph else context.nodes)}
    imported = {node.name for node in context.nodes}
    findings = [refused.get(c.name) or _finding(context, c, final, imported) for c in nodes]
    findings += _inserted(graph, nodes) if graph else []
    return [*findings, problem] if problem else findings


def check_quantized(graph: qg.QuantGraph) -> list[Finding]:
    """Return what becomes of every node of a quantized network."""
    return [_coded(graph, node) for node in graph.nodes]


def _coded(graph: qg.QuantGraph, node: qg.Node) -> Finding:
    fate, reason = "vector", ""
    if isinstance(node, qg.Host):
        return Finding(node=node.name, op=node.op, fate="host", reason=node.reason)
    if isinstance(node, qg.Conv):
        channels = graph.tensors[node.inputs[0]].shape[0]
        depthwise = 1 < channels == node.groups == len(node.weight)
        fate = "vector" if depthwise else "array"
        if node.thresholds:
            reason = f"compares with {node.thresholds.values.shape[1]} thresholds"
    return Finding(node=node.name, op=type(node).__name__, fate=fate, reason=reason)


def _import_all(context: Context, nodes: list[Call]) -> dict[str, Finding]:
    """Import what can be imported, and return findings about the rest by node."""
    refused: dict[str, Finding] = {}
    broken: dict[str, str] = {}
    for call in nodes:
        cause = next((broken[name] for name in call.inputs if name in broken), "")
        try:
            if not cause:
                import_node(context, call)
                continue
            reason, remedy = f"it follows {cause}, which is refused", ""
        except ModelError as error:
            reason, remedy = error.found, error.fix or error.allowed
        refused[call.name] = Finding(
            node=call.name, op=call.op, fate="refused", reason=reason, remedy=remedy
        )
        broken.update(dict.fromkeys(call.outputs, cause or call.name))
    return refused


def _finding(
    context: Context, call: Call, final: dict[str, FloatNode], imported: set[str]
) -> Finding:
    node = final.get(call.name)
    if node is not None:
        fate, reason, remedy = _fate(node)
    elif call.output in context.constants:
        fate, reason, remedy = "fused", "constant", ""
    elif call.op in ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity"):
        fate, reason, remedy = "edge", "", ""
    else:
        unused = call.name not in imported and call.output in context.shapes
        fate, reason, remedy = "fused", "no output needs it" if unused else "", ""
    return Finding(node=call.name, op=call.op, fate=fate, reason=reason, remedy=remedy)


def _fate(node: FloatNode) -> tuple[str, str, str]:
    if isinstance(node, fg.Host):
        return "host", node.reason, _remedy(node)
    if isinstance(node, fg.Conv):
        depthwise = node.weight.shape[1] == 1 and node.groups > 1
        return ("vector" if depthwise else "array"), "", ""
    if isinstance(node, fg.Shuffle):
        return "array", "reordered channels are a convolution with a permutation matrix", ""
    if isinstance(node, fg.Reshape | fg.Transpose):
        return "edge", "", ""
    return "vector", "", ""


def _remedy(node: fg.Host) -> str:
    if node.op == "Softmax":
        return "leave it out of the model: the largest logit is the largest probability"
    if node.op == "AveragePool":
        return "count the padding in (count_include_pad=1), or pool without padding"
    if node.keeps_format:
        return "keep feature maps in one layout inside the network"
    return "replace it by operators of the machine, or move it to the end of the model"


def _inserted(graph: FloatGraph, nodes: list[Call]) -> list[Finding]:
    """Return findings about nodes that only exist to change layouts."""
    names = {call.name for call in nodes}
    added = [
        node
        for node in graph.nodes
        if node.name not in names and isinstance(node, fg.Host | fg.Shuffle)
    ]
    findings = []
    for node in added:
        fate, reason, remedy = _fate(node)
        op = node.op if isinstance(node, fg.Host) else "Shuffle"
        findings.append(Finding(node=node.name, op=op, fate=fate, reason=reason, remedy=remedy))
    return findings
