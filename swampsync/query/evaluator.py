"""A syntax tree to a function of one row: closures, one a node.

Errors are exceptions (`EvaluationError`) that `&&`, `||`, `all` and `exists` absorb where another operand decides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from swampsync.catalog.rows import CatalogRow
from swampsync.errors import QueryError
from swampsync.query.activation import Activation, NoContent
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
from swampsync.query.comprehensions import MACROS, Evaluate
from swampsync.query.deciding import decide
from swampsync.query.elements import Absent, as_optional, contains, element, make_has, make_select
from swampsync.query.fields import FIELDS, POSITIONS, QUALIFIED_TYPES
from swampsync.query.functions import GLOBALS, METHODS
from swampsync.query.operators import BINARY, negate
from swampsync.query.shape import is_constant, path_of
from swampsync.query.values import (
    NONE,
    CelType,
    EvaluationError,
    OptionalValue,
    equals,
    to_key,
    type_name,
)


class Evaluator:
    """A compiled expression.

    Args:
        node: A tree that `check_expression` has passed.

    Raises:
        QueryError: There is no stack left to compile it.
    """

    def __init__(self, node: Node) -> None:
        builder = _Builder()
        try:
            self._call = builder.build(node)
        except RecursionError:  # called from deep inside somebody's own recursion
            raise QueryError("the expression is nested too deeply") from None
        self.slot_count = builder.slot_count

    def evaluate(self, activation: Activation) -> Any:
        """Return the expression's value for a row.

        Raises:
            EvaluationError: It has none.
        """
        if len(activation.slots) < self.slot_count:
            activation.slots = [None] * self.slot_count
        try:
            return self._call(activation)
        except RecursionError:
            raise EvaluationError("the data is nested too deeply") from None


def fold(node: Node) -> Any:
    """Return the value of an expression that depends on no row.

    Raises:
        EvaluationError: It has none.
    """
    return Evaluator(node).evaluate(Activation(_NO_ROW, NoContent()))


_NO_ROW: Final = CatalogRow("", "", "", "", "", 0, 0, "", "", "", "", "", "", 0, 0, "", "{}", "", "", "", "", "", "")


class _Builder:
    def __init__(self) -> None:
        self.scope: list[str] = []
        self.slot_count = 0

    def build(self, node: Node) -> Evaluate:
        method: Callable[[Any], Evaluate] = getattr(self, f"_{type(node).__name__.lower()}")
        call = method(node)
        if isinstance(node, Call | Binary | Unary) and is_constant(node):
            return self._folded(call)
        return call

    def _folded(self, call: Evaluate) -> Evaluate:
        """Evaluate once what is the same for all rows."""
        try:
            value = call(Activation(_NO_ROW, NoContent()))
        except EvaluationError:
            return call
        return lambda _: value

    def _literal(self, node: Literal) -> Evaluate:
        value = node.value
        return lambda _: value

    def _ident(self, node: Ident) -> Evaluate:
        name = node.name
        for slot in range(len(self.scope) - 1, -1, -1):
            if self.scope[slot] == name:
                return lambda env: env.slots[slot]
        if name not in FIELDS:
            value = CelType(name)
            return lambda _: value
        kind, column = FIELDS[name]
        if not column or kind == "map":
            return lambda env: env.field(name)
        position = POSITIONS[column]
        if kind == "bool":
            return lambda env: bool(env.row[position])
        return lambda env: env.row[position]

    def _select(self, node: Select) -> Evaluate:
        path = path_of(node)
        if path in QUALIFIED_TYPES:
            value = CelType(path)
            return lambda _: value
        return make_select(self.build(node.operand), node.field, path=path, is_optional=node.is_optional)

    def _has(self, node: Has) -> Evaluate:
        path = f"{path_of(node.operand)}.{node.field}"
        return make_has(self.build(node.operand), node.field, path=path)

    def _index(self, node: Index) -> Evaluate:
        operand, index, is_optional = self.build(node.operand), self.build(node.index), node.is_optional
        path = path_of(node)

        def at(env: Activation) -> Any:
            value, key = operand(env), index(env)
            is_chained = isinstance(value, OptionalValue)
            if isinstance(value, OptionalValue):
                if not value.is_present:
                    return NONE
                value = value.value
            try:
                found = element(value, key, path)
            except Absent as absent:
                if is_optional or is_chained:
                    return NONE
                raise EvaluationError(absent.reason) from None
            return OptionalValue(found) if is_optional or is_chained else found

        return at

    def _call(self, node: Call) -> Evaluate:
        args = [self.build(arg) for arg in node.args]
        if node.target is not None:
            args.insert(0, self.build(node.target))
            function = METHODS[node.name].call
        else:
            function = GLOBALS[node.name].call
        if len(args) == 1:
            (only,) = args
            return lambda env: function(only(env))
        if len(args) == 2:
            first, second = args
            return lambda env: function(first(env), second(env))
        return lambda env: function(*[arg(env) for arg in args])

    def _unary(self, node: Unary) -> Evaluate:
        operand = self.build(node.operand)
        if node.op == "-":
            return lambda env: negate(operand(env))

        def invert(env: Activation) -> bool:
            value = operand(env)
            if type(value) is not bool:
                raise EvaluationError(f"no such overload: !{type_name(value)}")
            return not value

        return invert

    def _binary(self, node: Binary) -> Evaluate:
        left, right = self.build(node.left), self.build(node.right)
        if node.op in {"==", "!="}:
            wanted = node.op == "=="

            def compare(env: Activation) -> bool:
                a, b = left(env), right(env)
                if isinstance(a, list | dict):
                    env.charge(len(a))
                return equals(a, b) is wanted

            return compare
        if node.op == "in":
            return lambda env: contains(env, left(env), right(env))
        operator = BINARY[node.op]
        return lambda env: operator(left(env), right(env))

    def _logic(self, node: Logic) -> Evaluate:
        operands = [self.build(operand) for operand in node.operands]
        decisive, op = node.op == "||", node.op

        def refuse(value: Any) -> EvaluationError:
            return EvaluationError(f"no such overload: bool {op} {type_name(value)}")

        return partial(decide, asked=operands, decisive=decisive, refuse=refuse)

    def _ternary(self, node: Ternary) -> Evaluate:
        condition, then, otherwise = self.build(node.condition), self.build(node.then), self.build(node.otherwise)

        def choose(env: Activation) -> Any:
            value = condition(env)
            if value is True:
                return then(env)
            if value is False:
                return otherwise(env)
            raise EvaluationError(f"no such overload: {type_name(value)} ? … : …")

        return choose

    def _listnode(self, node: ListNode) -> Evaluate:
        items, optional = [self.build(item) for item in node.items], node.optional
        if not optional:
            return lambda env: [item(env) for item in items]

        def make(env: Activation) -> list[Any]:
            values = []
            for position, item in enumerate(items):
                value = item(env)
                if position in optional:
                    if not as_optional(value).is_present:
                        continue
                    value = value.value
                values.append(value)
            return values

        return make

    def _mapnode(self, node: MapNode) -> Evaluate:
        entries = [(self.build(key), self.build(value)) for key, value in node.entries]
        optional = node.optional

        def make(env: Activation) -> dict[Any, Any]:
            values: dict[Any, Any] = {}
            for position, (key_of, value_of) in enumerate(entries):
                plain = key_of(env)
                if type(plain) is float:
                    raise EvaluationError("a double is no key of a map")
                key, value = to_key(plain), value_of(env)
                if position in optional:
                    if not as_optional(value).is_present:
                        continue
                    value = value.value
                if key in values:
                    raise EvaluationError(f"the map has the key {key!r} twice")
                values[key] = value
            return values

        return make

    def _macro(self, node: Macro) -> Evaluate:
        target = self.build(node.target)
        slot = len(self.scope)
        self.scope.append(node.variable)
        self.slot_count = max(self.slot_count, len(self.scope))
        body = self.build(node.body)
        condition = None if node.condition is None else self.build(node.condition)
        self.scope.pop()
        if node.kind == "bind":

            def bind(env: Activation) -> Any:
                env.slots[slot] = target(env)
                return body(env)

            return bind
        return MACROS[node.kind](target, slot, body, condition, node.kind)
