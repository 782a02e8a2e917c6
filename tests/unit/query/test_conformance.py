"""The cases of the CEL specification, one expression each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swampsync.errors import QueryError
from swampsync.query.check import check_expression
from swampsync.query.evaluator import fold
from swampsync.query.parser import parse
from swampsync.query.values import EvaluationError, equals, type_name


def read_cases() -> list[tuple[str, str]]:
    """Return expressions and what they equal; a text that is not closed on its line goes on in the next."""
    cases = []
    pending = ""
    for line in (Path(__file__).parent / "conformance.txt").read_text(encoding="utf-8").split("\n"):
        if not pending and (not line.strip() or line.startswith("#")):
            continue
        pending = f"{pending}\n{line}" if pending else line
        if " -> " in line:
            expression, _, wanted = pending.rpartition(" -> ")
            cases.append((expression, wanted))
            pending = ""
    return cases


def evaluate(source: str) -> Any:
    """Evaluate an expression that looks at no row."""
    tree = parse(source)
    check_expression(source, tree, what="predicate")
    return fold(tree)


CASES = read_cases()


@pytest.mark.parametrize(("expression", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_expression_means_what_the_specification_says(expression: str, wanted: str) -> None:
    """An expression has the value and the type, or fails for the reason, that the specification gives it."""
    if wanted == "syntax":
        with pytest.raises(QueryError, match="unexpected"):
            parse(expression)
    elif wanted.startswith("error: "):
        with pytest.raises(EvaluationError) as caught:
            evaluate(expression)
        assert wanted.removeprefix("error: ") in caught.value.reason
    else:
        found, expected = evaluate(expression), evaluate(wanted)
        assert equals(found, expected), f"{found!r} is not {expected!r}"
        assert type_name(found) == type_name(expected)
        assert type(found) is type(expected)


def test_cases_are_many() -> None:
    """The list of cases was read whole."""
    assert len(CASES) > 300
