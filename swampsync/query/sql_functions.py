"""The functions that SQLite lacks, registered with a connection: regular expressions, times, and reports of rows.

A statement reports rows to the run that it belongs to by the run's number, a parameter: its text is the same for every
run, so that SQLite prepares it once.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from swampsync.query.moments import parse_timestamp
from swampsync.query.values import EvaluationError

Listener: TypeAlias = Callable[[int], int]

_listeners: Final[dict[int, Listener]] = {}
_numbers: Final = itertools.count(1)


@contextmanager
def listening(listener: Listener) -> Iterator[int]:
    """Lend a number under which statements report rows to a function, whose result is that of the report."""
    number = next(_numbers)
    _listeners[number] = listener
    try:
        yield number
    finally:
        del _listeners[number]


def _report(number: int, rowid: int) -> int:
    listener = _listeners.get(number)
    return 0 if listener is None else listener(rowid)


def register_functions(connection: sqlite3.Connection) -> None:
    """Make `cel_matches(text, pattern)`, `cel_micros(text)` and `cel_report(number, row)` known to a connection."""
    try:
        connection.execute("SELECT cel_micros(NULL)").fetchone()
    except sqlite3.OperationalError:
        connection.create_function("cel_micros", 1, _micros, deterministic=True)
        connection.create_function("cel_matches", 2, _matches, deterministic=True)
        connection.create_function("cel_report", 2, _report)
        if connection.execute("SELECT lower('É') = 'É' AND upper('é') = 'é'").fetchone() != (1,):
            # Built with ICU, SQLite changes more letters than lowerAscii() and upperAscii() may.
            connection.create_function("lower", 1, _ascii(str.lower), deterministic=True)
            connection.create_function("upper", 1, _ascii(str.upper), deterministic=True)


def _ascii(change: Callable[[str], str]) -> Callable[[str | None], str | None]:
    def call(text: str | None) -> str | None:
        return text if text is None else "".join(change(c) if c.isascii() else c for c in text)

    return call


def _micros(text: str | None) -> int | None:
    """Return microseconds since 1970 of RFC 3339 text, NULL if it is none."""
    if not isinstance(text, str):
        return None
    try:
        return parse_timestamp(text).nanos // 1000
    except EvaluationError:
        return None


def _matches(text: str | None, pattern: str | None) -> int | None:
    from swampsync.query.regex import compile_pattern  # noqa: PLC0415  few queries hold a pattern

    if not isinstance(text, str) or not isinstance(pattern, str):
        return None
    try:
        return int(compile_pattern(pattern).search(text))
    except EvaluationError:
        return None
