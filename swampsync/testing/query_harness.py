"""Asks one predicate in every way there is, and holds the answers equal to each other and to an oracle."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from swampsync.catalog.rows import COLUMNS
from swampsync.catalog.schema import prepare_catalog
from swampsync.errors import QueryError
from swampsync.query.activation import Activation
from swampsync.query.content_cache import ContentCache
from swampsync.query.evaluator import Evaluator
from swampsync.query.prepared import PreparedQuery, prepare_query
from swampsync.query.run import QueryRun, run_query
from swampsync.query.values import EvaluationError
from swampsync.testing.query_strategies import Contents, Version

# What a row's predicate came to: true, false, or nothing because it failed.
Answer = bool | None
Oracle = Callable[[str], Callable[[Mapping[str, Any]], Answer]]

ORACLE_FIELDS: Final = (
    "name", "modelName", "specName", "dataType", "ns", "ownerRef", "contentType", "createdAt", "size", "version",
    "streaming", "isLatest", "tags", "attributes",
)  # fmt: skip


class QueryHarness:
    """A catalog in memory with a cache of content in a file.

    Args:
        state_path: The state database; a new file.
    """

    def __init__(self, state_path: str) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        prepare_catalog(self.connection)
        self._writer = sqlite3.connect(state_path, isolation_level=None)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = 0")
        self.cache = ContentCache(state_path, self._transaction)
        self.compiled = 0
        self.split = 0

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        finally:
            self._writer.execute("COMMIT")

    def close(self) -> None:
        """Close both databases."""
        self.connection.close()
        self._writer.close()

    def load(self, versions: Sequence[Version]) -> Contents:
        """Make the catalog hold just these versions."""
        self.connection.execute("DELETE FROM catalog")
        insert = f"INSERT INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  placeholders
        self.connection.executemany(insert, [version.row for version in versions])
        return Contents(list(versions))

    def check(self, predicate: str, versions: Sequence[Version], *, oracle: Oracle | None = None) -> None:
        """Ask a predicate of versions: compiled, split, evaluated, by the evaluator alone, and of an oracle.

        Raises:
            AssertionError: Two answers differ.
        """
        contents = self.load(versions)
        query = prepare_query(predicate)
        asked = [version for version in versions if version.row.is_latest or not query.is_latest_only]
        answers = _evaluate(query, asked, contents)
        wanted = sorted(v.row.id for v, answer in zip(asked, answers, strict=True) if answer)
        failed = answers.count(None)
        if oracle is not None:
            self._check_oracle(predicate, asked, answers, contents, oracle)
        try:
            runs = {
                "compiled": run_query(self.connection, query, contents=contents, cache=self.cache),
                "without content in SQL": run_query(self.connection, query, contents=contents),
                "evaluated": run_query(self.connection, query, contents=contents, cache=self.cache),
            }
        except QueryError:
            assert not wanted, f"{predicate} was refused, but holds for {wanted}"
            return
        runs["evaluated"].evaluate_everything()
        orders = set()
        for name, run in runs.items():
            found = [record["id"] for record in run]
            orders.add(tuple(found))
            assert sorted(found) == wanted, f"{name}: {predicate}\n{run.statement.sql}"
            assert run.fallback_reason is None, f"{name}: {predicate}: {run.fallback_reason}"
            assert run.skipped.count == failed, f"{name}: {predicate}: {run.skipped.reasons}\n{run.statement.sql}"
        assert len(orders) == 1, f"the orders differ: {predicate}"
        self._count(runs["compiled"])

    def _count(self, run: QueryRun) -> None:
        if run.residual:
            self.split += 1
        else:
            self.compiled += 1

    @staticmethod
    def _check_oracle(
        predicate: str, versions: Sequence[Version], answers: Sequence[Answer], contents: Contents, oracle: Oracle
    ) -> None:
        ask = oracle(predicate)
        for version, answer in zip(versions, answers, strict=True):
            activation = Activation(version.row, contents)
            context = {name: activation.field(name) for name in ORACLE_FIELDS}
            assert ask(context) is answer, f"{predicate}: the oracle says otherwise of {context}"


def _evaluate(query: PreparedQuery, versions: Sequence[Version], contents: Contents) -> list[Answer]:
    evaluator = Evaluator(query.tree)
    answers: list[Answer] = []
    for version in versions:
        try:
            value = evaluator.evaluate(Activation(version.row, contents))
        except EvaluationError:
            value = None
        answers.append(value if isinstance(value, bool) else None)
    return answers


def cel_oracle(predicate: str) -> Callable[[Mapping[str, Any]], Answer]:
    """Ask common-expression-language, which is installed for tests only."""
    import cel  # noqa: PLC0415  of the tests only

    program = cel.compile(predicate)

    def ask(context: Mapping[str, Any]) -> Answer:
        try:
            value = program.execute(dict(context))
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError, ArithmeticError):
            return None
        return value if isinstance(value, bool) else None

    return ask
