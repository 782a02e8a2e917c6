"""What `data query` prints, as literals: JSON documents, tables, lines, and the notes beside them."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from swampsync.catalog.rows import COLUMNS, CatalogRow
from swampsync.catalog.schema import prepare_catalog
from swampsync.cli.console import Console
from swampsync.cli.query_output import write_explanation, write_results
from swampsync.namespace import SOLO, Namespace
from swampsync.query.explain import explain
from swampsync.query.prepared import prepare_query
from swampsync.query.run import QueryRun, run_query


class Source:
    """Content by id."""

    contents: dict[str, bytes] = {}  # noqa: RUF012  set by each test

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version."""
        return self.contents.get(row.id)

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing."""
        del row
        return None


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


class Printed:
    """A catalog, and what queries over it printed."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        prepare_catalog(self.connection)
        self.source = Source()
        self.source.contents = {}
        self.out = ""
        self.err = ""

    def add(self, name: str, *, content: Any = None, tags: dict[str, str] | None = None, **columns: Any) -> None:
        """Add a version."""
        number = self.connection.execute("SELECT count(*) FROM catalog").fetchone()[0]
        values: dict[str, Any] = {
            "namespace": "",
            "type_normalized": "command/shell",
            "model_id": "m-1",
            "data_name": name,
            "id": f"id-{number}",
            "version": 1,
            "is_latest": 1,
            "model_name": "build",
            "spec_name": "log",
            "data_type": "file",
            "content_type": "text/plain",
            "lifetime": "infinite",
            "owner_type": "model-method",
            "streaming": 0,
            "size": 1234,
            "created_at": f"2026-11-21T09:00:0{number % 10}.000Z",
            "tags": json.dumps(tags or {}),
            "owner_ref": "m-1",
        }
        row = dict.fromkeys(COLUMNS, "") | values | columns
        self.connection.execute(f"INSERT INTO catalog VALUES ({', '.join('?' * len(COLUMNS))})", list(row.values()))
        if content is not None:
            self.source.contents[f"id-{number}"] = json.dumps(content).encode()

    def run(self, predicate: str, **options: Any) -> QueryRun:
        """Make a run."""
        return run_query(self.connection, prepare_query(predicate, **options), contents=self.source)

    def ask(
        self,
        predicate: str,
        *,
        own: Namespace = SOLO,
        is_json: bool = False,
        is_terminal: bool = False,
        is_remote: bool = False,
        **options: Any,
    ) -> str:
        """Print a query and return what went to stdout."""
        out, err = Terminal() if is_terminal else io.StringIO(), io.StringIO()
        console = Console(is_json=is_json, has_color=False, stdout=out, stderr=err)
        write_results(console, self.run(predicate, **options), own=own, is_remote=is_remote)
        self.out, self.err = out.getvalue(), err.getvalue()
        return self.out


@pytest.fixture
def printed() -> Iterator[Printed]:
    made = Printed()
    yield made
    made.connection.close()


def test_document_is_swamps_byte_for_byte(printed: Printed) -> None:
    """The JSON document has swamp's keys, order and indentation."""
    printed.add("log", content_type="application/json", content={"a": [1, {"b": "é\n"}], "e": {}}, tags={"env": "prod"})
    assert printed.ask('name == "log"', is_json=True) == (
        '{\n  "predicate": "name == \\"log\\"",\n  "results": [\n    {\n      "id": "id-0",\n      "name": "log",\n'
        '      "version": 1,\n      "isLatest": true,\n      "createdAt": "2026-11-21T09:00:00.000Z",\n'
        '      "namespace": "",\n      "tags": {\n        "env": "prod"\n      },\n      "modelName": "build",\n'
        '      "modelId": "m-1",\n      "modelType": "command/shell",\n      "specName": "log",\n'
        '      "dataType": "file",\n      "contentType": "application/json",\n      "lifetime": "infinite",\n'
        '      "ownerType": "model-method",\n      "streaming": false,\n      "size": 1234,\n      "ownerRef": "m-1",\n'
        '      "workflowRunId": "",\n      "workflowName": "",\n      "jobName": "",\n      "stepName": "",\n'
        '      "source": "",\n      "content": {\n        "a": [\n          1,\n          {\n            "b": "é\\n"\n'
        '          }\n        ],\n        "e": {}\n      }\n    }\n  ],\n  "total": 1,\n  "limited": false\n}\n'
    )
    assert json.dumps(json.loads(printed.out), indent=2, ensure_ascii=False) + "\n" == printed.out


def test_document_without_results(printed: Printed) -> None:
    """Nothing found is an empty list, and a whole document."""
    assert printed.ask("size > 1", is_json=True) == (
        '{\n  "predicate": "size > 1",\n  "results": [],\n  "total": 0,\n  "limited": false\n}\n'
    )
    assert printed.ask("size > 1", is_json=True, select="name") == (
        '{\n  "results": [],\n  "total": 0,\n  "limited": false\n}\n'
    )
    assert printed.err == ""


@pytest.mark.parametrize(
    ("select", "wanted"),
    [
        ("tags.env", [None, "prod", None]),
        ('{"e": tags.env}', [{}, {"e": "prod"}, {}]),
        ("[tags.env]", [[], ["prod"], []]),
        ("tags.nosuch", [None, None, None]),
        ("size * 9223372036854775807", None),
    ],
)
def test_missing_values_take_the_form_of_the_others(printed: Printed, select: str, wanted: list[Any] | None) -> None:
    """A match without a value is an empty map among maps, and null among scalars."""
    printed.add("a")
    printed.add("b", tags={"env": "prod"})
    printed.add("c")
    document = json.loads(printed.ask("size > 0", is_json=True, select=select))
    assert list(document) == ["results", "total", "limited"]
    assert document["total"] == 3
    if wanted is not None:
        assert document["results"] == wanted
        assert "without a value: no such key" in printed.err
    else:
        assert document["results"] == [None, None, None]
        assert printed.err == "3 rows without a value: integer overflow\n"


def test_text_that_is_no_unicode_is_escaped(printed: Printed) -> None:
    """Half a surrogate pair in content is printed as its escape."""
    printed.add("a", content_type="application/json")
    printed.source.contents["id-0"] = b'{"a": "\\ud800"}'
    document = printed.ask("size > 0", is_json=True)
    assert '"a": "\\ud800"' in document
    document.encode()


def test_table_of_results(printed: Printed) -> None:
    """People get a table, and how many results there are on stderr."""
    printed.add("log")
    printed.add("result", spec_name="result", data_type="resource", size=30, version=12)
    assert printed.ask("version > 0") == (
        "NAME    MODELNAME  SPECNAME  DATATYPE  VERSION  SIZE\n"
        "log     build      log       file      1        1.2KB\n"
        "result  build      result    resource  12       30B\n"
    )
    assert printed.err == "2 results\n"


def test_table_has_namespaces_where_there_are_any(printed: Printed) -> None:
    """The namespace column appears with a configured namespace, or a result from one."""
    printed.add("log")
    assert printed.ask("size > 0", own=Namespace.parse("app")).splitlines()[1].startswith("(solo)     log")
    printed.add("other", namespace="infra")
    assert printed.ask("size > 0").splitlines() == [
        "NAMESPACE  NAME   MODELNAME  SPECNAME  DATATYPE  VERSION  SIZE",
        "(solo)     log    build      log       file      1        1.2KB",
        "infra      other  build      log       file      1        1.2KB",
    ]


def test_terminal_gets_a_drawn_table(printed: Printed) -> None:
    """On a terminal the table has borders; names cannot move the cursor."""
    printed.add("lo\x1bg")
    text = printed.ask("size > 0", is_terminal=True)
    assert "┃" in text
    assert "lo\\x1bg" in text
    assert "\x1b" not in text


def test_nothing_found_is_said(printed: Printed) -> None:
    """An empty result is a note, not an empty table."""
    assert printed.ask("size > 0") == ""
    assert printed.err == "No matching data found.\n"


def test_limit_says_how_to_go_on(printed: Printed) -> None:
    """A page that is not the last names the cursor of the next."""
    for name in "abc":
        printed.add(name)
    printed.ask("size > 0", limit=1)
    first, second = printed.err.splitlines()
    assert first == "Showing 1 result (limit reached)"
    cursor = second.removeprefix("more: repeat the command with --after ")
    assert [line.split(" ")[0] for line in printed.ask("size > 0", after=cursor).splitlines()] == ["NAME", "b", "c"]


def test_limit_of_none_does_not_say_that_nothing_matches(printed: Printed) -> None:
    """With a limit of zero the table is empty because of the limit, unless nothing matches."""
    printed.add("a")
    assert printed.ask("size > 0", limit=0) == ""
    assert printed.err == "Showing 0 results (limit reached)\n"
    printed.ask("size < 0", limit=0)
    assert printed.err == "No matching data found.\n"


def test_document_of_a_page_holds_the_cursor_of_the_next(printed: Printed) -> None:
    """Whoever reads JSON goes on without reading stderr; the last page has no such key."""
    for name in "abc":
        printed.add(name)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(2):
        text = printed.ask("size > 0", select="name", limit=2, order_by="name", after=cursor, is_json=True)
        page = json.loads(text)
        seen += page["results"]
        cursor = page.get("nextCursor")
        assert page["limited"] is (cursor is not None)
    assert (seen, cursor) == (["a", "b", "c"], None)


def test_document_is_json_whatever_the_content_holds(printed: Printed) -> None:
    """Numbers beyond all doubles are null, also beside text that has no UTF-8 and in content of great depth."""
    printed.add("odd", content_type="application/json")
    for text in ('{"n": 1e999, "m": -1e999}', '{"n": 1e999, "s": "\\ud800"}', "[" * 300 + "1e999" + "]" * 300):
        printed.source.contents["id-0"] = text.encode()
        document = printed.ask("size > 0", is_json=True)
        assert "Infinity" not in document
        assert "null" in document
        assert json.loads(document)["total"] == 1


def test_content_that_is_not_here_names_the_remedy(printed: Printed) -> None:
    """A bucket's content can be fetched; on a directory something is wrong."""
    printed.add("a", content_type="application/json")
    printed.ask("size > 0")
    assert printed.err.splitlines()[-1] == "the content of 1 result is not here: swamp datastore reindex"
    printed.ask("size > 0", is_remote=True)
    assert printed.err.splitlines()[-1] == "the content of 1 result is not here: swamp datastore sync --hydrate"


def test_scalars_are_lines(printed: Printed) -> None:
    """One value a line, as it is; a missing one is an empty line."""
    printed.add("a", tags={"t": "x\ty\x1b"})
    printed.add("b")
    assert printed.ask("size > 0", select="tags.t") == "x\ty\x1b\n\n"
    assert printed.ask("size > 0", select="tags.t", is_terminal=True) == "x\ty\\x1b\n\n"
    assert printed.ask("size > 0", select="size == 1234") == "true\ntrue\n"
    assert printed.ask("size > 0", select="tags.nosuch") == "\n\n"
    assert printed.ask("size > 0", select="name == 'a' ? dyn('s') : dyn({'k': 1})") == 's\n{"k": 1}\n'


def test_maps_are_a_table_of_the_first_ones_columns(printed: Printed) -> None:
    """The columns are those of the first map; what others lack is empty."""
    printed.add("a")
    printed.add("b", tags={"t": "x"})
    printed.add("c", tags={"t": "y"})
    assert printed.ask("size > 0", select='{"n": name, "t": tags.t, "l": [1, "a"]}').splitlines() == [
        "N  T  L",
        "",
        'b  x  [1, "a"]',
        'c  y  [1, "a"]',
    ]


def test_lists_are_a_table_with_numbers(printed: Printed) -> None:
    """The columns of lists are numbered from one."""
    printed.add("a")
    assert printed.ask("size > 0", select="[name, size, null]").splitlines() == ["1  2     3", "a  1234"]
    assert printed.ask("size > 0", select="[]") == ""


def test_long_tables_are_not_held(printed: Printed) -> None:
    """Rows beyond the first two thousand follow in the same columns."""
    printed.connection.execute("BEGIN")
    for number in range(2500):
        printed.add(f"n{number}", created_at=f"2026-11-21T09:{number // 60:02d}:{number % 60:02d}.000Z")
    printed.connection.execute("COMMIT")
    lines = printed.ask("size > 0").splitlines()
    assert len(lines) == 2501
    assert lines[1] == "n0     build      log       file      1        1.2KB"
    assert lines[-1] == "n2499  build      log       file      1        1.2KB"
    assert printed.err == "2,500 results\n"


def test_skipped_rows_are_told(printed: Printed) -> None:
    """Rows without an answer are a note on stderr, also with --json."""
    printed.add("a")
    printed.add("b", content_type="application/json")
    printed.ask("attributes.status == 'failed'", is_json=True)
    assert printed.err == (
        "2 rows skipped: no such key `attributes.status`; use has() (1), the content is not here (1)\n"
    )
    printed.ask("name == 'b'", is_json=True)
    assert printed.err == "the content of 1 result is not here: swamp datastore reindex\n"


def test_explanation_is_text_or_a_document(printed: Printed) -> None:
    """Explaining prints the statement and its numbers, or one JSON document."""
    printed.add("a")
    run = run_query(
        printed.connection,
        prepare_query('size > 1 && name.split("").size() > 0'),
        contents=printed.source,
        counts_visits=True,
    )
    list(run)
    told = explain(run, seconds=0.0125)
    out = io.StringIO()
    write_explanation(Console(stdout=out), told)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("SELECT c.rowid, 1, ")
    assert lines[1] == "  :p0 = 1"
    assert lines[3].startswith("plan: ")
    assert lines[-4:] == [
        'evaluated row by row: name.split("").size() > 0',
        "rows: 1 scanned, 1 evaluated, 1 matched, 0 skipped",
        "time: 12.5 ms",
        "namespace (solo): 1 row, newest 2026-11-21T09:00:00.000Z",
    ]
    out = io.StringIO()
    write_explanation(Console(is_json=True, stdout=out), told)
    assert json.loads(out.getvalue())["rowsMatched"] == 1


def test_explanation_names_content_that_sql_cannot_look_into(printed: Printed) -> None:
    """Rows that are evaluated because of their content are not called nothing."""
    out = io.StringIO()
    run = printed.run("size > 1")
    list(run)
    told = explain(run, seconds=0)._replace(rows_out_of_reach=2)
    write_explanation(Console(stdout=out), told)
    assert (
        "evaluated row by row: 2 rows whose content is longer or deeper than SQL takes, or is not here\n"
        in out.getvalue()
    )
    assert "nothing" not in out.getvalue()
