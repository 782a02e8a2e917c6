"""JSON content beside the catalog: filled once, for candidates only, and never out of date."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swampsync.catalog.rows import CatalogRow
from swampsync.errors import Unavailable
from swampsync.query.content_cache import MAX_CONTENT_BYTES, ContentCache, normalise
from swampsync.query.prepared import prepare_query
from swampsync.query.run import QueryRun, run_query


def run(catalog: Any, predicate: str, **options: Any) -> QueryRun:
    made = run_query(
        catalog.connection,
        prepare_query(predicate, select="name"),
        contents=options.get("contents", catalog),
        cache=options.get("cache", catalog.cache),
    )
    made.names = list(made)  # type: ignore[attr-defined]
    return made


def test_content_is_read_once(catalog: Any) -> None:
    """The second query reads no content at all."""
    for number in range(5):
        catalog.add(content={"n": number})
    assert run(catalog, "attributes.n >= 3").total == 2
    assert sorted(catalog.reads) == [f"id-{n}" for n in range(5)]
    catalog.reads.clear()
    assert run(catalog, "attributes.n < 3").total == 3
    assert catalog.reads == []


def test_only_candidates_are_read(catalog: Any) -> None:
    """What the rest of the predicate rules out is not read."""
    for number in range(10):
        catalog.add(content={"n": 1}, tags={"env": "prod"} if number < 3 else {}, size=number)
    run(catalog, 'size > 1 && has(tags.env) && tags.env == "prod" && attributes.n == 1')
    assert catalog.reads == ["id-2"]


def test_rows_that_fail_otherwise_are_read_too(catalog: Any) -> None:
    """Content may make false, and so uncounted, what another part of the predicate has no answer for."""
    catalog.add(content={"n": 1})
    catalog.add(content={"n": 2})
    made = run(catalog, 'tags.env == "prod" && attributes.n == 1')
    assert made.skipped.count == 1


def test_changed_size_or_time_is_read_again(catalog: Any) -> None:
    """An entry belongs to a version as the catalog knows it."""
    catalog.add(content={"n": 1}, size=10)
    assert run(catalog, "attributes.n == 1").total == 1
    catalog.contents["id-0"] = b'{"n": 2, "m": 1}'
    catalog.connection.execute("UPDATE catalog SET size = 16")
    assert run(catalog, "attributes.n == 2").total == 1
    catalog.contents["id-0"] = b'{"n": 3, "m": 1}'
    catalog.connection.execute("UPDATE catalog SET created_at = '2026-12-01T00:00:00.000Z'")
    assert run(catalog, "attributes.n == 3").total == 1
    catalog.contents["id-9"] = b'{"n": 4, "m": 1}'
    catalog.connection.execute("UPDATE catalog SET id = 'id-9'")
    assert run(catalog, "attributes.n == 4").total == 1


def test_same_digest_is_not_read_again(catalog: Any) -> None:
    """Where the digest is known and the same, only the entry's key moves."""

    class Digests:
        def read_content(self, row: CatalogRow) -> bytes | None:
            return bytes(catalog.read_content(row))

        def digest(self, row: CatalogRow) -> str | None:
            return hashlib.sha256(catalog.contents[row.id]).hexdigest()

    catalog.add(content={"n": 1})
    assert run(catalog, "attributes.n == 1", contents=Digests()).total == 1
    catalog.reads.clear()
    catalog.connection.execute("UPDATE catalog SET created_at = '2026-12-01T00:00:00.000Z'")
    assert run(catalog, "attributes.n == 1", contents=Digests()).total == 1
    assert catalog.reads == []


def test_forgotten_content_is_read_again(catalog: Any) -> None:
    """Whoever changes content in place says so."""
    catalog.add(content={"n": 1})
    assert run(catalog, "attributes.n == 1").total == 1
    catalog.contents["id-0"] = b'{"n": 2}'
    catalog.cache.forget("id-0", 1)
    assert run(catalog, "attributes.n == 2").total == 1


def test_large_content_is_evaluated(catalog: Any) -> None:
    """Content above 64 KiB is not kept, and found all the same."""
    catalog.add(content={"n": 1, "pad": "x" * MAX_CONTENT_BYTES}, size=MAX_CONTENT_BYTES + 20)
    catalog.add(content={"n": 1})
    assert run(catalog, "attributes.n == 1").total == 2
    catalog.reads.clear()
    assert run(catalog, "attributes.n == 1").total == 2
    assert catalog.reads == ["id-0"]


def test_size_that_understates_the_content_is_no_way_in(catalog: Any) -> None:
    """The bytes count, not what the catalog says of them."""
    catalog.add(content={"n": 1, "pad": "x" * MAX_CONTENT_BYTES}, size=5)
    assert run(catalog, "attributes.n == 1").total == 1


def test_missing_content_is_asked_for_again(catalog: Any) -> None:
    """Content that was not here is not remembered as missing."""
    catalog.add()
    assert run(catalog, "attributes.n == 1").total == 0
    catalog.contents["id-0"] = b'{"n": 1}'
    assert run(catalog, "attributes.n == 1").total == 1


def test_nothing_is_lost_when_the_cache_cannot_be_written(catalog: Any, tmp_path: Path) -> None:
    """Where another process keeps the state database busy, content is evaluated without keeping it."""
    path = str(tmp_path / "other.db")
    is_busy = False

    @contextmanager
    def transaction() -> Iterator[sqlite3.Connection]:
        if is_busy:
            raise Unavailable("busy")
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    cache = ContentCache(path, transaction)
    catalog.add(content={"n": 1})
    run(catalog, "attributes.n == 2", cache=cache)
    catalog.add(content={"n": 1})
    is_busy = True
    made = run(catalog, "attributes.n == 1", cache=cache)
    assert made.total == 2


def test_many_rows_are_filled_in_parts(catalog: Any) -> None:
    """More rows than are read at once all get their entry."""
    for number in range(4500):
        catalog.add(content={"n": number % 10}, version=number)
    assert run(catalog, "attributes.n == 3 && version >= 0").total == 450
    assert len(catalog.reads) == 4500


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b'{"a": 1.0, "b": [1, 2.5], "a": 2}', '{"a":2,"b":[1,2.5]}'),
        (b"\xef\xbb\xbf{}", "{}"),
        (b"none", "{}"),
        (b"NaN", "{}"),
        (b"\xff", "{}"),
        (b'"text"', '"text"'),
        (b"null", "null"),
        ('{"ü": "\u2028"}'.encode(), '{"ü":"\u2028"}'),
        (b'{"a": 0.1234567890123456789}', None),
        (b'{"a": 1e300}', None),
        (b'{"a": 123456789012345678901}', None),
        (b'{"a": "\\u0000"}', None),
        (b'{"a": "\\ud800"}', None),
        (b"[" * 300 + b"]" * 300, None),
        (b"[" * 60_000, None),
        (b'"' + b"x" * MAX_CONTENT_BYTES + b'"', None),
    ],
)
def test_kept_text_is_read_by_sqlite_as_by_us(data: bytes, wanted: str | None) -> None:
    """JSON is normalised; what SQLite would read differently is not kept."""
    assert normalise(data) == wanted
    if wanted is not None:
        connection = sqlite3.connect(":memory:")
        (text,) = connection.execute("SELECT json(?)", (wanted,)).fetchone()
        assert json.loads(text) == json.loads(wanted)
        connection.close()
