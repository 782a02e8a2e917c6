"""What `data query` prints: one JSON document as results come, tables and lines for people, and what was left out."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from swampsync.cli.console import Console, count, format_size
from swampsync.errors import printable
from swampsync.namespace import Namespace

if TYPE_CHECKING:
    from swampsync.query.explain import Explanation
    from swampsync.query.run import QueryRun

# Rows that a table's widths are taken from; the rest of a longer one follows in the same widths.
_TABLE_ROWS: Final = 2000
_COLUMNS: Final = ("name", "modelName", "specName", "dataType", "version", "size")


def write_results(console: Console, run: QueryRun, *, own: Namespace, is_remote: bool = False) -> None:
    """Print the results of a query and, on stderr, what there is to say about them.

    Args:
        console: Where to print, and in which form.
        run: The results, not yet iterated.
        own: The configured namespace.
        is_remote: Whether content that is not here can be fetched.
    """
    if console.is_json:
        _write_json(console, run)
    elif run.query.select is None:
        _write_records(console, run, own)
    else:
        _write_values(console, run)
    write_notes(console, run, is_remote=is_remote)


def write_notes(console: Console, run: QueryRun, *, is_remote: bool = False) -> None:
    """Say on stderr what the results do not show: rows without an answer, content that is not here, further pages."""
    if run.skipped.count:
        console.note(run.skipped.describe("skipped"))
    if run.unprojected.count:
        console.note(run.unprojected.describe("without a value"))
    if run.absent:
        remedy = "swamp datastore sync --hydrate" if is_remote else "swamp datastore reindex"
        console.note(f"the content of {count(run.absent, 'result')} is not here: {remedy}")
    if run.next_cursor is not None:
        console.note(f"more: repeat the command with --after {run.next_cursor}")


# --- JSON --------------------------------------------------------------------------------------------


def _write_json(console: Console, run: QueryRun) -> None:
    write = console.stdout.write
    write("{\n")
    if run.query.select is None:
        write(f'  "predicate": {json.dumps(run.query.predicate, ensure_ascii=False)},\n')
        results: Iterable[Any] = run
    else:
        results = _shaped(run)
    write('  "results": [')
    separator = "\n"
    for result in results:
        write(f"{separator}    {_pretty(result)}")
        separator = ",\n"
    write("]" if separator == "\n" else "\n  ]")
    write(f',\n  "total": {run.total},\n  "limited": {json.dumps(run.is_limited)}')
    # A key of our own, for those who use options of our own: documents that swamp prints get no further keys.
    if run.next_cursor is not None and (run.query.after is not None or run.query.order.field is not None):
        write(f',\n  "nextCursor": {json.dumps(run.next_cursor)}')
    write("\n}\n")


def _pretty(value: Any) -> str:
    """Format a value as it stands four spaces deep in a document."""
    # Many times faster than the standard library's, which has no fast path for indented text.
    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # half of a surrogate pair, which has no UTF-8, or nested deeper than 254 levels
        text = json.dumps(_finite(value), indent=2)
    return text.replace("\n", "\n    ")


def _finite(value: Any) -> Any:
    """Return a value with null for what JSON has no number for, as the fast way has it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shaped(run: QueryRun) -> Iterator[Any]:
    """Yield projected values; one that is missing takes the form of the first that is not."""
    results = iter(run)
    leading = 0
    first: Any = None
    for first in results:
        if first is not None:
            break
        leading += 1
    empty: Callable[[], Any] = dict if isinstance(first, dict) else list if isinstance(first, list) else _nothing
    for _ in range(leading):
        yield empty()
    if first is None:
        return
    yield first
    for value in results:
        yield empty() if value is None else value


def _nothing() -> None:
    return None


# --- for people --------------------------------------------------------------------------------------


def _write_records(console: Console, run: QueryRun, own: Namespace) -> None:
    records = iter(run)
    head = list(itertools.islice(records, _TABLE_ROWS))
    if not head:
        console.note("Showing 0 results (limit reached)" if run.is_limited else "No matching data found.")
        return
    has_namespace = not own.is_solo or any(record["namespace"] for record in head)
    columns = ("namespace", *_COLUMNS) if has_namespace else _COLUMNS
    cells = ([_cell(record, column) for column in columns] for record in itertools.chain(head, records))
    _write_table(console, columns, cells)
    if run.is_limited:
        console.note(f"Showing {count(run.total, 'result')} (limit reached)")
    else:
        console.note(count(run.total, "result"))


def _cell(record: dict[str, Any], column: str) -> str:
    if column == "namespace":
        return str(record[column]) or "(solo)"
    return format_size(record[column]) if column == "size" else str(record[column])


def _write_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a very long one by the widths of its beginning, so that it is never held whole."""
    remaining = iter(rows)
    head = list(itertools.islice(remaining, _TABLE_ROWS))
    following = next(remaining, None)
    if following is None:
        console.table(columns, head)
        return
    shown = [[printable(cell) for cell in row] for row in head]
    widths = [max(len(name), *(len(row[i]) for row in shown)) for i, name in enumerate(columns)]
    rest = ([printable(cell) for cell in row] for row in itertools.chain([following], remaining))
    for row in itertools.chain([[name.upper() for name in columns]], shown, rest):
        console.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _write_values(console: Console, run: QueryRun) -> None:
    values = iter(run)
    first, missing = _first_value(values)
    if isinstance(first, dict):
        columns = list(first)
        if columns:
            rows = ([_text(row.get(name)) for name in columns] for row in _rows(first, missing, values, dict))
            _write_table(console, columns, rows)
    elif isinstance(first, list):
        columns = [str(number + 1) for number in range(len(first))]
        if columns:
            rows = ([_text(cell) for cell in _padded(row, len(columns))] for row in _rows(first, missing, values, list))
            _write_table(console, columns, rows)
    else:
        for _ in range(missing):
            console.line()
        if first is not None:
            for value in itertools.chain([first], values):
                console.line(_line(console, value))


def _first_value(values: Iterator[Any]) -> tuple[Any, int]:
    """Return the first value that is not missing, and how many were before it."""
    missing = 0
    for value in values:
        if value is not None:
            return value, missing
        missing += 1
    return None, missing


def _rows(first: Any, missing: int, values: Iterator[Any], shape: type) -> Iterator[Any]:
    """Yield rows of the form of the first; what has another form is an empty row."""
    for _ in range(missing):
        yield shape()
    for value in itertools.chain([first], values):
        yield value if isinstance(value, shape) else shape()


def _padded(row: list[Any], width: int) -> list[Any]:
    return [*row[:width], *[None] * (width - len(row))]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(console: Console, value: Any) -> str:
    """Format a value as a line of its own; only a terminal is protected from what the text may hold."""
    text = _text(value)
    if not console.stdout.isatty() or not isinstance(value, str):
        return text
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in text.split("\n"))


# --- explaining --------------------------------------------------------------------------------------


def write_explanation(console: Console, explanation: Explanation) -> None:
    """Print how a query was answered."""
    if console.is_json:
        console.document(explanation.to_json())
        return
    console.line(explanation.sql)
    for name, value in explanation.parameters.items():
        console.line(f"  :{name} = {printable(json.dumps(value, ensure_ascii=False))}")
    console.line()
    for step in explanation.plan:
        console.line(f"plan: {step}")
    if explanation.fallback_reason is not None:
        console.line(f"evaluated row by row, because SQLite said: {printable(explanation.fallback_reason)}")
    for text in explanation.residual:
        console.line(f"evaluated row by row: {printable(text)}")
    if explanation.rows_out_of_reach:
        rows = count(explanation.rows_out_of_reach, "row")
        console.line(f"evaluated row by row: {rows} whose content is longer or deeper than SQL takes, or is not here")
    if not explanation.residual and not explanation.rows_out_of_reach:
        console.line("evaluated row by row: nothing")
    console.line(
        f"rows: {explanation.rows_scanned:,} scanned, {explanation.rows_evaluated:,} evaluated, "
        f"{explanation.rows_matched:,} matched, "
        f"{explanation.rows_skipped:,} skipped"
    )
    console.line(f"time: {explanation.seconds * 1000:,.1f} ms")
    for age in explanation.namespaces:
        synced = "" if age.synced_at is None else f", fetched {age.synced_at}"
        console.line(f"namespace {age.namespace or '(solo)'}: {count(age.rows, 'row')}, newest {age.newest}{synced}")
