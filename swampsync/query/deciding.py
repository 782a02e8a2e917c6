"""Whether one of several values decides: for `&&` and `||`, and for the macros `all` and `exists`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from swampsync.query.activation import Activation
from swampsync.query.values import EvaluationError


def decide(
    env: Activation,
    *,
    asked: Iterable[Callable[[Activation], Any]],
    decisive: bool,
    refuse: Callable[[Any], EvaluationError],
) -> bool:
    """Ask one after the other until one gives the decisive answer; an error counts only if none does.

    Args:
        env: What they are asked with.
        asked: They; taken one by one, each asked before the next is taken.
        decisive: The answer that settles it.
        refuse: Makes the error for an answer that is no truth value.

    Raises:
        EvaluationError: None was decisive; the first error of one of them.
    """
    failure: EvaluationError | None = None
    for evaluate in asked:
        try:
            value = evaluate(env)
        except EvaluationError as error:
            failure = failure or error
            continue
        if value is decisive:
            return bool(decisive)
        if type(value) is not bool:
            failure = failure or refuse(value)
    if failure is not None:
        raise failure
    return not decisive
