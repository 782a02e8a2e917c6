"""Questions in a terminal, where the datastore is a bucket: while one waits for its answer, nobody waits for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from swampsync.cli.console import Console
from swampsync.layout import ObjectKey
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Swamp

__all__ = ["team"]

IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}


def have_excess(_team: PastTeam, ann: PastRepo) -> None:
    for content in "abc":
        ann.put("x", content, "--gc", "1")


def have_orphan(_team: PastTeam, ann: PastRepo) -> None:
    ann("model", "create", "command/shell", "old").ok()
    ann("data", "put", "old", "x", "-", stdin="1").ok()
    for definition in (ann.path / "models").rglob("*.yaml"):
        definition.unlink()


def have_removed_long_ago(team: PastTeam, ann: PastRepo) -> None:
    ann.put("x", "1")
    ann("data", "delete", "vpc", "x", "-y").ok()
    team.days(29)


def have_removed(team: PastTeam, ann: PastRepo) -> None:
    team.catch_up()
    ann.put("x", "1")
    ann("data", "delete", "vpc", "x", "-y").ok()


def have_one(_team: PastTeam, ann: PastRepo) -> None:
    ann.put("x", "1")


def have_lost_metadata(team: PastTeam, ann: PastRepo) -> None:
    ann.put("x", "1")
    (key,) = [key for key in team.objects() if key.endswith("/x/1/metadata.yaml")]
    team.memory.delete(ObjectKey(key))


# What each command needs to have something to ask, and what it says when it has done that.
CASES: dict[str, tuple[Callable[[PastTeam, PastRepo], None], str]] = {
    "data gc": (have_excess, "2 excess versions"),
    "data prune": (have_orphan, "Reclaimed 1 orphaned model"),
    "data delete vpc x": (have_one, "Deleted 1 version"),
    "datastore vacuum": (have_removed_long_ago, "Removed "),
    "datastore undelete vpc x": (have_removed, "Brought back 1 version"),
    "datastore verify --repair": (have_lost_metadata, "Done:"),
}


@pytest.mark.parametrize("command", CASES)
def test_question_on_a_bucket_holds_no_lock(
    team: PastTeam, swamp: Swamp, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits, the bucket's lock is free, another clone takes it, and both clones write; then it is done."""
    prepare, done = CASES[command]
    ann = team.repo("ann")
    prepare(team, ann)
    clone = team.root / "clone"
    clone.mkdir()
    shutil.copy(ann.path / ".swamp.yaml", clone)
    lock = f".locks/{team.namespace}.lock" if team.namespace else ".datastore.lock"
    asked = []

    def answer(console: Console, question: str, *, is_confirmed: bool) -> bool:
        if is_confirmed:
            return True
        asked.append(question)
        held = [json.loads(team.memory.get(ObjectKey(key)).body) for key in team.objects() if key == lock]
        assert all(record.get("released") for record in held)
        swamp(clone, "datastore", "compact", env=IMPATIENT).ok()
        record = json.loads(team.memory.get(ObjectKey(lock)).body)
        assert (record["command"], record["released"]) == ("datastore compact", True)
        for path in (clone, ann.path):
            swamp(path, "data", "put", "other", "y", ".swamp.yaml", env=IMPATIENT).ok()
        return True

    monkeypatch.setattr(Console, "confirm", answer)
    # The class of stdin as the fixture's module has it: pytest imports a conftest of its own.
    monkeypatch.setattr(swamp.__globals__["_Input"], "isatty", lambda _: True)
    outcome = ann(*command.split())
    assert len(asked) == 1, (outcome.status, outcome.text, outcome.err)
    assert done in outcome.text, outcome.err
    assert ann("data", "versions", "other", "y", "--json").json["total"] == 2
    assert json.loads(team.memory.get(ObjectKey(lock)).body)["released"] is True
