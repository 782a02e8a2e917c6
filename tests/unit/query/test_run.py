"""Running queries: order, pages, limits, and rows that have no answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from swampsync.errors import InvalidInput, QueryError
from swampsync.query.prepared import prepare_query
from swampsync.query.run import QueryRun, run_query

Ask = Callable[..., list[Any]]


def run(catalog: Any, predicate: str, **options: Any) -> QueryRun:
    return run_query(catalog.connection, prepare_query(predicate, **options), contents=catalog, cache=catalog.cache)


def names(records: list[Any]) -> list[str]:
    return [record["name"] for record in records]


def test_record_has_swamps_keys_in_order(catalog: Any, ask: Ask) -> None:
    """A result is what swamp prints: its keys in its order, the content last."""
    catalog.add(content={"exitCode": 0}, tags={"env": "prod"}, streaming=1, step_name="s", source="x")
    (record,) = ask("size > 0")
    assert " ".join(record) == (
        "id name version isLatest createdAt namespace tags modelName modelId modelType specName dataType contentType "
        "lifetime ownerType streaming size ownerRef workflowRunId workflowName jobName stepName source content"
    )
    assert record["isLatest"] is True
    assert record["streaming"] is True
    assert record["tags"] == {"env": "prod"}
    assert record["content"] == {"exitCode": 0}


def test_text_content_comes_only_when_content_is_asked_for(catalog: Any, ask: Ask) -> None:
    """Text stays out of results unless the predicate mentions content; JSON is always there."""
    catalog.add(content=b"hello \xc3\xa9\xff", content_type="text/plain")
    assert ask("size > 0")[0]["content"] == ""
    assert ask('content.contains("hello")')[0]["content"] == "hello é\ufffd"
    catalog.add(content=b"\x00\x01", content_type="application/octet-stream", size=1)
    assert ask('size == 1 && content == ""')[0]["content"] == ""


@pytest.mark.parametrize("data", [b"no json", b"", b"NaN", b'{"a": Infinity}', b'"\xff"'])
def test_json_that_is_none_is_an_empty_map(catalog: Any, ask: Ask, data: bytes) -> None:
    """Content that says it is JSON and is not counts as having no attributes."""
    catalog.add(content=data)
    assert ask("size > 0")[0]["content"] == {}
    assert len(ask("!has(attributes.a)")) == 1


def test_numbers_of_json_are_whole_where_they_are(catalog: Any, ask: Ask) -> None:
    """`1.0` prints as 1, as in swamp; what an integer cannot hold is a double."""
    catalog.add(
        content=b'{"a": 1.0, "b": 1e3, "c": 0.5, "d": 123456789012345678901234567890, "e": 9223372036854775807}'
    )
    content = ask("size > 0")[0]["content"]
    assert content == {"a": 1, "b": 1000, "c": 0.5, "d": 1.2345678901234568e29, "e": 9223372036854775807}
    assert [type(value) for value in content.values()] == [int, int, float, float, int]
    assert ask("attributes.a + 1 == 2 && attributes.b % 7 == 6 && attributes.c * 2 == 1.0", select="name") == [
        "result-0"
    ]


def test_latest_rule_hides_older_versions(catalog: Any, ask: Ask) -> None:
    """Old versions are found only by predicates that speak of versions."""
    catalog.add(version=1, is_latest=0, data_name="r")
    catalog.add(version=2, is_latest=1, data_name="r")
    assert [r["version"] for r in ask('name == "r"')] == [2]
    assert [r["version"] for r in ask('name == "r" && version >= 1')] == [1, 2]
    assert [r["version"] for r in ask("!isLatest")] == [1]


def test_order_is_by_creation_then_key(catalog: Any, ask: Ask) -> None:
    """Results come by time of creation; the key decides between equals."""
    catalog.add(data_name="c", created_at="2026-01-02T00:00:00.000Z")
    catalog.add(data_name="b", created_at="2026-01-01T00:00:00.000Z")
    catalog.add(data_name="a", created_at="2026-01-02T00:00:00.000Z")
    catalog.add(data_name="z", namespace="app", created_at="2026-01-02T00:00:00.000Z")
    assert names(ask("size > 0")) == ["b", "a", "c", "z"]
    assert names(ask("size > 0", order_by="name:desc")) == ["z", "c", "b", "a"]
    assert names(ask("size > 0", order_by="ns")) == ["b", "a", "c", "z"]
    assert names(ask("size > 0", order_by="ns:desc")) == ["z", "b", "a", "c"]


@pytest.mark.parametrize("order_by", [None, "size", "size:desc", "modelName:desc", "isLatest"])
@pytest.mark.parametrize(
    "predicate",
    ["size >= 0", 'name.split("-").size() == 2', "attributes.n >= 0", 'tags.env == "prod"', 'ns == "app" && size >= 0'],
)
def test_pages_together_are_the_full_listing(catalog: Any, predicate: str, order_by: str | None) -> None:
    """Whatever the page size and the order, following the cursors gives every result once, in order."""
    for number in range(23):
        catalog.add(
            content={"n": number},
            tags={"env": "prod"} if number % 3 else {},
            size=number % 4,
            namespace=("", "app")[number % 2],
            model_name=f"m{number % 5}",
            created_at=f"2026-01-01T00:00:00.00{number % 3}Z",
            is_latest=1,
        )
    full = list(run(catalog, predicate, order_by=order_by))
    assert len(full) > 5
    for page in (1, 4, 7, len(full), 100):
        found: list[Any] = []
        cursor = None
        while True:
            part = run(catalog, predicate, order_by=order_by, limit=page, after=cursor)
            found += list(part)
            assert part.is_limited is (part.next_cursor is not None)
            cursor = part.next_cursor
            if cursor is None:
                break
        assert found == full, page


def test_limit_says_whether_something_was_left_out(catalog: Any) -> None:
    """Exactly as many results as the limit are complete; a limit of none gives none."""
    for _ in range(3):
        catalog.add()
    for limit, total, is_limited in ((None, 3, False), (4, 3, False), (3, 3, False), (2, 2, True), (0, 0, True)):
        part = run(catalog, "size > 0", limit=limit)
        assert len(list(part)) == total
        assert (part.total, part.is_limited) == (total, is_limited)
    nothing = run(catalog, "size > 1000", limit=0)
    assert list(nothing) == []
    assert nothing.is_limited is False


def test_cursor_of_another_query_is_refused(catalog: Any) -> None:
    """A cursor belongs to one predicate, order and namespace, and is checked before it is used."""
    for _ in range(3):
        catalog.add()
    page = run(catalog, "size > 0", limit=1)
    list(page)
    cursor = page.next_cursor
    assert cursor is not None
    for options in ({"order_by": "name"}, {"namespace": "app"}):
        with pytest.raises(InvalidInput, match="belongs to another query"):
            prepare_query("size > 0", after=cursor, **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="belongs to another query"):
        prepare_query("size >= 0", after=cursor)
    for damaged in ("", "x", cursor[:-5], cursor + "A", "é", "bnVsbA", "W10", cursor.swapcase()):
        with pytest.raises(InvalidInput, match="cursor"):
            prepare_query("size > 0", after=damaged)


def test_rows_without_an_answer_are_counted_with_the_reason(catalog: Any) -> None:
    """A missing key skips the row, and says so; rows that the predicate is false for anyway are not counted."""
    catalog.add(tags={"env": "prod"})
    catalog.add(tags={})
    catalog.add(tags={}, size=1)
    part = run(catalog, 'tags.env == "prod" && size == 100')
    assert len(list(part)) == 1
    assert part.residual == ()
    assert part.skipped.describe("skipped") == "1 row skipped: no such key `tags.env`; use has()"


def test_reasons_of_many_rows_are_sampled(catalog: Any) -> None:
    """Of very many failing rows a thousand are asked for their reason, and all are counted."""
    for number in range(1500):
        catalog.add(tags={} if number % 2 else {"n": "x"})
    part = run(catalog, "tags.n > 5")
    assert list(part) == []
    text = part.skipped.describe("skipped")
    assert text.startswith("1,500 rows skipped: ")
    assert "no such overload: string > int" in text
    assert "no such key `tags.n`; use has()" in text


def test_predicate_that_is_never_a_bool_is_refused(catalog: Any) -> None:
    """A field that is no bool is no predicate."""
    with pytest.raises(QueryError, match="the predicate gives a string, it must be true or false"):
        run(catalog, "modelName")
    with pytest.raises(QueryError, match="gives an int"):
        run(catalog, "size + 1")


def test_value_that_is_no_bool_in_some_row_skips_it(catalog: Any) -> None:
    """Where only the row knows the type, a row that is neither true nor false is skipped."""
    catalog.add(content={"ok": True})
    catalog.add(content={"ok": "yes"})
    part = run(catalog, "attributes.ok")
    assert len(list(part)) == 1
    assert part.skipped.describe("skipped") == "1 row skipped: the predicate is neither true nor false"


def test_content_that_is_not_here_is_said(catalog: Any) -> None:
    """A row whose content is missing fails a predicate on it, and is counted where it is only printed."""
    catalog.add()
    part = run(catalog, "attributes.a == 1")
    assert list(part) == []
    assert part.skipped.describe("skipped") == "1 row skipped: the content is not here"
    part = run(catalog, "size > 0")
    assert next(iter(part))["content"] == {}
    assert part.absent == 1


def test_explicit_namespace_narrows_whatever_the_predicate(catalog: Any, ask: Ask) -> None:
    """The namespace of the command line is one more condition; the empty one is solo."""
    catalog.add(namespace="", data_name="s")
    catalog.add(namespace="app", data_name="a")
    assert names(ask("size > 0")) == ["s", "a"]
    assert names(ask("size > 0", namespace="app")) == ["a"]
    assert names(ask("size > 0", namespace="")) == ["s"]
    assert names(ask('ns == "app"', namespace="")) == []


@pytest.mark.parametrize(
    "predicate",
    [
        'ns == "app" && modelName == "m"',
        '"app" == namespace && size > 0',
        'ns == "app" && createdAt > "2020"',
        'ns == "app" && dataType == "resource" && stepName == ""',
        'ns == "app" && attributes.n == 1',
    ],
)
@pytest.mark.parametrize("limit", [None, 10])
def test_query_of_one_namespace_uses_an_index_of_namespaces(catalog: Any, predicate: str, limit: int | None) -> None:
    """Rows of other namespaces are not even looked at, whatever else the predicate says."""
    for number in range(50):
        catalog.add(namespace="app" if number % 10 == 0 else "other", model_name="m", content={"n": 1})
    part = run_query(
        catalog.connection,
        prepare_query(predicate, limit=limit),
        contents=catalog,
        cache=catalog.cache,
        counts_visits=True,
    )
    assert len(list(part)) == 5
    assert part.visited == 5
    plan = catalog.connection.execute(f"EXPLAIN QUERY PLAN {part.shown_sql}", part.shown_parameters).fetchall()
    (scan,) = [row[-1] for row in plan if row[-1].split(" ")[1] == "c"]
    assert "(namespace=?" in scan


def test_equality_with_a_model_uses_its_index(catalog: Any) -> None:
    """The indexes of the catalog serve comparisons with their columns."""
    catalog.add(model_name="m")
    part = run(catalog, 'modelName == "m" && tags.env == "prod"')
    list(part)
    plan = catalog.connection.execute(f"EXPLAIN QUERY PLAN {part.shown_sql}", part.shown_parameters).fetchall()
    assert any("(model_name=?" in row[-1] for row in plan)


def test_page_walks_the_index_of_creation(catalog: Any) -> None:
    """A limited listing needs no sorting of everything."""
    part = run(catalog, "size > 0", limit=10)
    list(part)
    plan = catalog.connection.execute(f"EXPLAIN QUERY PLAN {part.shown_sql}", part.shown_parameters).fetchall()
    assert any("idx_catalog_created_at" in row[-1] for row in plan)


def test_tags_that_are_no_json_are_skipped_and_do_not_stop_the_query(catalog: Any) -> None:
    """One damaged row costs its own result only."""
    catalog.add(tags={"env": "prod"}, data_name="a")
    catalog.connection.execute("UPDATE catalog SET tags = '{broken' WHERE data_name = ?", (catalog.add().data_name,))
    catalog.add(tags={"env": "prod"}, data_name="z")
    for limit in (None, 5):
        part = run(catalog, 'tags.env == "prod"', limit=limit)
        assert names(list(part)) == ["a", "z"]
        assert part.skipped.describe("skipped") == "1 row skipped: the tags are not valid JSON"
        assert part.fallback_reason == "malformed JSON"


def test_statement_beyond_the_limits_of_sqlite_is_evaluated(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite refuses what was compiled, the evaluator gives the same results."""
    catalog.add(data_name="a")
    deep = "(" * 150 + 'name == "a"' + " || size < 0)" * 150
    part = run(catalog, deep)
    assert names(list(part)) == ["a"]
    catalog.connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 5)
    part = run(catalog, 'name == "a" && (size > 1 || (size < 2 && (version == 1 || !streaming)))')
    assert names(list(part)) == ["a"]
    assert part.fallback_reason is not None


@pytest.mark.parametrize("depth", range(0, 900, 50))
def test_deep_recursion_of_the_caller_is_no_crash(catalog: Any, depth: int) -> None:
    """Wherever on the stack a deeply nested query is asked, there is an error of ours or the result."""
    catalog.add()
    deep = "!" * 190 + "(size > 0)"

    def dig(levels: int) -> int:
        if levels:
            return dig(levels - 1)
        return len(list(run(catalog, deep)))

    try:
        assert dig(depth) == 1
    except QueryError as error:
        assert "nested too deeply" in error.message  # noqa: PT017  either is right
    except RecursionError:
        assert depth > 800


def test_two_runs_share_a_connection(catalog: Any) -> None:
    """Results of two queries can be taken in turns from one connection."""
    for number in range(4):
        catalog.add(tags={"n": str(number)} if number else {})
    first, second = run(catalog, 'tags.n >= "1"'), run(catalog, 'tags.n >= "2"')
    left, right = iter(first), iter(second)
    next(left)
    next(right)
    assert len(list(left)) == 2
    assert len(list(right)) == 1
    assert first.skipped.count == second.skipped.count == 1


def test_abandoned_run_leaves_nothing_behind(catalog: Any) -> None:
    """A run that is given up half-way ends its transaction."""
    catalog.add(content={"a": 1})
    catalog.add(content={"a": 1})
    results = iter(run(catalog, "attributes.a == 1"))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not catalog.connection.in_transaction
    catalog.add()


def test_nothing_is_added_to_the_catalog(catalog: Any, ask: Ask) -> None:
    """Swamp's own file keeps its tables and indexes, and no more."""
    before = catalog.connection.execute("SELECT type, name, sql FROM main.sqlite_master ORDER BY name").fetchall()
    catalog.add(content={"a": 1}, tags={})
    ask('attributes.a == 1 && tags.env == "x" && name.matches("^a") && timestamp(createdAt) > timestamp(0)')
    after = catalog.connection.execute("SELECT type, name, sql FROM main.sqlite_master ORDER BY name").fetchall()
    assert after == before


def test_catalog_opened_read_only_can_be_queried(catalog: Any) -> None:
    """A connection that refuses to write answers every query; the cache is written through another one."""
    catalog.add(content={"a": 1})
    catalog.connection.execute("PRAGMA query_only = 1")
    part = run(catalog, "attributes.a == 1")
    assert len(list(part)) == 1
    assert part.residual == ()
    catalog.connection.execute("PRAGMA query_only = 0")


def test_integers_are_integers(catalog: Any, ask: Ask) -> None:
    """Sizes and versions add, divide and leave remainders, also with doubles."""
    catalog.add(size=7)
    for predicate in ("size % 2 == 1", "size + 1 == 8", "size + 1.0 == 8.0", "size / 2 == 3", "size / 2.0 == 3.5"):
        assert len(ask(predicate)) == 1, predicate


def test_comment_at_the_end_is_harmless(catalog: Any, ask: Ask) -> None:
    """The implicit rule is added to the tree, so that a trailing comment swallows nothing."""
    catalog.add(is_latest=0, data_name="old")
    catalog.add(data_name="new")
    assert names(ask("size > 0 // all of them")) == ["new"]
