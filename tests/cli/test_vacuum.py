"""`datastore vacuum`: what it frees, what it leaves, and that nobody loses anything by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import Create, ObjectInfo, ObjectStore, Overwrite
from swampsync.backends.bucket_rules import BucketVersions
from swampsync.errors import AccessDenied, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.locks.table import LockKind, find_lock_kind
from swampsync.testing.faulty_store import Call, Fault, Faulty
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Swamp

__all__ = ["team"]


class Denying(Faulty):
    """A store that does not let go of metadata."""

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        denied = [key for key in keys if key.text.endswith(".yaml")]
        failures = super().delete_many([key for key in keys if key not in denied])
        return failures | {key: AccessDenied("it is locked", key=key.text) for key in denied}


@pytest.fixture
def ann(team: PastTeam) -> PastRepo:
    """A repo that deleted an artifact of two versions 28 days ago, and another one yesterday."""
    ann = team.repo("ann")
    for content in ("one", "two"):
        ann.put("old", content)
    ann.put("kept", "k")
    ann.put("young", "y")
    team.days(1)
    ann("data", "delete", "vpc", "old", "-y").ok()
    team.days(28)
    ann("data", "delete", "vpc", "young", "-y").ok()
    return ann


def contents(team: PastTeam) -> list[str]:
    """Names and versions of the artifacts whose content lies in the bucket."""
    return [" ".join(key.split("/")[-3:-1]) for key in team.objects() if key.endswith("/raw")]


def test_removed_content_goes_and_everything_else_stays(team: PastTeam, ann: PastRepo) -> None:
    """What was deleted before the horizon is freed; what is there, what is young, the log and all clones stay right."""
    bob = team.repo("bob")
    log = [key for key in team.objects() if "_log/" in key]
    planned = ann("datastore", "vacuum", "--dry-run", "--json").json
    assert (planned["objectsRemoved"], planned["contents"], planned["bytesFreed"] > 6) == (4, 4, True)
    assert (planned["dryRun"], planned["horizonDays"]) == (True, 7)
    assert sorted(contents(team)) == ["kept 1", "old 1", "old 2", "young 1"]
    done = bob("datastore", "vacuum", "--yes").ok()
    assert done.text.startswith("Removed 4 objects (")
    assert "4 contents; not needed for 7 days" in done.text
    assert sorted(contents(team)) == ["kept 1", "young 1"]
    assert [key for key in team.objects() if "_log/" in key] == log
    for repo in (ann, bob):
        repo("datastore", "sync").ok()
        assert repo.content("kept") == "k"
    ann("datastore", "undelete", "vpc", "young").ok()
    assert ann.content("young") == "y"
    refused = ann("datastore", "undelete", "vpc", "old", "--at", "3", "--json")
    assert refused.error["error"].endswith("is gone: it was vacuumed")
    assert ann("data", "list", "vpc", "--as-of", "3", "--json").json["total"] == 2
    gone = ann("data", "get", "vpc", "old", "--as-of", "3", "--output", "-", "--json")
    assert (gone.status, gone.error["code"]) == (1, "not_found")
    assert "removed and then vacuumed" in gone.error["error"]
    assert "Nothing to vacuum" in ann("datastore", "vacuum", "--yes").ok().text


def test_numbers_are_not_given_again_after_a_vacuum(team: PastTeam, ann: PastRepo) -> None:
    """An artifact that is put again after its objects were freed goes on with the next number."""
    ann("datastore", "vacuum", "--yes").ok()
    bob = team.repo("bob")
    bob.put("old", "three")
    assert bob("data", "versions", "vpc", "old").json["versions"][0]["version"] == 3


def test_structural_lock_is_held_while_it_removes(team: PastTeam, ann: PastRepo) -> None:
    """The lock lies in the bucket under the namespace's name, is given back, and a dry run takes none."""
    seen: list[tuple[str, str]] = []

    def watch(call: Call) -> Fault | None:
        if call.method in {"put", "delete_many", "delete"}:
            seen.append((call.method, call.key))
        return None

    def wrap(store: ObjectStore) -> ObjectStore:
        return Faulty(store, watch)

    lock = ".locks/infra.lock" if team.namespace else ".datastore.lock"
    with team.wrapped(wrap):
        ann("datastore", "vacuum", "--dry-run").ok()
        assert seen == []
        ann("datastore", "vacuum", "--yes").ok()
    assert [key for method, key in seen if method == "put"] == [lock, lock]
    assert [method for method, _ in seen] == ["put", "delete_many", "put"]
    assert b'"released": true' in team.memory.get(ObjectKey(lock)).body
    assert find_lock_kind("datastore vacuum") is LockKind.STRUCTURAL


def test_the_stores_own_clock_decides(team: PastTeam, ann: PastRepo) -> None:
    """A machine whose clock is ahead previews more, but what is removed is old by the store's time."""
    behind = (datetime.now(UTC) - team.clock.now()) / timedelta(days=1)
    assert behind < 2
    team.clock.step_wall(-25 * 86400.0)
    assert ann("datastore", "vacuum", "--dry-run", "--json").json["objectsRemoved"] == 4
    assert ann("datastore", "vacuum", "--yes", "--json").json["objectsRemoved"] == 0
    assert len(contents(team)) == 4


def test_dead_uploads_go_and_young_ones_stay(team: PastTeam, ann: PastRepo) -> None:
    """What a push left behind long ago is freed; what may be somebody's upload under way is not."""
    put = team.memory.put
    team.catch_up()
    key = ObjectKey(team.key("files/a~00000000"))
    put(key, b"x", Create())
    assert ann("datastore", "vacuum", "--yes", "--json").json["objectsRemoved"] == 4
    assert key.text in team.objects()


def test_short_horizons_are_refused(team: PastTeam, ann: PastRepo) -> None:
    """Less than three days is not safe, and what the namespace's record promises is kept."""
    refused = ann("datastore", "vacuum", "--older-than", "2d", "--yes", "--json")
    assert (refused.status, refused.error["hint"]) == (2, "--older-than 3d")
    assert ann("datastore", "vacuum", "--older-than", "soon", "--yes").status == 2
    assert ann("datastore", "vacuum", "--older-than", "60d", "--dry-run", "--json").json["objectsRemoved"] == 0
    if team.namespace:
        record = ObjectKey("infra/.swampsync.json")
        body = team.memory.get(record).body.replace(b"{", b'{"vacuumHorizon": 14,', 1)
        team.memory.put(record, body, Overwrite())
        promised = ann("datastore", "vacuum", "--older-than", "7d", "--yes", "--json")
        assert (promised.status, promised.error["code"]) == (1, "refused")
        assert promised.error["hint"] == "--older-than 14d, or leave it out"
        assert ann("datastore", "vacuum", "--dry-run", "--json").json["horizonDays"] == 14


def test_nothing_is_removed_without_a_yes(ann: PastRepo, team: PastTeam) -> None:
    """Where nobody can be asked, --yes is needed; nothing is locked or removed before."""
    before = team.objects()
    assert ann("datastore", "vacuum").status == 1
    assert ann("datastore", "vacuum", "--json").error["hint"].startswith("repeat the command with --yes")
    assert team.objects() == before


def test_damaged_log_stops_it(ann: PastRepo, team: PastTeam) -> None:
    """With a commit that cannot be read nobody knows what is needed."""
    team.memory.delete(ObjectKey(team.key("_log/00000000000000000002.json")))
    before = team.objects()
    refused = ann("datastore", "vacuum", "--yes", "--json")
    assert (refused.status, refused.error["hint"]) == (1, "swamp datastore verify")
    assert "is missing from the log" in refused.error["error"]
    assert team.objects() == before


def test_what_could_not_be_removed_is_told_and_found_again(ann: PastRepo, team: PastTeam) -> None:
    """A partial failure exits 1 with each key and its reason; the next vacuum removes the rest."""

    with team.wrapped(Denying):
        outcome = ann("datastore", "vacuum", "--yes")
    assert outcome.status == 1
    assert outcome.err.count("Warning: could not remove ") == 2
    assert ann("datastore", "vacuum", "--yes", "--json").json["objectsRemoved"] == 2


def test_only_members_vacuum(team: PastTeam, ann: PastRepo) -> None:
    """Another namespace's repo is refused, and its own vacuum touches nothing but its own."""
    if not team.namespace:
        return
    app = team.repo("app", "app")
    before: list[ObjectInfo] = list(team.memory.list("infra/"))
    refused = app("datastore", "vacuum", "-n", "infra", "--yes", "--json")
    assert (refused.status, refused.error["code"]) == (1, "conflict")
    app("datastore", "vacuum", "--yes").ok()
    assert list(team.memory.list("infra/")) == before


def test_a_directory_has_nothing_to_vacuum(swamp: Swamp, solo: Path) -> None:
    """On a directory gc is what frees space, and the command says so."""
    refused = swamp(solo, "datastore", "vacuum", "--yes", "--json")
    assert (refused.status, refused.error["code"]) == (1, "refused")
    assert refused.error["hint"] == "swamp data gc"


def test_bucket_that_keeps_versions_frees_no_space_yet(team: PastTeam, ann: PastRepo) -> None:
    """Under versioning or Object Lock what is removed stays for a while: once the doctor knows it, vacuum says so."""
    team.buckets.versions = BucketVersions(is_kept=True, retention="1 day (COMPLIANCE)")
    assert ann("datastore", "vacuum", "--dry-run", "--json").json["bytesFreed"] > 0
    ann("doctor", "backend", "--quick").ok()
    assert ann("datastore", "vacuum", "--dry-run", "--json").json["bytesFreed"] == 0
    done = ann("datastore", "vacuum", "--yes").ok()
    assert done.text.startswith("Removed 4 objects (")
    assert "keeps former versions: the space is free when they have expired" in done.err
    assert "former versions" not in ann("datastore", "vacuum", "--yes").ok().err
