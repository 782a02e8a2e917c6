"""`datastore verify` and its repair: what is found on a bucket and on a directory, and what is mended."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from swampsync.backends.base import Overwrite
from swampsync.layout import ObjectKey
from swampsync.repo.parts import Parts
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Place, Swamp

__all__ = ["team"]


@pytest.fixture
def ann(team: PastTeam) -> PastRepo:
    """A repo with four commits; its copy holds what it put."""
    ann = team.repo("ann")
    for content in ("one", "two", "three"):
        ann.put("state", content)
        team.days(0.1)
    ann.put("other", "x")
    return ann


def log_key(team: PastTeam, seq: int) -> ObjectKey:
    return ObjectKey(team.key(f"_log/{seq:020d}.json"))


def object_key(team: PastTeam, ending: str) -> ObjectKey:
    (key,) = [key for key in team.objects() if key.endswith(ending)]
    return ObjectKey(key)


def problems(repo: PastRepo, *flags: str) -> list[tuple[str, str]]:
    outcome = repo("datastore", "verify", "--json", *flags)
    document = json.loads(outcome.out)
    assert outcome.status == (1 if document["problems"] else 0)
    assert document["sound"] == (not document["problems"])
    return [(problem["kind"], problem["key"]) for problem in document["problems"]]


def test_sound_bucket_is_said_to_be(team: PastTeam, ann: PastRepo) -> None:
    """Counts of what was looked at, with every content read on request, from any clone; nothing is written there."""
    bob = team.repo("bob")
    before = team.objects()
    for repo, files in ((ann, 4), (bob, 0)):
        document = repo("datastore", "verify", "--content", "--json").json
        assert (document["commits"], document["checkpoints"], document["unreferenced"]) == (4, 0, 0)
        assert (document["objects"], document["contentRead"], document["sound"]) == (9, True, True)
        assert document["copyFiles"] in (files, files + 1)  # the definition too, where it lies in the copy
    text = ann("datastore", "verify").ok().text
    assert "Log:         4 commits, 0 checkpoints" in text
    assert text.endswith("No problems.\n")
    assert team.objects() == before
    ann("data", "delete", "vpc", "other", "-y").ok()
    assert "Not needed:  2 objects (swamp datastore vacuum)" in ann("datastore", "verify").ok().text


def test_missing_and_damaged_commits_are_rebuilt_after_a_preview(team: PastTeam, ann: PastRepo) -> None:
    """Each is named with its key and exit 1; a dry run changes nothing; the repair keeps what everybody has."""
    bob = team.repo("bob")
    bob("datastore", "sync").ok()
    team.memory.delete(log_key(team, 2))
    team.memory.put(log_key(team, 4), b'{"format":1', Overwrite())
    before = team.objects()
    expected = [("commit missing", log_key(team, 2).text), ("commit damaged", log_key(team, 4).text)]
    assert problems(ann) == expected
    assert ann("datastore", "verify", "--repair").status == 1
    planned = ann("datastore", "verify", "--repair", "--dry-run", "--json").json
    assert [commit["seq"] for commit in planned["repair"]["commits"]] == [2, 4]
    assert team.objects() == before
    assert problems(bob) == expected
    done = bob("datastore", "verify", "--repair", "--yes").ok()
    assert "rebuild commit 4 from the objects that no commit names: 2 put, 0 removed" in done.text
    for repo in (ann, bob, team.repo("carl")):
        assert problems(repo, "--content") == []
        repo("datastore", "sync").ok()
        assert (repo.content("other"), repo.content("state"), repo.content("state", "--version", "2")) == (
            "x",
            "three",
            "two",
        )
    lock = ".locks/infra.lock" if team.namespace else ".datastore.lock"
    assert b'"released": true' in team.memory.get(ObjectKey(lock)).body


def test_bad_checkpoint_is_removed(team: PastTeam, ann: PastRepo) -> None:
    """One that cannot be read is a problem with its key; the repair removes it, and the log makes it again."""
    key = ObjectKey(team.key(f"_checkpoints/{10**20 - 1 - 3:020d}.json"))
    team.memory.put(key, b"{", Overwrite())
    assert problems(ann) == [("checkpoint unreadable", key.text)]
    document = ann("datastore", "verify", "--repair", "--yes", "--json").json
    assert (document["repair"]["checkpointsRemoved"], document["sound"]) == ([key.text], True)
    assert key.text not in team.objects()


def test_missing_objects_come_back_from_who_has_them(team: PastTeam, ann: PastRepo) -> None:
    """Metadata comes back from the log, content from a clone that has it; one that does not says where to look."""
    bob = team.repo("bob")
    raw, metadata = object_key(team, "/state/2/raw"), object_key(team, "/state/1/metadata.yaml")
    bodies = {key: team.memory.get(key).body for key in (raw, metadata)}
    for key in bodies:
        team.memory.delete(key)
    assert problems(bob) == [("object missing", metadata.text), ("object missing", raw.text)]
    partly = bob("datastore", "verify", "--repair", "--yes")
    assert partly.status == 1
    assert "put " in partly.text
    assert "A clone that has fetched what is missing can put it back" in partly.err
    assert problems(bob) == [("object missing", raw.text)]
    ann("datastore", "verify", "--repair", "--yes").ok()
    assert {key: team.memory.get(key).body for key in bodies} == bodies
    assert problems(bob, "--content") == []


def test_content_of_other_bytes_is_found_by_reading_it(team: PastTeam, ann: PastRepo) -> None:
    """Equal size is found by --content only, another size always; neither is overwritten by a repair."""
    same, longer = object_key(team, "/state/2/raw"), object_key(team, "/other/1/raw")
    team.memory.put(same, b"TWO", Overwrite())
    assert problems(ann) == []
    assert problems(ann, "--content") == [("object digest", same.text)]
    kept = ann("datastore", "verify", "--content", "--repair", "--yes")
    assert (kept.status, team.memory.get(same).body) == (1, b"TWO")
    assert f"object digest: object `{same.text}`" in kept.text
    assert problems(ann, "--content", "--repair", "--yes") == [("object digest", same.text)]
    team.memory.put(longer, b"longer", Overwrite())
    assert problems(ann, "--content") == [("object size", longer.text), ("object digest", same.text)]
    outcome = ann("datastore", "verify", "--repair", "--yes")
    assert (outcome.status, team.memory.get(longer).body) == (1, b"longer")


def test_dry_run_of_a_repair_reads_contents_too(team: PastTeam, ann: PastRepo) -> None:
    """With --content the preview names what only reading finds, says that no repair mends it, and writes nothing."""
    same, lost = object_key(team, "/state/2/raw"), object_key(team, "/other/1/raw")
    team.memory.put(same, b"TWO", Overwrite())
    words = ("datastore", "verify", "--repair", "--dry-run")
    before = team.objects()
    assert ann(*words, "--json").json["sound"]
    found = ann(*words, "--content", "--json").json
    assert [(p["kind"], p["key"]) for p in found["problems"]] == [("object digest", same.text)]
    assert (found["dryRun"], found["contentRead"], found["sound"]) == (True, True, False)
    outcome = ann(*words, "--content").ok()
    assert f"object digest: object `{same.text}` holds other bytes" in outcome.text
    assert outcome.text.endswith("There is nothing that a repair could do.\n")
    assert outcome.err.startswith("Objects of other bytes stay as they are: put the right content again")
    assert team.objects() == before
    team.memory.delete(lost)
    outcome = ann(*words, "--content").ok()
    assert f"object missing: object `{lost.text}`" in outcome.text
    assert f"A repair would:\n  put {lost.text[len(team.key('')) :]} back from the local copy\n" in outcome.text
    assert (outcome.err, lost.text in team.objects()) == ("", False)


def test_unknown_format_names_the_version_that_can_read_it(team: PastTeam, ann: PastRepo) -> None:
    """A log that a newer program wrote is not called damaged, and is not repaired."""
    team.memory.put(log_key(team, 5), b'{"format":2,"tool":"swampsync/9.1"}', Overwrite())
    for flags in ((), ("--repair", "--yes")):
        refused = ann("datastore", "verify", "--json", *flags)
        assert (refused.status, refused.error["code"]) == (1, "unknown_format")
        assert "swampsync/9.1" in refused.error["error"]


def test_mixed_logs_are_not_repaired(team: PastTeam, ann: PastRepo) -> None:
    """Two readable commits that contradict each other are a problem that nobody can decide."""
    body = team.memory.get(log_key(team, 3)).body
    parent = body.partition(b'"parent":"')[2][:8]
    team.memory.put(log_key(team, 3), body.replace(parent, b"deadbeef", 1), Overwrite())
    assert problems(ann)[0] == ("chain broken", log_key(team, 3).text)
    refused = ann("datastore", "verify", "--repair", "--yes", "--json")
    assert (refused.status, refused.error["code"]) == (1, "refused")


@pytest.mark.holds("I5")
def test_clone_that_says_something_else_is_rebuilt(team: PastTeam, ann: PastRepo) -> None:
    """Rows of the state and of the catalog that differ from the log are found and made anew; pending work stays."""
    ann.put("pending", "mine", "--no-sync")
    data = ann.path / ".swamp" / "data"
    with sqlite3.connect(data / "_sync.db") as state:
        state.execute("UPDATE files SET sha256 = ? WHERE path LIKE '%/state/2/raw'", ("0" * 64,))
        state.execute("DELETE FROM metadata WHERE data_name = 'other'")
    with sqlite3.connect(data / "_catalog.db") as catalog:
        catalog.execute("UPDATE catalog SET size = 99 WHERE data_name = 'state' AND version = 3")
    kinds = [kind for kind, _ in problems(ann)]
    assert (kinds.count("state differs"), kinds.count("catalog differs")) == (2, 2)
    document = ann("datastore", "verify", "--repair", "--yes", "--json").json
    assert (document["repair"]["stateRebuilt"], document["sound"]) == (True, True)
    assert ann("data", "list", "vpc", "--json").json["total"] == 3
    assert (ann.content("state", "--version", "2"), ann.content("pending")) == ("two", "mine")
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 1
    assert team.repo("bob")("data", "get", "vpc", "pending", "--json").status in (0, 1)
    assert problems(ann, "--content") == []


def test_edited_copy_is_told_and_left_alone(ann: PastRepo) -> None:
    """What was changed in the local copy is somebody's work: it is named, and sync --scan takes it in."""
    (raw,) = (ann.path / ".swamp" / "remote").rglob("state/3/raw")
    raw.write_text("THREE")
    ((kind, path),) = problems(ann)
    assert (kind, path.endswith("/state/3")) == ("copy changed", True)
    outcome = ann("datastore", "verify")
    assert outcome.err == "To take in what was changed in the local copy: swamp datastore sync --scan\n"
    assert ann("datastore", "verify", "--repair", "--yes").status == 1
    assert raw.read_text() == "THREE"


def test_rebuilding_the_state_throws_no_edit_away(ann: PastRepo) -> None:
    """Where the state is wrong and the copy was edited, the edit is kept aside and the log's content comes back."""
    (raw,) = (ann.path / ".swamp" / "remote").rglob("state/3/raw")
    raw.write_text("THREE")
    with sqlite3.connect(ann.path / ".swamp" / "data" / "_sync.db") as state:
        state.execute("DELETE FROM metadata WHERE data_name = 'other'")
    assert [kind for kind, _ in problems(ann)].count("state differs") == 1
    ann("datastore", "verify", "--repair", "--yes").ok()
    (kept,) = (ann.path / ".swamp" / "kept-aside").rglob("state/3/raw")
    assert kept.read_text() == "THREE"
    assert (ann.content("state"), ann.content("other")) == ("three", "x")
    assert ann("datastore", "sync", "--json").json["commitsPulled"] == 0


def test_newest_commit_gets_its_own_id_back(team: PastTeam, ann: PastRepo) -> None:
    """Whoever had applied it goes on as if nothing had happened: the log is not another one."""
    team.memory.put(log_key(team, 4), b"{", Overwrite())
    ann("datastore", "verify", "--repair", "--yes").ok()
    report = ann("datastore", "sync", "--json").json
    assert (report["logReplaced"], report["commitsPulled"]) == (False, 0)
    assert not (ann.path / ".swamp" / "kept-aside").exists()
    assert team.repo("bob").content("other") == "x"


def test_log_that_lost_its_newest_commit_is_told_by_who_had_it(team: PastTeam, ann: PastRepo) -> None:
    """The log alone cannot know; the clone that had applied it does, and verifying moves nothing aside."""
    team.memory.delete(log_key(team, 4))
    assert problems(team.repo("bob")) == []
    assert problems(ann) == [("log replaced", log_key(team, 4).text)]
    assert "keeps aside what it does not know" in ann("datastore", "verify").err
    assert ann("datastore", "verify", "--repair", "--yes").status == 1
    assert not (ann.path / ".swamp" / "kept-aside").exists()
    assert ann.content("other") == "x"


def test_only_members_repair(team: PastTeam, ann: PastRepo) -> None:
    """Anybody may verify a namespace that can be read; only members repair it."""
    if not team.namespace:
        return
    app = team.repo("app", "app")
    assert app("datastore", "verify", "-n", "infra", "--json").json["sound"]
    team.memory.delete(log_key(team, 2))
    assert app("datastore", "verify", "-n", "infra").status == 1
    refused = app("datastore", "verify", "-n", "infra", "--repair", "--yes", "--json")
    assert (refused.status, refused.error["code"]) == (1, "conflict")


# --- directories ---------------------------------------------------------------------------------------------------


def test_directory_is_verified_by_content(swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed bytes of equal size, a missing file and a wrong catalog are found; only the catalog is repaired."""
    for name in ("a", "b", "c"):
        swamp(place.first, "data", "put", "m", name, stdin=name * 3).ok()
    sound = swamp(place.first, "datastore", "verify", "--json").json
    assert (sound["versions"], sound["bytes"], sound["contentRead"], sound["sound"]) == (3, 9, True, True)
    root = place.datastore or place.first / ".swamp"
    (edited,), (lost,) = (list(root.rglob(f"{name}/1/raw")) for name in ("a", "b"))
    edited.write_text("AAA")
    lost.unlink()
    outcome = swamp(place.first, "datastore", "verify")
    assert outcome.status == 1
    assert f"content differs: `{edited}`" in outcome.text
    assert f"version damaged: `{lost}` is missing" in outcome.text
    assert "restore it from a backup" in outcome.err
    # What was written within the last two seconds is looked at again by every refresh, which would mend the row.
    monkeypatch.setattr(Parts, "refresh", lambda *_rest, **_more: None)
    with sqlite3.connect(place.first / ".swamp" / "data" / "_catalog.db") as catalog:
        catalog.execute("UPDATE catalog SET size = 99 WHERE data_name = 'c'")
    plan = swamp(place.first, "datastore", "verify", "--repair", "--dry-run", "--json").json
    assert plan["repair"]["catalogRebuilt"]
    done = swamp(place.first, "datastore", "verify", "--repair", "--yes")
    assert done.status == 1
    assert "make the catalog's rows anew" in done.text
    assert "catalog differs" not in done.text
    assert edited.read_text() == "AAA"
    listed = swamp(place.first, "data", "list", "m", "--cached", "--json").json
    assert {item["name"]: item["size"] for group in listed["groups"] for item in group["items"]}["c"] == 3


def test_another_repos_writes_are_no_fault_of_the_catalog(swamp: Swamp, pair: Place) -> None:
    """What another clone of the namespace wrote since the last look is taken in first."""
    swamp(pair.first, "data", "put", "m", "a", stdin="1").ok()
    assert swamp(pair.second, "datastore", "verify", "-n", "infra", "--json").json["versions"] == 1
    swamp(pair.first, "data", "put", "m", "b", stdin="1").ok()
    assert swamp(pair.second, "datastore", "verify", "-n", "infra", "--json").json["sound"]


def test_dry_run_belongs_to_a_repair(swamp: Swamp, solo: Path) -> None:
    """Without --repair there is nothing to be dry about."""
    assert swamp(solo, "datastore", "verify", "--dry-run").status == 2
