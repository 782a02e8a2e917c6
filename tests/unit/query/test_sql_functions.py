"""What SQLite lacks is registered with the connection, and what it does too well is set right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from swampsync.query.sql_functions import listening, register_functions


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    yield made
    made.close()


def test_times_are_microseconds(connection: sqlite3.Connection) -> None:
    """Times are read to the microsecond; what is none is NULL."""
    register_functions(connection)
    sql = """SELECT cel_micros('1970-01-01T00:00:01.5Z'), cel_micros('1969-12-31T23:59:59Z'),
        cel_micros('soon'), cel_micros(5)"""
    assert connection.execute(sql).fetchone() == (1_500_000, -1_000_000, None, None)


def test_patterns_match_or_fail(connection: sqlite3.Connection) -> None:
    """A pattern matches, does not, or fails with NULL."""
    register_functions(connection)
    sql = "SELECT cel_matches('abc', 'b'), cel_matches('abc', '^b'), cel_matches('abc', '('), cel_matches(NULL, 'b')"
    assert connection.execute(sql).fetchone() == (1, 0, None, None)


def test_registering_again_is_harmless_while_a_statement_runs(connection: sqlite3.Connection) -> None:
    """A second query on the connection does not disturb the first."""
    register_functions(connection)
    cursor = connection.execute("SELECT cel_matches(value, 'b') FROM json_each('[\"a\",\"b\"]')")
    assert cursor.fetchone() == (0,)
    register_functions(connection)
    assert cursor.fetchone() == (1,)


def test_letters_beyond_ascii_are_left_alone_also_where_sqlite_knows_them(connection: sqlite3.Connection) -> None:
    """A build of SQLite that changes all letters is made to change ASCII only."""
    connection.create_function("lower", 1, lambda text: text.lower(), deterministic=True)
    connection.create_function("upper", 1, lambda text: text.upper(), deterministic=True)
    register_functions(connection)
    assert connection.execute("SELECT lower('AÉ'), upper('aé'), lower(NULL)").fetchone() == ("aÉ", "Aé", None)


def test_reports_reach_the_one_that_listens(connection: sqlite3.Connection) -> None:
    """Rows are reported under a number, and to nobody once the listening is over."""
    register_functions(connection)
    seen: list[int] = []

    def hear(rowid: int) -> int:
        seen.append(rowid)
        return 7

    with listening(hear) as number, listening(lambda _: 1) as other:
        sql = "SELECT cel_report(?, 5), cel_report(?, 6)"
        assert connection.execute(sql, (number, other)).fetchone() == (7, 1)
    assert connection.execute("SELECT cel_report(?, 8)", (number,)).fetchone() == (0,)
    assert seen == [5]
