"""Looking back beyond what vacuum has left: what is told, and what can still be read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swampsync.clock import format_timestamp
from swampsync.layout import ObjectKey
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.test_history import names

__all__ = ["team"]

FILES = ("a1", "a2", "b1", "b2")


@pytest.fixture
def ann(team: PastTeam, monkeypatch: pytest.MonkeyPatch) -> PastRepo:
    """A repo that imported much at commit 2, and removed half of it at commit 3 and some at 4; 8 has a checkpoint.

    The rows of commits 2 and 3 are in segments. All that happened within one day.
    """
    monkeypatch.setattr("swampsync.log.append.MAX_INLINE_ENTRIES", 3)
    monkeypatch.setattr("swampsync.log.checkpointing.INTERVAL", 7)
    team.days(25)
    ann = team.repo("ann")
    ann.put("first", "1")
    (ann.path / "files").mkdir()
    for name in FILES:
        (ann.path / "files" / name).write_text(name)
    ann("data", "import", "files", "--model", "vpc").ok()
    ann("data", "delete", "vpc", "--prefix", "a", "-y").ok()
    ann("data", "delete", "vpc", "b1", "-y").ok()
    for number in range(5, 9):
        ann.put("state", str(number))
    team.days(1)
    ann.put("late", "x")
    team.days(3.5)
    return ann


@pytest.fixture
def bob(team: PastTeam, ann: PastRepo) -> PastRepo:
    """Another clone, after somebody vacuumed all but the last three days."""
    freed = ann("datastore", "vacuum", "--older-than", "3d", "--yes", "--json").json
    assert freed["segments"] == 2
    return team.repo("bob")


def test_state_that_was_vacuumed_is_told_with_the_oldest_that_is_left(
    team: PastTeam, ann: PastRepo, bob: PastRepo
) -> None:
    """By number and by time, for lists, content and undelete; what is named can be read, and so can what was before."""
    first = format_timestamp(team.clock.now() - timedelta(days=4.5))
    error = (
        "the state at commit {} is gone: it was vacuumed; the oldest one after it that can be read is that of commit 8,"
        f" of {first}"
    )
    for repo in (ann, bob):
        for words in (("data", "list"), ("data", "list", "vpc"), ("data", "get", "vpc", "b1")):
            told = repo(*words, "--as-of", "4", "--json")
            assert (told.status, told.error["code"]) == (1, "not_found")
            assert (told.error["error"], told.error["hint"]) == (error.format(4), "--as-of 8")
        assert repo("datastore", "undelete", "vpc", "--at", "2", "--json").error["error"] == error.format(2)
        assert names(repo, "--as-of", "1") == [("first", 1)]
        assert names(repo, "--as-of", "8") == [("b2", 1), ("first", 1), ("state", 4)]
        assert names(repo, "--as-of", first) == names(repo, "--as-of", "8")
    if team.namespace:
        told = team.repo("app", "app")("data", "list", "-n", "infra", "--as-of", "4", "--json")
        assert told.error["error"] == error.format(4)


def test_log_shows_commits_whose_rows_were_vacuumed(bob: PastRepo) -> None:
    """They are listed with what they say of themselves; asked for a path, the log names those it cannot judge."""
    commits = bob("datastore", "log", "--json").json["commits"]
    assert [(c["kind"], c["versions"], c["removed"]) for c in commits[-4:]] == [
        ("delete", 0, 1),
        ("delete", 0, 2),
        ("import", 4, 0),
        ("put", 1, 0),
    ]
    document = bob("datastore", "log", "--path", "data/**/b1", "--json").json
    assert ([c["seq"] for c in document["commits"]], document["unknown"]) == ([4], [3, 2])
    told = bob("datastore", "log", "--path", "data/**/b1").ok()
    assert told.err == "Warning: what commits 3, 2 touched is not known any more: it was vacuumed\n"


def test_undelete_finds_what_vacuum_has_left(team: PastTeam, ann: PastRepo, bob: PastRepo) -> None:
    """Who vacuums more than is looked back for finds what was removed since, and no error for what was before."""
    ann("data", "delete", "vpc", "b2", "-y").ok()
    found = bob("datastore", "undelete", "vpc", "--dry-run", "--json").json
    assert [item["dataName"] for item in found["restored"]] == ["b2"]
    told = bob("datastore", "undelete", "vpc", "b1", "--json")
    assert (told.status, told.error["code"]) == (1, "not_found")
    assert told.error["error"] == (
        "`vpc b1` is known, but nothing of it was removed since commit 8, before which removed content was vacuumed"
    )
    assert told.error["hint"] == "swamp datastore log vpc b1"


def test_segment_that_is_lost_is_damage(team: PastTeam, ann: PastRepo) -> None:
    """Without a later checkpoint that can be read, what is missing was not vacuumed: verify says what is wrong."""
    for key in [key for key in team.objects() if "_segments/" in key or "_checkpoints/" in key]:
        team.memory.delete(ObjectKey(key))
    bob = team.repo("bob")
    told = bob("data", "list", "--as-of", "4", "--json")
    assert (told.status, told.error["code"], told.error["hint"]) == (1, "data_error", "swamp datastore verify")
    assert bob("datastore", "undelete", "vpc", "--json").error["code"] == "data_error"
