"""The bar on a terminal shows count, bytes and rate, and nothing before there is something to show."""

from __future__ import annotations

import io
import sys

import pytest

from swampsync.cli.bar import Bar
from swampsync.cli.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_shows_count_bytes_and_rate() -> None:
    """What is drawn names the stage, how many of how many, and their bytes, and is wiped at the end."""
    screen = Terminal()
    with Bar("Pushing", total=None, stream=screen, has_color=False) as bar:
        bar(3, 1200, 2048)
        bar(1200, 1200, 4096)
    drawn = screen.getvalue()
    assert "Pushing" in drawn
    assert "1,200/1,200" in drawn
    assert "4.0KB" in drawn
    assert "/s" in drawn


def test_bar_without_progress_draws_and_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that has nothing to do leaves the terminal alone and does not load rich."""
    for name in [name for name in sys.modules if name == "rich" or name.startswith("rich.")]:
        monkeypatch.delitem(sys.modules, name)
    screen = Terminal()
    with Console(stderr=screen).progress("Pulling"):
        pass
    assert screen.getvalue() == ""
    assert "rich" not in sys.modules


def test_bar_is_for_terminals_only() -> None:
    """Where stderr is no terminal, or with --quiet, nothing is drawn."""
    for console in (Console(stderr=io.StringIO()), Console(stderr=Terminal(), is_quiet=True)):
        with console.progress("Pulling") as bar:
            bar(1, 2, 3)
        assert isinstance(console.stderr, io.StringIO)
        assert console.stderr.getvalue() == ""
