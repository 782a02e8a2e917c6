"""What `--select` gives: values that JSON can hold, from SQL or from the evaluator alike."""

from __future__ import annotations

from typing import Any

import pytest

from swampsync.query.evaluator import fold
from swampsync.query.json_values import to_json
from swampsync.query.parser import parse
from swampsync.query.prepared import prepare_query
from swampsync.query.run import QueryRun, run_query
from swampsync.query.values import EvaluationError


def run(catalog: Any, select: str, predicate: str = "size >= 0") -> QueryRun:
    made = run_query(catalog.connection, prepare_query(predicate, select=select), contents=catalog, cache=catalog.cache)
    made.values = list(made)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("1", 1),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615u", "18446744073709551615"),
        ("7u", 7),
        ("1.5", 1.5),
        ("2.0", 2),
        ("1e300", 1e300),
        ("1.0 / 0.0", "Infinity"),
        ("-1.0 / 0.0", "-Infinity"),
        ("0.0 / 0.0", "NaN"),
        ("true", True),
        ("null", None),
        ('b"\\x00\\xff"', "AP8="),
        ('timestamp("2026-01-01T02:00:00.5+02:00")', "2026-01-01T00:00:00.500Z"),
        ('timestamp("2026-01-01T00:00:00Z")', "2026-01-01T00:00:00Z"),
        ('duration("1h30m")', "5400s"),
        ('duration("-1.5s")', "-1.5s"),
        ("type(1)", "int"),
        ("optional.of([1])", [1]),
        ("optional.none()", None),
        ('{"a": [1, {"b": 2.0}], true: 1, 5: duration("1s")}', {"a": [1, {"b": 2}], "true": 1, "5": "1s"}),
    ],
)
def test_every_type_has_a_form_in_json(expression: str, wanted: Any) -> None:
    """Numbers beyond doubles, times, lengths and bytes become text; nothing crashes the output."""
    found = to_json(fold(parse(expression)))
    assert found == wanted
    assert type(found) is type(wanted)


def test_results_of_exponential_size_are_refused() -> None:
    """A small value that stands for a huge text is an error."""
    value: Any = ["x"]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(EvaluationError, match="too large"):
        to_json(value)
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(EvaluationError, match="nested too deeply"):
        to_json(deep)


@pytest.mark.parametrize(
    ("select", "wanted"),
    [
        ("name", "r"),
        ("size + 1", 8),
        ("isLatest", True),
        ('modelName + "/" + name', "m/r"),
        ("tags.env", "prod"),
        ("tags", {"env": "prod", "n": "1"}),
        ("[name, size, tags.n, streaming]", ["r", 7, "1", False]),
        ('{"a": name, "b": [size], "c": "x"}', {"a": "r", "b": [7], "c": "x"}),
        ("timestamp(createdAt)", "2026-01-01T00:00:00.120Z"),
        ('timestamp(createdAt) - timestamp("2026-01-01T00:00:00Z")', "0.120s".replace("120", "12")),
        ("size * 1.0", 7),
        ("size / 2.0", 3.5),
        ("size * 9007199254740993", "63050394783186951"),
        ("'constant'", "constant"),
        ("null", None),
        ("modelId", "model-1"),
        ("namespace + ns", ""),
    ],
)
def test_projection_is_the_same_from_sql_and_from_the_evaluator(catalog: Any, select: str, wanted: Any) -> None:
    """A projection that compiles gives what the evaluator gives."""
    catalog.add(
        data_name="r", model_name="m", size=7, tags={"env": "prod", "n": "1"}, created_at="2026-01-01T00:00:00.120Z"
    )
    compiled = run(catalog, select)
    assert compiled.values == [wanted]  # type: ignore[attr-defined]
    assert "c.owner_ref" not in compiled.statement.sql
    evaluated = run_query(catalog.connection, prepare_query("size >= 0", select=select), contents=catalog)
    evaluated.evaluate_everything()
    assert list(evaluated) == [wanted]


@pytest.mark.parametrize(
    "select", ["attributes.n * 2", "content.n * 2", "[attributes.n * 2][0]", "attributes.list.map(x, x * 2)[0]"]
)
def test_content_is_projected(catalog: Any, select: str) -> None:
    """Content comes from its source, for the matches only."""
    catalog.add(content={"n": 3, "list": [3]})
    catalog.add(content={"n": 5, "list": [5]}, size=1)
    assert run(catalog, select, "size == 100").values == [6]  # type: ignore[attr-defined]
    assert catalog.reads == ["id-0"]


def test_text_content_is_projected(catalog: Any) -> None:
    """Text is there for a projection that names it."""
    catalog.add(content=b"hello", content_type="text/plain")
    assert run(catalog, "content + '!'").values == ["hello!"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("select", ["tags.env", "attributes.n", '{"a": tags.env}', "size / (size - 7)"])
def test_missing_values_are_none_and_counted(catalog: Any, select: str) -> None:
    """A match without a value stays in the results, and the reason is told."""
    catalog.add(tags={"env": "prod"}, content={"n": 1}, size=8)
    catalog.add(tags={}, content={}, size=7)
    made = run(catalog, select)
    assert made.values[1] is None  # type: ignore[attr-defined]
    assert made.total == 2
    assert made.unprojected.count == 1
    (reason,) = made.unprojected.reasons
    assert reason in {"no such key `tags.env`; use has()", "no such key `attributes.n`; use has()", "division by zero"}
