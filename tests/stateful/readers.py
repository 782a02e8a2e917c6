"""What a reader sees between two commands: exactly the replay of a log up to where its clone says that it is.

The clone's database is read as it lies, whatever happened to it, so that half a commit would show. What is pending is
left out, since that is the clone's own.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Position, tail
from tests.stateful.team import Member, Office


@dataclass(frozen=True)
class Seen:
    """What exists in a namespace.

    Attributes:
        files: Size and digest by path.
        versions: The id by type, model, name and number.
    """

    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    versions: dict[tuple[str, str, str, int], str] = field(default_factory=dict)

    def without(self, paths: set[str]) -> Seen:
        """Leave out what is at these paths, or within."""

        def is_left(path: str) -> bool:
            return path not in paths and not any(path.startswith(f"{own}/") for own in paths)

        return Seen(
            {path: what for path, what in self.files.items() if is_left(path)},
            {key: what for key, what in self.versions.items() if is_left("data/{}/{}/{}/{}".format(*key))},
        )


class Readers:
    """Knows what every commit of an office made of its namespace, and compares clones with it."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._states: dict[str, NamespaceState] = {}
        self._ends: dict[str, Position] = {}
        self._history: dict[tuple[str, int, str], Seen] = {}

    def check(self, member: Member) -> int:
        """Compare what a clone has of each namespace with the log; return how many namespaces it has looked at."""
        path = member.databases / "_sync.db"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path)) as database:
            positions = {name: (seq, commit) for name, seq, commit in _all(database, "seq, commit_id", "positions")}
            for namespace, (seq, commit_id) in positions.items():
                own = {path for name, path in _all(database, "path", "pending") if name == namespace}
                expected = self._at(namespace, seq, commit_id).without(own)
                assert _seen(database, namespace).without(own) == expected, (member.directory.name, namespace, seq)
            elsewhere = {name for name, _ in _all(database, "path", "pending")} - {member.namespace}
            assert not elsewhere, "what is another namespace's is pending as one's own"
            return len(positions)

    def _at(self, namespace: str, seq: int, commit_id: str) -> Seen:
        if seq == 0:
            return Seen()
        if (namespace, seq, commit_id) not in self._history:
            self._replay(namespace)
        return self._history[namespace, seq, commit_id]

    def _replay(self, namespace: str) -> None:
        log = self._office.log(namespace)
        state = self._states.setdefault(namespace, NamespaceState())
        for published in tail(log, self._ends.get(namespace, BEGINNING), limit=None).commits():
            commit = published.commit
            state.apply(commit, log.rows(commit))
            self._ends[namespace] = Position.of(published)
            self._history[namespace, commit.seq, commit.id] = Seen(
                {path: (found.size, found.sha256) for path, found in state.files.items()},
                {(r.model_type, r.model_id, r.name, r.version): r.metadata["id"] for r in state.artifacts()},
            )


def _all(database: sqlite3.Connection, columns: str, table: str) -> list[tuple[Any, ...]]:
    return database.execute(f"SELECT namespace, {columns} FROM {table}").fetchall()


def _seen(database: sqlite3.Connection, namespace: str) -> Seen:
    files = database.execute(
        "SELECT path, size, sha256 FROM files WHERE namespace = ? AND state <> 'pending'", (namespace,)
    )
    versions = database.execute(
        "SELECT type_normalized, model_id, data_name, version, json FROM metadata WHERE namespace = ?", (namespace,)
    )
    return Seen(
        {path: (size, sha256) for path, size, sha256 in files},
        {(kind, model, name, number): json.loads(text)["id"] for kind, model, name, number, text in versions},
    )
