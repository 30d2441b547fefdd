"""Names for the functions of a traced graph that are the same in every process.

TensorFlow numbers the functions it traces over the whole process. XLA looks a compiled program up
in its persistent cache by these names among other things, so a program traced in another order
would be compiled again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

GraphDef = Any
FunctionDef = Any
NodeDef = Any
AttrValue = Any

_GRADIENT = "_gradient_op_type"
"""Names an operation's gradient in this process's registry, with a number in it."""
_NUMBER_OF_UNUSED = re.compile(r"_\d+(?=___redundant_placeholder\d+$)")
"""The number of a loop's condition in the names of the arguments that it does not use."""


def with_stable_names(graph: GraphDef) -> GraphDef:
    """Return a graph whose functions are named by a digest of the graph.

    Parameters
    ----------
    graph
        A `tf.compat.v1.GraphDef` with its function library; it is not changed.

    Returns
    -------
    The same graph with the functions it uses renamed. Two graphs get the same names only if they
    are equal but for the names of their functions; so functions of one name never differ. The
    gradients of its operations are forgotten: the graph cannot be differentiated again.
    """
    order = _order_of_use(graph)
    numbered = _renamed(graph, {name: f"function_{place}" for place, name in enumerate(order)})
    digest = hashlib.sha256(numbered.SerializeToString(deterministic=True)).hexdigest()[:32]
    return _renamed(graph, {name: f"f_{digest}_{place}" for place, name in enumerate(order)})


def _order_of_use(graph: GraphDef) -> list[str]:
    """Return the names of the library's functions in the order in which the graph uses them."""
    library = {function.signature.name: function for function in graph.library.function}
    order: dict[str, None] = {}
    waiting = list(_references(graph.node))[::-1]
    while waiting:
        name = waiting.pop()
        if name in library and name not in order:
            order[name] = None
            waiting += list(_references(library[name].node_def))[::-1]
    return list(order)


def _references(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """Yield every text of the nodes that may be the name of a function."""
    for node in nodes:
        yield node.op
        for key in sorted(node.attr):
            yield from _names_in(node.attr[key])


def _names_in(value: AttrValue) -> Iterator[str]:
    match value.WhichOneof("value"):
        case "func":
            yield value.func.name
        case "s":
            yield value.s.decode("utf-8", "replace")
        case "list":
            yield from (function.name for function in value.list.func)


def _renamed(graph: GraphDef, names: dict[str, str]) -> GraphDef:
    """Return a graph with the functions in `names` renamed, in that order, and no others."""
    library = {function.signature.name: function for function in graph.library.function}
    renamed = tf.compat.v1.GraphDef()
    renamed.versions.CopyFrom(graph.versions)
    renamed.node.extend(graph.node)
    _rename_references(renamed.node, names)
    for old, new in names.items():
        function = renamed.library.function.add()
        function.CopyFrom(library[old])
        function.signature.name = new
        for argument in function.signature.input_arg:
            argument.name = _NUMBER_OF_UNUSED.sub("", argument.name)
        _rename_references(function.node_def, names)
    return renamed


def _rename_references(nodes: Iterable[NodeDef], names: dict[str, str]) -> None:
    for node in nodes:
        node.op = names.get(node.op, node.op)
        node.attr.pop(_GRADIENT, None)
        for value in node.attr.values():
            _rename_in(value, names)


def _rename_in(value: AttrValue, names: dict[str, str]) -> None:
    match value.WhichOneof("value"):
        case "func":
            value.func.name = names.get(value.func.name, value.func.name)
        case "s":
            new = names.get(value.s.decode("utf-8", "replace"))
            if new is not None:
                value.s = new.encode()
        case "list":
            for function in value.list.func:
                function.name = names.get(function.name, function.name)
