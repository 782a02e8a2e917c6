"""What becomes SQL, and what is left to the evaluator: the table of the design page."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from swampsync.query.fragments import MAX_PARAMETERS
from swampsync.query.prepared import prepare_query
from swampsync.query.run import QueryRun, run_query

COMPILED = [
    'name == "a"',
    'name != "a"',
    'name < "b"',
    '"a" <= name',
    "size > 10",
    "size >= 10.5",
    "version == 3u",
    "isLatest",
    "!streaming",
    "streaming == true",
    "isLatest < streaming",
    "name == modelName",
    "size == version",
    "name == 1",
    "name == null",
    "size < 'x'",
    "size > 1 && name == 'a'",
    "size > 1 || name == 'a'",
    "!(size > 1)",
    "streaming ? size > 1 : size > 2",
    '(streaming ? "s" : "n") == "s"',
    "size + 1 > version * 2",
    "size % 2 == 1",
    "size / version > 3",
    "size % version == 0",
    "-size < 0",
    "size * 1.5 > 3.0",
    "size / 2.0 > 1.0",
    "size * size * size > 5",
    "double(size) > 0.5",
    "int(size) == 1",
    'name in ["a", "b"]',
    "size in [1, 2.5, 'x']",
    "size in [version, 1]",
    "name in []",
    "streaming in [true]",
    'name.contains("a")',
    'name.startsWith("a")',
    'name.endsWith("a")',
    "name.endsWith(modelName)",
    "modelName.contains(name)",
    'name.matches("^a")',
    'matches(name, "^a")',
    'name.lowerAscii() == "a"',
    'name.upperAscii() == "A"',
    'name.trim() == "a"',
    "name.size() > 1",
    "size(name) > 1",
    'name.indexOf("a") == 0',
    'name.substring(1) == "b"',
    "name.substring(0, size) == 'b'",
    'name + "/" + modelName == "a/b"',
    'string(size) == "1"',
    'string(streaming) == "true"',
    'dyn(name) == "a"',
    'tags.env == "prod"',
    'tags["env"] == "prod"',
    'tags.env != "prod"',
    'tags.env < "prod"',
    "has(tags.env)",
    '"env" in tags',
    "size(tags) == 2",
    'tags.env.contains("p")',
    'tags.env in ["a", "b"]',
    "tags.env == name",
    'tags.`a-b` == "x"',
    'attributes.status == "failed"',
    "attributes.a.b[0].c == 1",
    "attributes.n > 5",
    "attributes.n == 1.5",
    "attributes.ok",
    "!attributes.ok",
    "attributes.ok == true",
    "attributes.x == null",
    "has(attributes.a)",
    "has(attributes.a.b)",
    "attributes.name == modelName",
    'attributes.s.startsWith("a")',
    'attributes.n in [1, "a", true, null]',
    '"a" in attributes.list',
    "1 in attributes.list",
    "size(attributes.list) > 1",
    'attributes.s == "{}"',
    'attributes["a b"] == 1',
    'timestamp(createdAt) > timestamp("2026-01-01T00:00:00Z")',
    'timestamp(createdAt) == timestamp("2026-01-01T00:00:00.0001Z")',
    'timestamp(createdAt) + duration("1h") > timestamp("2026-01-01T00:00:00Z")',
    'timestamp("2026-06-01T00:00:00Z") - timestamp(createdAt) > duration("24h")',
    "timestamp(createdAt).getFullYear() == 2026",
    "timestamp(createdAt).getDayOfWeek() == 0",
    "(timestamp(createdAt) - timestamp(0)).getHours() > 5",
    'createdAt > "2026-06"',
    "1 == 1",
    "true",
]

COMPILED += [
    "attributes.list.exists(x, x > 1)",
    "attributes.list.all(x, has(x.a) && x.a in [1, 2])",
    'attributes.deep.exists_one(k, k.startsWith("a"))',
    'tags.exists(k, k == "env")',
    "attributes.n + 1 == 2",
    "attributes.n * 1.5 > 2.0",
    "attributes.n % 2 == 1",
    'attributes.s + "x" == "ax"',
    "-attributes.n == 2",
    'attributes.?a.orValue("x") == "x"',
    "tags.?env.orValue('') in ['', 'prod']",
    'attributes.deep.?a.orValue("").contains("x")',
]

EVALUATED = [
    "attributes.list.filter(x, x > 1).size() == 1",
    "attributes.list.exists(x, attributes.list.exists(y, y > x))",
    "attributes.n + attributes.m == 2",
    "attributes.?a.?b.orValue('x') == 'x'",
    'content.contains("a")',
    "[size, version].all(x, x > 0)",
    "cel.bind(x, size, x > 1)",
    'name.split("-").size() == 2',
    'name.lastIndexOf("a") == 0',
    'name.indexOf("a", 1) == 1',
    "attributes.a == attributes.b",
    "string(attributes.n) == '1'",
    "int(name) == 1",
    "type(size) == int",
    "tags[name] == 'x'",
    "name.matches(modelName)",
    "tags == {'a': 'b'}",
    "[name] == ['a']",
    "size / 0.0 > 1.0",
    "1.5 / double(size) > 1.0",
    "(streaming ? size : name) == 1",
    "attributes[-1] == 1",
    "size in [attributes.n]",
    "timestamp(attributes.at) > timestamp(0)",
    'timestamp(createdAt).getHours("Europe/Paris") == 1',
    "size + 1u == 2u",
    "string(size * 1.5) == '1.5'",
]


def run(catalog: Any, predicate: str, *, has_cache: bool = True) -> QueryRun:
    cache = catalog.cache if has_cache else None
    made = run_query(catalog.connection, prepare_query(predicate), contents=catalog, cache=cache)
    list(made)
    return made


@pytest.mark.parametrize("predicate", COMPILED)
def test_predicate_becomes_sql(catalog: Any, predicate: str) -> None:
    """The whole predicate is one statement, which SQLite accepts."""
    catalog.add(content={"status": "ok", "list": [1], "n": 1}, tags={"env": "prod"})
    made = run(catalog, predicate)
    assert made.residual == ()
    assert made.fallback_reason is None


@pytest.mark.parametrize("predicate", EVALUATED)
def test_predicate_is_left_to_the_evaluator(catalog: Any, predicate: str) -> None:
    """What SQL would say less exactly is evaluated row by row."""
    catalog.add(content={"status": "ok", "list": [1], "n": 1}, tags={"env": "prod"})
    made = run(catalog, predicate)
    assert made.residual != ()
    assert made.fallback_reason is None


def test_conjuncts_are_split(catalog: Any) -> None:
    """SQL gives a superset by the conjuncts that compile; the others are evaluated for its rows only."""
    for number in range(10):
        catalog.add(content_type="text/plain", content=b"x", size=number)
    made = run(catalog, 'size > 7 && content.contains("x")')
    assert [made.query.predicate[node.start : node.end] for node in made.residual] == ['content.contains("x")']
    assert made.total == 2
    assert set(catalog.reads) == {"id-8", "id-9"}


def test_content_without_a_cache_is_evaluated(catalog: Any) -> None:
    """A caller without a state database gets the same results, row by row."""
    catalog.add(content={"n": 1})
    made = run(catalog, "attributes.n == 1", has_cache=False)
    assert made.total == 1
    assert len(made.residual) == 1


def test_values_are_bound_and_never_text_of_the_statement(catalog: Any) -> None:
    """Nothing that the user writes stands in the SQL itself."""
    catalog.add()
    hostile = "x'); DROP TABLE catalog; --"
    made = run(catalog, f'name == "{hostile}" || tags["{hostile}"] == "{hostile}" || name in ["{hostile}"]')
    assert "DROP" not in made.statement.sql
    assert hostile in made.shown_parameters.values()
    assert catalog.connection.execute("SELECT count(*) FROM catalog").fetchone() == (1,)


def test_long_lists_are_one_parameter(catalog: Any) -> None:
    """A list of thousands of values does not need thousands of parameters."""
    catalog.add(data_name="n4999")
    names = ", ".join(f'"n{i}"' for i in range(5000))
    made = run(catalog, f"name in [{names}]")
    assert made.total == 1
    assert made.residual == ()
    assert len(made.shown_parameters) == 1


def test_more_values_than_a_statement_takes_are_evaluated(catalog: Any) -> None:
    """Beyond what old builds of SQLite take as parameters, the evaluator does it."""
    catalog.add(size=MAX_PARAMETERS + 50)
    made = run(catalog, " || ".join(f"size == {i}" for i in range(MAX_PARAMETERS + 100)))
    assert made.total == 1
    assert made.residual != ()


def test_alternatives_in_hundreds_stay_sql(catalog: Any) -> None:
    """A chain that SQLite would parse as a tree too deep is balanced."""
    catalog.add(size=799)
    made = run(catalog, " || ".join(f"size == {i}" for i in range(800)))
    assert made.total == 1
    assert made.residual == ()
    assert made.fallback_reason is None


def test_table_of_the_design_page_names_what_compiles() -> None:
    """Every example in the design page's table is in the right one of the two lists."""
    page = (Path(__file__).parents[3] / "design" / "query.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| `` ?(.+?) ?`` \| (SQL|evaluator)(?: .*)?\|$", page, flags=re.MULTILINE)
    assert len(rows) >= 30
    for example, how in rows:
        assert example.replace("\\|", "|") in (COMPILED if how == "SQL" else EVALUATED), example


def test_sqlite_has_json() -> None:
    """The JSON functions that the statements use are in this build."""
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT json_extract('{\"a\":1}', '$.\"a\"')").fetchone() == (1,)
    connection.close()
