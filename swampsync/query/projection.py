"""What `--select` makes of each match: columns computed by SQL, or a value computed from the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from swampsync.query.activation import parse_json
from swampsync.query.ast import ListNode, Literal, MapNode, Node
from swampsync.query.compiler import Compiler
from swampsync.query.fragments import Fragment, Json, Uncompilable
from swampsync.query.moments import Duration, Timestamp
from swampsync.query.values import EvaluationError


class Projection(NamedTuple):
    """A projection that SQL computes.

    Attributes:
        columns: SQL to select.
        assemble: Makes the value of a whole row of the statement; raises `EvaluationError` where a part failed.
        is_plain: Whether the values are text and bools only, which JSON takes as they are.
    """

    columns: tuple[str, ...]
    assemble: Callable[[Sequence[Any]], Any]
    is_plain: bool


# Where the columns asked for begin in a row of a statement, behind the row's number and the predicate's state.
_FIRST_COLUMN: Final = 2


def compile_projection(compiler: Compiler, node: Node) -> Projection:
    """Compile a projection that mentions no content.

    Raises:
        Uncompilable: The evaluator has to do it.
    """
    columns: list[str] = []
    kinds: list[str] = []
    assemble = _shape(compiler, node, columns, kinds)
    is_plain = all(kind in {"string", "bool"} for kind in kinds)
    return Projection(tuple(columns), assemble, is_plain)


def _shape(compiler: Compiler, node: Node, columns: list[str], kinds: list[str]) -> Callable[[Sequence[Any]], Any]:
    if isinstance(node, ListNode) and not node.optional:
        items = [_shape(compiler, item, columns, kinds) for item in node.items]
        return lambda values: [item(values) for item in items]
    if isinstance(node, MapNode) and not node.optional:
        if not all(isinstance(key, Literal) and isinstance(key.value, str) for key, _ in node.entries):
            raise Uncompilable
        names = [key.value for key, _ in node.entries if isinstance(key, Literal)]
        if len(set(names)) < len(names):
            raise Uncompilable
        entries = [
            (name, _shape(compiler, item, columns, kinds)) for name, (_, item) in zip(names, node.entries, strict=True)
        ]
        return lambda values: {name: item(values) for name, item in entries}
    fragment = compiler.compile(node)
    if compiler.reads_content:
        raise Uncompilable
    kinds.append(fragment.kind)
    return _leaf(fragment, columns)


def _leaf(fragment: Fragment, columns: list[str]) -> Callable[[Sequence[Any]], Any]:
    if fragment.has_constant:
        constant = fragment.constant
        return lambda _: constant
    if fragment.kind in {"error", "uint", "choice", "number"}:
        raise Uncompilable
    position = _FIRST_COLUMN + len(columns)
    columns.append(fragment.sql)
    if isinstance(fragment, Json):
        columns.append(fragment.type_sql)
        return lambda values: _from_json(values[position], values[position + 1])
    decode = _DECODERS.get(fragment.kind)

    def value(values: Sequence[Any]) -> Any:
        found = values[position]
        if found is None:
            raise EvaluationError("no value")
        return found if decode is None else decode(found)

    return value


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "bool": bool,
    "timestamp": lambda micros: Timestamp(micros * 1000),
    "duration": lambda micros: Duration(micros * 1000),
}


def _from_json(value: Any, kind: str | None) -> Any:
    if kind is None:
        raise EvaluationError("no value")
    if kind in {"true", "false"}:
        return kind == "true"
    return parse_json(value) if kind in {"object", "array"} else value
