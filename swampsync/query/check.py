"""What is checked before any row is looked at: fields, functions and patterns that exist."""

from __future__ import annotations

from typing import Final, NamedTuple

from swampsync.errors import QueryError
from swampsync.query.ast import Call, Ident, Literal, Node, Select, walk_identifiers
from swampsync.query.diagnostics import excerpt, nearest, quoted, suggestion, syntax_error
from swampsync.query.fields import CONTENT_FIELDS, FIELDS, QUALIFIED_TYPES, TYPE_NAMES, VERSION_FIELDS
from swampsync.query.functions import GLOBALS, METHODS
from swampsync.query.values import EvaluationError

_MACROS: Final = ("all", "exists", "exists_one", "map", "filter")


class Mentions(NamedTuple):
    """Which fields an expression looks at."""

    fields: frozenset[str]

    @property
    def decides_versions(self) -> bool:
        """Whether the expression itself says which versions it wants."""
        return bool(self.fields & VERSION_FIELDS)

    @property
    def reads_content(self) -> bool:
        """Whether content has to be read to evaluate it."""
        return bool(self.fields & CONTENT_FIELDS)


def check_expression(source: str, root: Node, *, what: str) -> Mentions:
    """Check names, and return the fields that the expression mentions.

    Args:
        source: The text that `root` was parsed from.
        root: The tree.
        what: `predicate` or `projection`, for messages.

    Raises:
        QueryError: A field or function is unknown, is called with the wrong number of arguments, or a constant pattern
            is no regular expression.
    """
    _check_calls(source, root)
    qualified = _qualified_types(root)
    known: set[str] = set()
    unknown: dict[str, int] = {}
    for ident in walk_identifiers(root):
        if ident.name in FIELDS:
            known.add(ident.name)
        elif ident.name not in TYPE_NAMES and id(ident) not in qualified:
            unknown.setdefault(ident.name, ident.start)
    if unknown:
        names = list(unknown)
        plural = "s" if len(names) > 1 else ""
        raise QueryError(
            f"Unknown field{plural} {quoted(names)} in query {what}.\nAvailable: {', '.join(sorted(FIELDS))}\n\n"
            f"{excerpt(source, min(unknown.values()))}",
            hint=_hint(names, what),
        )
    return Mentions(frozenset(known))


def _hint(names: list[str], what: str) -> str | None:
    for name in names:
        if found := nearest(name, FIELDS):
            return f"did you mean {' or '.join(f'`{other}`' for other in found)}?"
    if what == "predicate":
        return f'keys of JSON content are `attributes.{names[0]}`, tags `tags.{names[0]}`, text is quoted: "{names[0]}"'
    return f"keys of JSON content are `attributes.{names[0]}`, tags `tags.{names[0]}`"


def _check_calls(source: str, root: Node) -> None:
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(node.children())
        if not isinstance(node, Call):
            continue
        # The caret is below the name of what is called, also at the end of a long chain of calls.
        at = node.start if node.target is None else max(node.start, source.find(node.name, node.target.end))
        table = GLOBALS if node.target is None else METHODS
        function = table.get(node.name)
        if function is None:
            other = METHODS if node.target is None else GLOBALS
            what = "function" if node.target is None else "method"
            if node.name in other:
                call = f"x.{node.name}(…)" if node.target is None else f"{node.name}(x)"
                raise syntax_error(source, at, f"there is no {what} `{node.name}`", hint=f"write `{call}`")
            if node.name in _MACROS:
                message = f"the macro `{node.name}` takes a variable and an expression"
                raise syntax_error(source, at, message, hint=f"write `list.{node.name}(x, …)`")
            message = f"unknown {what} `{node.name}`"
            raise syntax_error(source, at, message, hint=suggestion(node.name, [*table, *_MACROS]))
        if len(node.args) not in function.arities:
            wanted = " or ".join(str(n) for n in sorted(function.arities))
            message = f"`{node.name}` takes {wanted} argument{'' if wanted == '1' else 's'}, not {len(node.args)}"
            raise syntax_error(source, at, message)
        if node.name == "matches" and isinstance(node.args[-1], Literal):
            _check_pattern(source, node.args[-1])


def _check_pattern(source: str, node: Literal) -> None:
    from swampsync.query.regex import compile_pattern  # noqa: PLC0415  few queries hold a pattern

    if isinstance(node.value, str):
        try:
            compile_pattern(node.value)
        except EvaluationError as error:
            raise syntax_error(source, node.start, error.reason) from None


def _qualified_types(root: Node) -> set[int]:
    """Return the identifiers that begin the name of a type (`google.protobuf.Timestamp`)."""
    found = set()
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(node.children())
        if not isinstance(node, Select) or not isinstance(node.operand, Select):
            continue
        root_name = node.operand.operand
        if isinstance(root_name, Ident) and f"{root_name.name}.{node.operand.field}.{node.field}" in QUALIFIED_TYPES:
            found.add(id(root_name))
    return found
