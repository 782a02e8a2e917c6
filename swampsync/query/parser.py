"""CEL text to a syntax tree: the grammar of the language, by precedence climbing.

Two frames of recursion a level of nesting, so that the limit on nesting and not the interpreter's stack decides.
"""

from __future__ import annotations

from typing import Final

from swampsync.errors import QueryError
from swampsync.query.ast import (
    Binary,
    Call,
    Has,
    Ident,
    Index,
    ListNode,
    Literal,
    Logic,
    Macro,
    MapNode,
    Node,
    Select,
    Ternary,
    Unary,
)
from swampsync.query.diagnostics import habit_hint, syntax_error
from swampsync.query.lexer import KEYWORDS, RESERVED, Token, tokenize
from swampsync.query.values import INT_MAX

MAX_NESTING: Final = 200

_PRECEDENCE: Final = {
    "||": 1, "&&": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_RANGE_MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_QUALIFIERS: Final = frozenset({"cel", "optional"})  # names before a dot that qualify a function


def parse(source: str) -> Node:
    """Parse a CEL expression.

    Raises:
        QueryError: The text is not CEL, longer than 64 KiB, or nested deeper than 200 levels; the message has
            line and column and shows the place.
    """
    parser = _Parser(source, tokenize(source))
    try:
        node = parser.expression(0)
    except RecursionError:  # called from deep inside somebody's own recursion
        raise syntax_error(source, parser.token.start, "the expression is nested too deeply") from None
    if parser.token.kind != "end":
        raise parser.unexpected()
    _check_depth(source, node)
    return node


def _check_depth(source: str, root: Node) -> None:
    """Refuse trees that are deep without parentheses: long chains of `+`, `.` or `[]`."""
    level: list[Node] = [root]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in node.children()]
        if not level:
            return
    raise syntax_error(source, level[0].start, f"the expression is nested deeper than {MAX_NESTING} levels")


class _Parser:
    def __init__(self, source: str, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.position = 0
        self.nesting = 0
        self.token = tokens[0]

    def advance(self) -> Token:
        token = self.token
        self.position += 1
        self.token = self.tokens[min(self.position, len(self.tokens) - 1)]
        return token

    def accept(self, kind: str) -> bool:
        if self.token.kind == kind:
            self.advance()
            return True
        return False

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise self.unexpected(f"expected `{kind}`")
        return self.advance()

    def unexpected(self, wanted: str = "") -> QueryError:
        token = self.token
        text = self.source[token.start : token.end]
        shown = "end of the expression" if token.kind == "end" else f"`{text[:40]}`"
        message = f"unexpected {shown}" + (f", {wanted}" if wanted else "")
        return syntax_error(self.source, token.start, message, hint=habit_hint(text))

    def expression(self, precedence: int) -> Node:
        """Parse operators at least as tight as `precedence`; 0 is the whole expression with its ternary."""
        node = self.operand()
        while True:
            op = "in" if self.token.kind == "name" and self.token.value == "in" else self.token.kind
            tightness = _PRECEDENCE.get(op, 0)
            if not tightness or tightness < precedence:
                break
            if tightness <= _PRECEDENCE["&&"]:
                operands = [node]
                while self.accept(op):
                    operands.append(self.expression(tightness + 1))
                node = Logic(op, tuple(operands))
            else:
                self.advance()
                node = Binary(op, node, self.expression(tightness + 1))
        if precedence == 0 and self.accept("?"):
            then = self.expression(1)
            self.expect(":")
            node = Ternary(node, then, self.expression(0))
        return node

    def nested(self) -> Node:
        """Parse a whole expression inside brackets."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            message = f"the expression is nested deeper than {MAX_NESTING} levels"
            raise syntax_error(self.source, self.token.start, message)
        node = self.expression(0)
        self.nesting -= 1
        return node

    def operand(self) -> Node:
        """Parse prefix operators, a primary, and what is selected from it."""
        signs = []
        while self.token.kind in {"!", "-"} and not self.is_negative_number():
            signs.append(self.advance())
        node = self.primary()
        while True:
            kind = self.token.kind
            if kind == ".":
                node = self.member(node)
            elif kind == "[":
                self.advance()
                is_optional = self.accept("?")
                index = self.nested()
                node = Index(node, index, node.start, self.expect("]").end, is_optional=is_optional)
            elif kind == "{" and isinstance(node, Ident | Select):
                name = self.source[node.start : node.end]
                raise syntax_error(self.source, node.start, f"there is no message type `{name}` to construct")
            else:
                break
        for sign in reversed(signs):
            node = Unary(sign.kind, node, sign.start, node.end)
        return node

    def is_negative_number(self) -> bool:
        follower = self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        return self.token.kind == "-" and follower.kind == "literal" and type(follower.value) in {int, float}

    def primary(self) -> Node:
        """Parse a literal, a name, a global call, or something in brackets."""
        token = self.token
        if token.kind == "-":
            self.advance()
            number = self.advance()
            return Literal(-number.value, token.start, number.end)
        if token.kind == "literal":
            self.advance()
            if type(token.value) is int and token.value > INT_MAX:
                raise syntax_error(self.source, token.start, "the number does not fit into 64 bits")
            return Literal(token.value, token.start, token.end)
        if token.kind == "(":
            self.advance()
            node = self.nested()
            node.start, node.end = token.start, self.expect(")").end
            return node
        if token.kind == "[":
            return self.list_literal()
        if token.kind == "{":
            return self.map_literal()
        if token.kind == ".":
            self.advance()
        return self.name()

    def name(self) -> Node:
        """Parse a name: a constant, a field, or a global call."""
        token = self.token
        if token.kind != "name" or token.value == "in":
            raise self.unexpected()
        if token.value in RESERVED:
            raise syntax_error(self.source, token.start, f"`{token.value}` is a reserved word")
        self.advance()
        if token.value in _CONSTANTS:
            return Literal(_CONSTANTS[token.value], token.start, token.end)
        if not self.accept("("):
            return Ident(token.value, token.start, token.end)
        args, end = self.arguments()
        if token.value == "has":
            return self.has(args, token.start, end)
        return Call(token.value, None, args, token.start, end)

    def member(self, node: Node) -> Node:
        """Parse `.field`, `.?field`, `.method(…)` or a macro after its range."""
        self.advance()
        is_optional = self.accept("?")
        token = self.token
        if token.kind not in {"name", "escaped"} or (token.kind == "name" and token.value in KEYWORDS):
            raise self.unexpected("expected a field or method name")
        self.advance()
        if token.kind == "escaped" or is_optional or not self.accept("("):
            return Select(node, token.value, node.start, token.end, is_optional=is_optional)
        args, end = self.arguments()
        if isinstance(node, Ident) and node.name in _QUALIFIERS:
            if (node.name, token.value, len(args)) == ("cel", "bind", 3):
                return Macro("bind", args[1], self.variable(args[0]), args[2], start=node.start, end=end)
            return Call(f"{node.name}.{token.value}", None, args, node.start, end)
        if token.value in _RANGE_MACROS and (len(args) == 2 or (token.value == "map" and len(args) == 3)):
            kind = "exists_one" if token.value == "existsOne" else token.value
            condition = args[1] if len(args) == 3 else None
            return Macro(kind, node, self.variable(args[0]), args[-1], start=node.start, end=end, condition=condition)
        return Call(token.value, node, args, node.start, end)

    def variable(self, node: Node) -> str:
        if not isinstance(node, Ident):
            raise syntax_error(self.source, node.start, "the first argument of a macro is the name of its variable")
        return node.name

    def has(self, args: tuple[Node, ...], start: int, end: int) -> Node:
        if len(args) != 1 or not isinstance(args[0], Select):
            at = args[0].start if args else start
            raise syntax_error(self.source, at, "has() takes the selection of a field, as in `has(tags.env)`")
        return Has(args[0].operand, args[0].field, start, end, is_optional=args[0].is_optional)

    def arguments(self) -> tuple[tuple[Node, ...], int]:
        """Parse what follows an opening parenthesis up to its closing one."""
        args: list[Node] = []
        if self.token.kind != ")":
            args.append(self.nested())
            while self.accept(","):
                args.append(self.nested())
        return tuple(args), self.expect(")").end

    def list_literal(self) -> Node:
        """Parse `[a, ?b]`; a comma may trail."""
        start = self.advance().start
        items: list[Node] = []
        optional = set()
        while self.token.kind != "]":
            if self.accept("?"):
                optional.add(len(items))
            items.append(self.nested())
            if not self.accept(","):
                break
        return ListNode(tuple(items), frozenset(optional), start, self.expect("]").end)

    def map_literal(self) -> Node:
        """Parse `{k: v, ?k: v}`; a comma may trail."""
        start = self.advance().start
        entries: list[tuple[Node, Node]] = []
        optional = set()
        while self.token.kind != "}":
            if self.accept("?"):
                optional.add(len(entries))
            key = self.nested()
            self.expect(":")
            entries.append((key, self.nested()))
            if not self.accept(","):
                break
        return MapNode(tuple(entries), frozenset(optional), start, self.expect("}").end)
