"""What swamp printed for its own repos comes out of our queries too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.catalog.schema import prepare_catalog
from swampsync.errors import QueryError
from swampsync.query.fields import FIELDS
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query
from swampsync.testing.query_harness import QueryHarness

EXPECTED = Path(__file__).parents[2] / "fixtures" / "expected"
REPOS = ("swamp-solo", "swamp-shared-app", "swamp-shared-infra")


def commands(repo: str) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
    """Yield file, exit status, predicate and options of the recorded queries."""
    for line in (EXPECTED / repo / "INDEX.tsv").read_text().splitlines():
        file, status, arguments = line.split("\t")
        if not arguments.startswith("data query "):
            continue
        predicate, options = arguments.removeprefix("data query ").rstrip(" "), dict[str, Any]()
        if " --limit " in predicate:
            predicate, _, limit = predicate.partition(" --limit ")
            options = {"limit": int(limit)}
        elif " --select " in predicate:
            predicate, _, select = predicate.partition(" --select ")
            options = {"select": select}
        yield file, int(status), predicate, options


CASES = [(repo, *command) for repo in REPOS for command in commands(repo)]


class Recorded:
    """The versions that a recorded listing holds, with their content."""

    def __init__(self, repo: str) -> None:
        results = json.loads((EXPECTED / repo / "query-all-versions.json").read_text())["results"]
        keys = {field.column: (name, field.kind) for name, field in FIELDS.items() if field.column and name != "ns"}
        self.contents: dict[tuple[str, int], bytes] = {}
        self.rows: list[CatalogRow] = []
        for record in results:
            values: list[Any] = []
            for column in COLUMNS:
                name, kind = keys[column]
                value = record[name]
                values.append(json.dumps(value) if kind == "map" else int(value) if kind == "bool" else value)
            row = CatalogRow(*values)
            self.rows.append(row)
            self.contents[row.id, row.version] = json.dumps(record["content"]).encode()

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return recorded JSON; text was not recorded."""
        return self.contents[row.id, row.version]

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing."""
        del row
        return None


def by_id(records: list[Any]) -> list[str]:
    """Return records in an order of their own: swamp's is that of its table, which nobody can repeat."""
    return sorted(json.dumps(record, sort_keys=True) for record in records)


@pytest.mark.parametrize(
    ("repo", "file", "status", "predicate", "options"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_recorded_query_comes_out_equal(
    harness: QueryHarness, *, repo: str, file: str, status: int, predicate: str, options: dict[str, Any]
) -> None:
    """Every recorded result is ours, whichever way the predicate is run, and what swamp refused is refused."""
    if status:
        with pytest.raises(QueryError) as caught:
            prepare_query(predicate, **options)
        error = json.loads((EXPECTED / repo / f"{file}.err").read_text())["error"]
        if file == "query-unknown-field.json":
            assert caught.value.message.split("\n")[0] == error.split("\n")[0]
        else:
            assert caught.value.message.split("\n")[1:] == error.split("\n")[1:]  # the same place
        return
    wanted = json.loads((EXPECTED / repo / file).read_text())
    recorded = Recorded(repo)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        prepare_catalog(connection)
        connection.executemany(f"INSERT INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})", recorded.rows)
        for cache in (harness.cache, None):
            run = run_query(connection, prepare_query(predicate, **options), contents=recorded, cache=cache)
            found = list(run)
            assert run.is_limited is wanted["limited"]
            assert run.total == wanted["total"]
            if "limit" not in options:  # which ones are first is a matter of order
                assert by_id(found) == by_id(wanted["results"])
                assert [list(r) if isinstance(r, dict) else r for r in found[:1]] == [
                    list(r) if isinstance(r, dict) else r for r in wanted["results"] if r == found[0]
                ][:1]


def test_recordings_are_all_there() -> None:
    """Each repo has its recorded queries, two of which swamp refuses."""
    for repo in REPOS:
        cases = [case for case in CASES if case[0] == repo]
        assert len(cases) >= 16
        assert sum(case[2] for case in cases) == 2
