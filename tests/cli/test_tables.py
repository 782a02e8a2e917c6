"""Tables on a terminal: what stays whole, and what is left out."""

from __future__ import annotations

import io

import pytest

from swampsync.cli.console import Console

ROWS = [("1", "2026-11-21 18:52:05", "somebody@a-host-with-a-long-name", "", "+1"), ("2", "x", "y", "", "")]
COLUMNS = ("seq", "time", "author", "files", "versions")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_narrow_terminal_breaks_only_what_may_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that are to stay whole do, others are folded, and optional ones without a value are left out."""
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    console = Console(has_color=False, stdout=out)
    console.table(COLUMNS, ROWS, whole={"seq", "time", "versions"}, optional={"files", "versions"})
    drawn = out.getvalue()
    assert "2026-11-21 18:52:05" in drawn
    assert "VERSIONS" in drawn
    assert "FILES" not in drawn
    assert "somebody@a-host-with-a-long-name" not in drawn
    assert all(len(line) <= 60 for line in drawn.splitlines())


def test_pipe_gets_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a script reads does not depend on the values."""
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    Console(stdout=out).table(COLUMNS, ROWS, whole={"seq"}, optional={"files"})
    assert out.getvalue().splitlines()[0].split() == ["SEQ", "TIME", "AUTHOR", "FILES", "VERSIONS"]
