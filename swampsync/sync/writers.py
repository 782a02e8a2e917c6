"""Who has ever published in a namespace, from its log; remembered, so that each commit is read once for it."""

from __future__ import annotations

import json
from typing import Final

from swampsync.log.history import iterate_history
from swampsync.sync.clone import Clone
from swampsync.sync.position import read_position

_SETTING: Final = "writers:"


def find_writers(clone: Clone) -> set[str]:
    """Return the ids of all repos that published a commit, up to where the log was applied.

    Reads every commit that was not read for this purpose before; what came before the namespace was last deleted does
    not count.

    Raises:
        Unavailable: The store cannot be reached.
    """
    head = read_position(clone)
    setting = f"{_SETTING}{clone.namespace}"
    known_id, known_seq, writers = _load(clone.state.settings.find(setting))
    found: set[str] = set()
    newest = ""
    for published in iterate_history(clone.log, head=head.seq):
        commit = published.commit
        newest = newest or commit.id
        if commit.seq == known_seq and commit.id == known_id:
            found |= writers
            break
        if commit.is_tombstone:
            break
        found.add(commit.repo_id)
    clone.state.settings.put(setting, json.dumps({"seq": head.seq, "id": newest, "writers": sorted(found)}))
    return found


def _load(text: str | None) -> tuple[str, int, set[str]]:
    if text is None:
        return "", 0, set()
    values = json.loads(text)
    return str(values["id"]), int(values["seq"]), set(values["writers"])
