"""How fast queries are: against hand-written SQL, against an interpreter row by row, and beside foreign rows.

Run it with `python -m integration.bench.bench_query [ROWS [FOREIGN_ROWS]]`. Every ratio compares runs of one process
on one catalog, alternating, so that a busy machine slows both sides.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.catalog.schema import prepare_catalog
from swampsync.query.content_cache import SCHEMA_NAME, TABLE, ContentCache
from swampsync.query.fields import FIELDS
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query
from swampsync.testing.sample_rows import make_sample_row

ORDER = "ORDER BY created_at, namespace, type_normalized, model_id, data_name, version"
JOINED = (
    f"catalog AS c LEFT JOIN {SCHEMA_NAME}.{TABLE} AS j ON j.id = c.id AND j.version = c.version "
    "AND j.size = c.size AND j.created_at = c.created_at"
)
# The predicate, and the SQL that somebody who knows the tables would write for it.
CASES: dict[str, tuple[str, str]] = {
    "model and tag": (
        'modelName == "m7" && tags.env == "prod"',
        f"""SELECT data_name FROM catalog WHERE is_latest = 1 AND model_name = 'm7'
            AND json_extract(tags, '$.env') = 'prod' {ORDER}""",
    ),
    "size": ("size > 4000", f"SELECT data_name FROM catalog WHERE is_latest = 1 AND size > 4000 {ORDER}"),
    "name contains": (
        'name.contains("7")',
        f"SELECT data_name FROM catalog WHERE is_latest = 1 AND instr(data_name, '7') > 0 {ORDER}",
    ),
    "attribute": (
        'attributes.status == "failed"',
        f"""SELECT c.data_name FROM {JOINED} WHERE c.is_latest = 1 AND json_extract(j.json, '$.status') = 'failed'
            ORDER BY c.created_at, c.namespace, c.type_normalized, c.model_id, c.data_name, c.version""",
    ),
}


# A reserved word to the interpreter.
UNKNOWN = {"namespace"}


def tune(sql: str) -> str:
    """Return the SQL of somebody who also knows which indexes of the catalog to keep SQLite from walking."""
    sql = sql.replace("c.is_latest", "+c.is_latest").replace(" is_latest", " +is_latest")
    return sql.replace("ORDER BY created_at", "ORDER BY +created_at").replace("BY c.created_at", "BY +c.created_at")


class Generated:
    """JSON content of about one KiB, made when it is asked for."""

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version."""
        return make_content(row)

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing: no digest is known beforehand."""
        del row
        return None


def make_content(row: CatalogRow) -> bytes:
    """Return the content of a version: a status that is `failed` for one in ten, and padding."""
    number = int(row.id.rpartition("-")[2])
    status = "failed" if number % 10 == 0 else "succeeded"
    steps = [{"name": f"step-{i}", "ok": i % 3 == 0, "seconds": i * 0.5} for i in range(18)]
    return json.dumps({"exitCode": number % 3, "status": status, "steps": steps, "log": "x" * 120}).encode()


def make_row(number: int, namespace: str = "") -> CatalogRow:
    """Return the number-th version, the latest of its artifact."""
    model = number % 200
    tags = {
        "type": "resource",
        "specName": "result",
        "modelName": f"m{model}",
        "env": ("prod", "dev", "qa")[number % 3],
    }
    return make_sample_row(
        namespace=namespace,
        model_id=f"0fe7cbe8-c8f1-4a14-811f-{model:012d}",
        data_name=f"result-{number:06d}",
        id=f"fcf67848-fd5a-{namespace}-{number}",
        version=1 + number % 5,
        model_name=f"m{model}",
        size=(number * 7919) % 8000,
        created_at=make_time(number),
        tags=json.dumps(tags, separators=(",", ":")),
        owner_ref=f"0fe7cbe8-c8f1-4a14-811f-{model:012d}",
    )


def make_time(number: int) -> str:
    """Return a time of creation, hardly ever the same for two versions."""
    day = f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}"
    return f"{day}T{number % 24:02d}:{number % 60:02d}:{number // 7 % 60:02d}.{number * 37 % 1000:03d}Z"


def make_catalog(path: str, count: int, *, namespace: str = "", first: int = 0) -> sqlite3.Connection:
    """Open a catalog and add rows to it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = 0")
    prepare_catalog(connection)
    connection.execute("BEGIN")
    insert = f"INSERT INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})"
    connection.executemany(insert, (make_row(number, namespace) for number in range(first, first + count)))
    connection.execute("COMMIT")
    return connection


def make_cache(path: str) -> ContentCache:
    """Return a cache of content over a state database."""

    @contextmanager
    def transaction() -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    return ContentCache(path, transaction)


def measure(*sides: Callable[[], int], repeats: int = 5) -> list[float]:
    """Return the median seconds of each side, run in turns."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for side, taken in zip(sides, times, strict=True):
            start = time.perf_counter()
            side()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def bench_against_sql(rows: int = 100_000) -> dict[str, dict[str, float]]:
    """Compare each case with hand-written SQL and with common-expression-language row by row, over `rows` versions."""
    import cel  # noqa: PLC0415  of the tests only

    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory, closing(make_catalog(f"{directory}/c.db", rows)) as connection:
        cache = make_cache(f"{directory}/s.db")
        contents = Generated()
        for name, (predicate, sql) in CASES.items():
            query = prepare_query(predicate, select="name")

            def ours(query: Any = query) -> int:
                return sum(1 for _ in run_query(connection, query, contents=contents, cache=cache))

            start = time.perf_counter()
            ours()
            first = time.perf_counter() - start

            def by_hand(sql: str = sql) -> int:
                return len(connection.execute(sql).fetchall())

            program = cel.compile(predicate)

            def row_by_row(program: Any = program, predicate: str = predicate) -> int:
                return _interpret(connection, program, contents if "attributes" in predicate else None)

            def tuned(sql: str = sql) -> int:
                return len(connection.execute(tune(sql)).fetchall())

            assert ours() == by_hand() == tuned() == row_by_row(), name
            our_time, sql_time, tuned_time = measure(ours, by_hand, tuned)
            (cel_time,) = measure(row_by_row, repeats=1)
            figures[name] = {
                "rows": rows,
                "results": ours(),
                "first_seconds": first,
                "seconds": our_time,
                "sql_seconds": sql_time,
                "tuned_sql_seconds": tuned_time,
                "cel_seconds": cel_time,
                "times_sql": our_time / sql_time,
                "times_tuned_sql": our_time / tuned_time,
                "cel_over_ours": cel_time / our_time,
            }
    return figures


def _interpret(connection: sqlite3.Connection, program: Any, contents: Generated | None) -> int:
    found = 0
    for values in connection.execute("SELECT * FROM catalog WHERE is_latest = 1"):
        row = CatalogRow(*values)
        context = {
            name: getattr(row, field.column) for name, field in FIELDS.items() if field.column and name not in UNKNOWN
        }
        context["tags"] = json.loads(row.tags)
        if contents is not None:
            context["attributes"] = json.loads(contents.read_content(row) or b"{}")
        try:
            found += program.execute(context) is True
        except (KeyError, TypeError, RuntimeError):
            continue
    return found


def bench_foreign_rows(own: int = 100_000, foreign: int = 1_000_000) -> dict[str, dict[str, float]]:
    """Compare queries bound to one namespace without and with rows of others in the catalog."""
    predicates = {
        "metadata": 'ns == "own" && size > 7000',
        "model": 'ns == "own" && modelName == "m7"',
        "page": 'ns == "own" && name.contains("7")',
    }
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory:  # noqa: SIM117  the catalogs lie in it
        with (
            closing(make_catalog(f"{directory}/alone.db", own, namespace="own")) as alone,
            closing(make_catalog(f"{directory}/shared.db", foreign // 2, namespace="aaa")) as shared,
        ):
            for part in range(0, own, 1000):  # our rows lie between those of others, as writers take turns
                make_catalog(f"{directory}/shared.db", min(1000, own - part), namespace="own", first=part).close()
                share = foreign // 2 // max(1, own // 1000)
                make_catalog(f"{directory}/shared.db", share, namespace="zzz", first=part // 1000 * share).close()
            for name, predicate in predicates.items():
                query = prepare_query(predicate, select="name", limit=100 if name == "page" else None)

                def count(connection: sqlite3.Connection, query: Any = query) -> int:
                    return sum(1 for _ in run_query(connection, query))

                assert count(alone) == count(shared), name
                without, beside = measure(lambda: count(alone), lambda: count(shared), repeats=7)
                figures[name] = {
                    "own": own,
                    "foreign": foreign,
                    "alone_seconds": without,
                    "beside_seconds": beside,
                    "ratio": beside / without,
                }
    return figures


def bench_process(rows: int = 10_000) -> dict[str, float]:
    """Compare a whole process that prints 100 results of a predicate on metadata with `python -c pass`."""
    program = (
        "import sqlite3, sys\n"
        "from swampsync.query.prepared import prepare_query\n"
        "from swampsync.query.run import run_query\n"
        "from swampsync.cli.query_output import write_results\n"
        "from swampsync.cli.console import Console\n"
        "from swampsync.namespace import SOLO\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "query = prepare_query('size > 4000 && tags.env == \"prod\"', limit=100)\n"
        "write_results(Console(is_json=True), run_query(connection, query), own=SOLO)\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        make_catalog(f"{directory}/c.db", rows).close()

        def start(*arguments: str) -> int:
            environment = {**os.environ, "PYTHONPATH": os.getcwd()}
            return subprocess.run(
                [sys.executable, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            ).returncode

        nothing, query = measure(
            lambda: start("-c", "pass"), lambda: start("-c", program, f"{directory}/c.db"), repeats=11
        )
    return {"pass_seconds": nothing, "query_seconds": query, "ratio": query / nothing}


def main(arguments: list[str]) -> None:
    """Print all figures as JSON."""
    rows = int(arguments[0]) if arguments else 100_000
    foreign = int(arguments[1]) if len(arguments) > 1 else 10 * rows
    figures = {
        "against_sql": bench_against_sql(rows),
        "foreign_rows": bench_foreign_rows(rows, foreign),
        "process": bench_process(),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
