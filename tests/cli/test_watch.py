"""`datastore sync --watch` on a terminal line, with the rounds of a script instead of a store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swampsync.cli.interruption import Interrupted
from swampsync.errors import Unavailable
from swampsync.repo.watching import Line, Trouble, Watcher
from tests.cli.conftest import Swamp


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of trouble, then one real round, then a signal."""
    real = Watcher.rounds

    def rounds(watcher: Watcher[Any], stop: threading.Event) -> Iterator[tuple[Any, list[Line]]]:
        watcher._on_trouble(Trouble(Unavailable("no route"), 12.0))
        watcher._on_trouble(None)
        stop.set()
        yield from _once(real, watcher)
        raise Interrupted(15)

    monkeypatch.setattr(Watcher, "rounds", rounds)


def _once(real: Any, watcher: Watcher[Any]) -> Iterator[tuple[Any, list[Line]]]:
    stop = threading.Event()
    for outcome in real(watcher, stop):
        stop.set()
        yield outcome


@pytest.mark.usefixtures("scripted")
def test_watch_prints_a_line_a_change_and_ends_by_a_signal(swamp: Swamp, solo: Path) -> None:
    """A change is one line on stdout, trouble one on stderr; a signal ends the watch with its own exit status."""
    swamp(solo, "data", "put", "vpc", "state", "-", stdin="x").ok()
    (solo / ".swamp" / "data" / "_catalog.db").unlink()
    outcome = swamp(solo, "datastore", "sync", "--watch", "0.5")
    assert outcome.status == 143
    (line,) = outcome.text.splitlines()
    assert line.endswith("Z  refreshed     (solo)  (1 added, 0 changed, 0 removed)")
    assert "no route; trying again in 12 s" in outcome.err
    assert "reached again" in outcome.err


@pytest.mark.usefixtures("scripted")
def test_watch_prints_a_json_document_a_line(swamp: Swamp, solo: Path) -> None:
    """With --json every round with news, and every change of reachability, is one document on one line."""
    swamp(solo, "data", "put", "vpc", "state", "-", stdin="x").ok()
    (solo / ".swamp" / "data" / "_catalog.db").unlink()
    outcome = swamp(solo, "datastore", "sync", "--watch", "--json")
    lost, found, news = (json.loads(line) for line in outcome.text.splitlines())
    assert (lost["reachable"], lost["error"], found["reachable"]) == (False, "no route", True)
    assert news["changes"] == [{"event": "refreshed", "path": "", "detail": "1 added, 0 changed, 0 removed"}]


def test_watch_takes_no_dry_run(swamp: Swamp, solo: Path) -> None:
    """There is nothing to watch in a dry run, and a pause below a tenth of a second is refused."""
    assert swamp(solo, "datastore", "sync", "--watch", "--dry-run").status == 2
    assert swamp(solo, "datastore", "sync", "--watch", "0").status == 2
    assert swamp(solo, "datastore", "sync", "--watch=x").status == 2
