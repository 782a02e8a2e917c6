"""The macros that walk a list or the keys of a map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from swampsync.query.activation import Activation
from swampsync.query.deciding import decide
from swampsync.query.values import EvaluationError, a_type, from_key, type_name

Evaluate: TypeAlias = Callable[[Activation], Any]


def _range(value: Any, kind: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [from_key(key) for key in value]
    raise EvaluationError(f"no such overload: {type_name(value)}.{kind}(…)")


def _quantify(target: Evaluate, slot: int, body: Evaluate, condition: Evaluate | None, kind: str) -> Evaluate:
    del condition
    decisive = kind == "exists"

    def bodies(env: Activation) -> Iterator[Evaluate]:
        for item in _range(target(env), kind):
            env.charge(1)
            env.slots[slot] = item
            yield body

    def refuse(value: Any) -> EvaluationError:
        return EvaluationError(f"{kind}() over {a_type(value)}")

    return lambda env: decide(env, asked=bodies(env), decisive=decisive, refuse=refuse)


def _truth(value: Any, kind: str) -> bool:
    if type(value) is bool:
        return value
    raise EvaluationError(f"{kind}() over {a_type(value)}")


def _exists_one(target: Evaluate, slot: int, body: Evaluate, condition: Evaluate | None, kind: str) -> Evaluate:
    del condition

    def count(env: Activation) -> bool:
        found = 0
        for item in _range(target(env), kind):
            env.charge(1)
            env.slots[slot] = item
            found += _truth(body(env), kind)
        return found == 1

    return count


def _map(target: Evaluate, slot: int, body: Evaluate, condition: Evaluate | None, kind: str) -> Evaluate:
    def transform(env: Activation) -> list[Any]:
        values = []
        for item in _range(target(env), kind):
            env.charge(1)
            env.slots[slot] = item
            if condition is None or _truth(condition(env), kind):
                values.append(body(env))
        return values

    return transform


def _filter(target: Evaluate, slot: int, body: Evaluate, condition: Evaluate | None, kind: str) -> Evaluate:
    del condition

    def keep(env: Activation) -> list[Any]:
        values = []
        for item in _range(target(env), kind):
            env.charge(1)
            env.slots[slot] = item
            if _truth(body(env), kind):
                values.append(item)
        return values

    return keep


MACROS: Final[dict[str, Callable[..., Evaluate]]] = {
    "all": _quantify,
    "exists": _quantify,
    "exists_one": _exists_one,
    "map": _map,
    "filter": _filter,
}
