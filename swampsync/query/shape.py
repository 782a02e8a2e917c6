"""Questions about a tree that need no row."""

from __future__ import annotations

from swampsync.query.ast import Ident, Index, Literal, Macro, Node, Select


def is_constant(node: Node) -> bool:
    """Whether an expression depends on no row, and is cheap to evaluate once."""
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Ident | Macro):
            return False
        stack.extend(top.children())
    return True


def path_of(node: Node) -> str:
    """Return a selection as its reader wrote it (`attributes.status`)."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select):
        return f"{path_of(node.operand)}.{node.field}"
    if isinstance(node, Index):
        index = node.index.value if isinstance(node.index, Literal) else "…"
        shown = f'"{index}"' if isinstance(index, str) and index != "…" else index
        return f"{path_of(node.operand)}[{shown}]"
    return "(…)"
