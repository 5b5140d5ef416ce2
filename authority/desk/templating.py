"""What a template of the document `texts` may do: put values into words, choose between words, go once through a list. Pure.

Jinja2's sandbox keeps a template from the program, not from the machine: `'a' * 10**9`, two loops in one another or a text doubled thirty times would
stop the desk while a proposal is looked at. So all is refused that is not named here.
"""

from __future__ import annotations

from jinja2 import Environment, nodes

from authority.desk.errors import BadField

PLAIN: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.If, nodes.CondExpr,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Neg, nodes.Concat, nodes.Test, nodes.Dict, nodes.Pair,
    nodes.List, nodes.Tuple, nodes.Keyword,
)  # fmt: skip
FILTERS = frozenset({"time", "length", "count", "join", "upper", "lower", "title", "capitalize", "trim", "default", "d", "first", "last", "int"})


def require_plain(environment: Environment, text: str) -> None:
    """Raises BadField for a template that does more; jinja2's TemplateError for one that cannot be read."""
    waiting: list[tuple[nodes.Node, bool]] = [(environment.parse(text), False)]
    while waiting:
        node, looping = waiting.pop()
        if not _is_plain(node, looping):
            name = node.name if isinstance(node, nodes.Filter) else type(node).__name__.lower()
            raise BadField("texts", f"line {node.lineno}: no template may use {name!r} so; it puts values into words, and goes once through a list")
        waiting += [(each, looping or isinstance(node, nodes.For)) for each in node.iter_child_nodes()]


def _is_plain(node: nodes.Node, looping: bool) -> bool:
    if isinstance(node, nodes.For):
        return not looping and not node.recursive and isinstance(node.iter, nodes.Name)
    if isinstance(node, nodes.Call):
        return isinstance(node.node, nodes.Getattr) and node.node.attr == "get"
    if isinstance(node, nodes.Filter):
        return node.name in FILTERS and (node.name != "join" or isinstance(node.node, nodes.Name))
    return isinstance(node, PLAIN)
