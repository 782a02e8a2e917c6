"""The syntax tree of a CEL expression, with source positions.

Plain classes with slots: the tree is small and short-lived, and start-up counts. Chains of `&&` and of `||` are one
node with many operands, so that a predicate of a thousand alternatives is not a thousand levels deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias


class Node:
    """One expression; `start` and `end` are code point offsets into the source."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def children(self) -> Sequence[Node]:
        """Return the expressions directly below this one."""
        return ()


class Literal(Node):
    """A constant: null, bool, int, uint, double, string or bytes."""

    __slots__ = ("value",)

    def __init__(self, value: Any, start: int, end: int) -> None:
        super().__init__(start, end)
        self.value = value


class Ident(Node):
    """A name that stands for a field, a macro's variable or a type."""

    __slots__ = ("name",)

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(start, end)
        self.name = name


class Select(Node):
    """`operand.field`, or `operand.?field`."""

    __slots__ = ("field", "is_optional", "operand")

    def __init__(self, operand: Node, field: str, start: int, end: int, *, is_optional: bool = False) -> None:
        super().__init__(start, end)
        self.operand = operand
        self.field = field
        self.is_optional = is_optional

    def children(self) -> Sequence[Node]:
        """Return the operand."""
        return (self.operand,)


class Has(Node):
    """The macro `has(operand.field)`."""

    __slots__ = ("field", "is_optional", "operand")

    def __init__(self, operand: Node, field: str, start: int, end: int, *, is_optional: bool = False) -> None:
        super().__init__(start, end)
        self.operand = operand
        self.field = field
        self.is_optional = is_optional

    def children(self) -> Sequence[Node]:
        """Return the operand."""
        return (self.operand,)


class Index(Node):
    """`operand[index]`, or `operand[?index]`."""

    __slots__ = ("index", "is_optional", "operand")

    def __init__(self, operand: Node, index: Node, start: int, end: int, *, is_optional: bool = False) -> None:
        super().__init__(start, end)
        self.operand = operand
        self.index = index
        self.is_optional = is_optional

    def children(self) -> Sequence[Node]:
        """Return the operand and the index."""
        return (self.operand, self.index)


class Call(Node):
    """A call: global (`size(x)`), of a member (`x.size()`, target set), or of a qualified name (`optional.of(x)`)."""

    __slots__ = ("args", "name", "target")

    def __init__(self, name: str, target: Node | None, args: tuple[Node, ...], start: int, end: int) -> None:
        super().__init__(start, end)
        self.name = name
        self.target = target
        self.args = args

    def children(self) -> Sequence[Node]:
        """Return the target, if there is one, and the arguments."""
        return self.args if self.target is None else (self.target, *self.args)


class Unary(Node):
    """`!x` or `-x`."""

    __slots__ = ("op", "operand")

    def __init__(self, op: str, operand: Node, start: int, end: int) -> None:
        super().__init__(start, end)
        self.op = op
        self.operand = operand

    def children(self) -> Sequence[Node]:
        """Return the operand."""
        return (self.operand,)


class Binary(Node):
    """Arithmetic, a comparison or `in`."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left: Node, right: Node) -> None:
        super().__init__(left.start, right.end)
        self.op = op
        self.left = left
        self.right = right

    def children(self) -> Sequence[Node]:
        """Return both operands."""
        return (self.left, self.right)


class Logic(Node):
    """`a && b && …` or `a || b || …`; absorbs errors, so the operands have no order."""

    __slots__ = ("op", "operands")

    def __init__(self, op: str, operands: tuple[Node, ...]) -> None:
        super().__init__(operands[0].start, operands[-1].end)
        self.op = op
        self.operands = operands

    def children(self) -> Sequence[Node]:
        """Return all operands."""
        return self.operands


class Ternary(Node):
    """`condition ? then : otherwise`."""

    __slots__ = ("condition", "otherwise", "then")

    def __init__(self, condition: Node, then: Node, otherwise: Node) -> None:
        super().__init__(condition.start, otherwise.end)
        self.condition = condition
        self.then = then
        self.otherwise = otherwise

    def children(self) -> Sequence[Node]:
        """Return the condition and both branches."""
        return (self.condition, self.then, self.otherwise)


class ListNode(Node):
    """`[a, b, ?c]`; `optional` holds the positions written with a question mark."""

    __slots__ = ("items", "optional")

    def __init__(self, items: tuple[Node, ...], optional: frozenset[int], start: int, end: int) -> None:
        super().__init__(start, end)
        self.items = items
        self.optional = optional

    def children(self) -> Sequence[Node]:
        """Return the elements."""
        return self.items


class MapNode(Node):
    """`{k: v, ?k: v}`; `optional` holds the positions written with a question mark."""

    __slots__ = ("entries", "optional")

    def __init__(self, entries: tuple[tuple[Node, Node], ...], optional: frozenset[int], start: int, end: int) -> None:
        super().__init__(start, end)
        self.entries = entries
        self.optional = optional

    def children(self) -> Sequence[Node]:
        """Return keys and values, alternating."""
        return [node for entry in self.entries for node in entry]


class Macro(Node):
    """`target.kind(variable, …)` for all, exists, exists_one, map, filter; `cel.bind(variable, target, body)` as bind.

    `condition` is set for `map` with three arguments, which filters first.
    """

    __slots__ = ("body", "condition", "kind", "target", "variable")

    def __init__(
        self,
        kind: str,
        target: Node,
        variable: str,
        body: Node,
        *,
        start: int,
        end: int,
        condition: Node | None = None,
    ) -> None:
        super().__init__(start, end)
        self.kind = kind
        self.target = target
        self.variable = variable
        self.body = body
        self.condition = condition

    def children(self) -> Sequence[Node]:
        """Return the range and the expressions evaluated for each element."""
        if self.condition is None:
            return (self.target, self.body)
        return (self.target, self.condition, self.body)


Scope: TypeAlias = frozenset[str]


def walk_identifiers(root: Node) -> Iterator[Ident]:
    """Yield the identifiers that are not bound by a macro: fields, types, and what is unknown."""
    stack: list[tuple[Node, Scope]] = [(root, frozenset())]
    while stack:
        node, bound = stack.pop()
        if isinstance(node, Ident):
            if node.name not in bound:
                yield node
        elif isinstance(node, Macro):
            inner = bound | {node.variable}
            stack.append((node.body, inner))
            if node.condition is not None:
                stack.append((node.condition, inner))
            stack.append((node.target, bound))
        else:
            stack.extend((child, bound) for child in reversed(node.children()))
