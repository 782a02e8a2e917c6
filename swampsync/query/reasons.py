"""Why rows failed that SQL only counted: the evaluator is asked about a sample of them."""

from __future__ import annotations

import sqlite3
from typing import Final

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.query.activation import Activation, ContentSource
from swampsync.query.ast import Node
from swampsync.query.evaluator import Evaluator
from swampsync.query.failures import Failures
from swampsync.query.values import EvaluationError

NOT_BOOL: Final = "the predicate is neither true nor false"
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM catalog WHERE rowid = ?"  # noqa: S608  columns are constants


def find_reasons(
    connection: sqlite3.Connection,
    failures: Failures,
    tree: Node,
    *,
    contents: ContentSource,
    must_be_bool: bool = False,
) -> None:
    """Evaluate an expression for the sampled rows, and note why it failed.

    Args:
        connection: The catalog.
        failures: The rows, whose sample is used up.
        tree: The expression.
        contents: Where content comes from.
        must_be_bool: Whether any other value is a failure too.
    """
    evaluator = Evaluator(tree) if failures.sample else None
    for rowid in failures.sample:
        values = connection.execute(_SELECT, (rowid,)).fetchone()
        if evaluator is None or values is None:
            continue
        try:
            answer = evaluator.evaluate(Activation(CatalogRow(*values), contents))
        except EvaluationError as error:
            failures.explain_row(error.reason)
        else:
            if must_be_bool and type(answer) is not bool:
                failures.explain_row(NOT_BOOL)
    failures.sample.clear()
