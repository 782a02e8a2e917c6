"""Macros over JSON, and optional values with a default, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swampsync.query.ast import Call, Macro, Select
from swampsync.query.fragments import Choice, Element, Fragment, Json, Uncompilable, case
from swampsync.query.shape import is_constant

if TYPE_CHECKING:
    from swampsync.query.compiler import Compiler

# Over the values of a condition for each element, NULL where it fails: what CEL's macros make of them.
_AGGREGATES: Final = {
    "exists": "(SELECT CASE WHEN max(v) = 1 THEN 1 WHEN count(*) > count(v) THEN NULL ELSE 0 END FROM {})",
    "all": "(SELECT CASE WHEN min(v) = 0 THEN 0 WHEN count(*) > count(v) THEN NULL ELSE 1 END FROM {})",
    "exists_one": "(SELECT CASE WHEN count(*) > count(v) THEN NULL ELSE coalesce(sum(v), 0) = 1 END FROM {})",
}


def compile_macro(compiler: Compiler, node: Macro) -> Fragment:
    """Compile `all`, `exists` or `exists_one` over a list or map in JSON, as an aggregate over its elements.

    Raises:
        Uncompilable: It is another macro, over something else, or inside a macro, whose costs would multiply.
    """
    template = _AGGREGATES.get(node.kind)
    if template is None or compiler.variables:
        raise Uncompilable
    target = compiler.compile(node.target)
    if not isinstance(target, Json):
        raise Uncompilable
    branches = []
    depth = 0
    variables: dict[str, Fragment] = {
        "array": Element("e1"),
        "object": Fragment("string", "e1.key", can_fail=False),
    }
    for kind, variable in variables.items():
        compiler.variables = {node.variable: variable}
        try:
            body = compiler.condition(node.body)
        finally:
            compiler.variables = {}
        elements = f"(SELECT {body.sql} AS v FROM {target.each_sql} AS e1)"  # noqa: S608  constants, placeholders
        branches.append((f"{target.type_sql} = '{kind}'", template.format(elements)))
        depth = max(depth, body.depth + 8)
    return Fragment("bool", case(*branches), can_fail=True, depth=depth)


def compile_or_value(compiler: Compiler, node: Call) -> Fragment:
    """Compile `x.?f.orValue(constant)`.

    Raises:
        Uncompilable: The optional value is a longer chain, or the default depends on the row.
    """
    optional = node.target
    if not isinstance(optional, Select) or not optional.is_optional or not is_constant(node.args[0]):
        raise Uncompilable
    operand = compiler.compile(optional.operand)
    if not isinstance(operand, Json) or isinstance(operand, Element):
        raise Uncompilable
    default = compiler.compile(node.args[0])
    child = compiler.json(operand.document, (*operand.path, optional.field))
    condition = case((f"{operand.type_sql} = 'object'", f"{child.type_sql} IS NOT NULL"))
    return Choice(condition, child, default)
