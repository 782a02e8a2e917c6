"""`datastore undelete`: by one repo, seen by another repo and by a second clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from swampsync.layout import ObjectKey
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.locks.table import LockKind, find_lock_kind
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Swamp

__all__ = ["team"]


@pytest.fixture
def ann(team: PastTeam) -> PastRepo:
    """A repo whose artifact `state`, two versions, was deleted yesterday, and `other` today."""
    team.days(28)
    ann = team.repo("ann")
    for content in ("one", "two"):
        ann.put("state", content)
    ann.put("other", "x")
    team.days(1)
    ann("data", "delete", "vpc", "state", "-y").ok()
    ann("data", "delete", "vpc", "other", "-y").ok()
    return ann


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("vpc", "state"), ["state 1", "state 2"]),
        (("vpc",), ["other 1", "state 1", "state 2"]),
        (("vpc", "st*", "none"), ["state 1", "state 2"]),
        (("vpc", "state", "--version", "1"), ["state 1"]),
        (("data/**/state",), ["state 1", "state 2"]),
        (("data/*/*/*/other", "data/**/state/2"), ["other 1", "state 2"]),
    ],
)
def test_what_was_deleted_is_found_by_model_name_or_path(
    ann: PastRepo, words: tuple[str, ...], expected: list[str]
) -> None:
    """A model, names with wildcards, a version and paths each choose what comes back; a dry run changes nothing."""
    document = ann("datastore", "undelete", *words, "--dry-run", "--json").json
    assert [f"{item['dataName']} {item['version']}" for item in document["restored"]] == expected
    assert {item["modelName"] for item in document["restored"]} == {"vpc"}
    assert (document["dryRun"], document["seq"], document["total"]) == (True, None, len(expected))
    assert ann("datastore", "log", "--json").json["total"] == 5


def test_deleted_artifact_is_back_for_everybody(team: PastTeam, ann: PastRepo) -> None:
    """One commit brings back both versions: for who asked, for a second clone, and for another namespace's repo."""
    bob = team.repo("bob")
    outcome = bob("datastore", "undelete", "vpc", "state").ok()
    first, *items, last = outcome.text.splitlines()
    assert first == "Brought back 2 versions (6B)"
    assert [line.partition(",")[0] for line in items] == ["  vpc state v1: 3B", "  vpc state v2: 3B"]
    assert items[0].endswith("with commit 4 (delete)")
    assert last == "At commit 6"
    assert bob.content("state") == "two"
    ann("datastore", "sync").ok()
    assert (ann.content("state", "--version", "1"), ann.content("state")) == ("one", "two")
    newest = ann("datastore", "log", "--json").json["commits"][0]
    assert (newest["kind"], newest["versions"], newest["files"]) == ("undelete", 2, 0)
    ann.put("state", "three")
    assert ann("data", "list", "vpc", "--json").json["groups"][0]["items"][0]["version"] == 3
    if team.namespace:
        app = team.repo("app", "app")
        assert app.content("state", "-n", "infra") == "three"
        refused = app("datastore", "undelete", "infra:vpc", "other", "--json")
        assert (refused.status, refused.error["code"]) == (1, "conflict")
    again = bob("datastore", "undelete", "vpc", "state", "--json")
    assert (again.status, again.error["code"]) == (1, "not_found")


def test_deletion_of_long_ago_comes_back_by_its_commit(team: PastTeam) -> None:
    """Beyond the horizon the default finds nothing and says so; `--at` brings back what has not been vacuumed."""
    old = team.repo("old")
    old.put("ancient", "x")
    old("data", "delete", "vpc", "ancient", "-y").ok()
    seq = old("datastore", "log", "--json").json["commits"][0]["seq"]
    team.days(29)
    refused = old("datastore", "undelete", "vpc", "ancient", "--json")
    assert refused.status == 1
    assert "within the last 7 days" in refused.error["error"]
    assert refused.error["hint"].startswith("swamp datastore undelete vpc ancient --at SEQ")
    document = old("datastore", "undelete", "vpc", "ancient", "--at", str(seq - 1), "--json").json
    assert (document["at"], document["total"]) == (seq - 1, 1)
    assert old.content("ancient") == "x"
    nothing = old("datastore", "undelete", "vpc", "ancient", "--at", str(seq), "--json")
    assert nothing.error["error"] == f"nothing that `vpc ancient` names existed at commit {seq} and is missing now"


def test_vacuumed_content_is_an_error_that_names_it(team: PastTeam, ann: PastRepo) -> None:
    """Content that is gone fails the whole before anything is written; --skip-missing brings back the rest."""
    (raw,) = [key for key in team.objects() if key.endswith("/state/1/raw")]
    team.memory.delete(ObjectKey(raw))
    before = team.objects()
    refused = ann("datastore", "undelete", "vpc", "--json")
    assert (refused.status, refused.error["code"]) == (1, "data_error")
    assert refused.error["error"].endswith("/state/1` is gone: it was vacuumed")
    assert team.objects() == before
    outcome = ann("datastore", "undelete", "vpc", "--skip-missing").ok()
    assert outcome.err.startswith("Warning: left out data/")
    assert "Brought back 2 versions (4B)" in outcome.text
    assert ann.content("state") == "two"


def test_deletion_that_is_still_pending_is_not_undone_here(ann: PastRepo) -> None:
    """What only this clone knows of is a matter of sync: the log still has it."""
    ann.put("third", "x")
    config = ann.path / ".swamp.yaml"
    config.write_text(config.read_text().replace("  config:", "  autoSync: false\n  config:"))
    ann("data", "delete", "vpc", "third", "-y").ok()
    assert ann("datastore", "undelete", "vpc", "third").status == 1
    ann("datastore", "sync", "--yes").ok()
    ann("datastore", "undelete", "vpc", "third").ok()
    assert ann.content("third") == "x"


def test_the_models_lock_is_held(ann: PastRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a write like any other of the clone: under the locks of its models, in the local copy."""
    taken: list[tuple[str, int]] = []
    model_lock = BucketGuard.model_lock

    def spy(self: BucketGuard, models: object, *, command: str, **more: object) -> object:
        taken.append((command, len(list(models))))  # type: ignore[call-overload]
        return model_lock(self, models, command=command, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(BucketGuard, "model_lock", spy)
    ann("datastore", "undelete", "vpc", "--dry-run").ok()
    assert taken == []
    ann("datastore", "undelete", "vpc").ok()
    assert taken == [("datastore undelete", 1)]
    assert find_lock_kind("datastore undelete") is LockKind.MODEL


LATELY = "but nothing of it was removed within the last 7 days, for which removed content is kept"
EARLIER = "--at SEQ, if it was removed earlier and not vacuumed yet"
NO_MODEL = "has data, or had any that was removed and is still known"
DEFINITION = "auto-definitions/swampsync/artifact"
NOTHING = [
    (
        ("vcp", "state"),
        f"no model `vcp` {NO_MODEL}; there is `vpc`",
        "did you mean: swamp datastore undelete vpc state",
    ),
    (("nothing-like-it",), f"no model `nothing-like-it` {NO_MODEL}", "swamp data list"),
    (
        ("vpc", "stat"),
        "model `vpc` never had data named `stat`; there is `state`",
        "did you mean: swamp datastore undelete vpc state",
    ),
    (("vpc", "kept"), f"`vpc kept` is known, {LATELY}", f"swamp datastore undelete vpc kept {EARLIER}"),
    (
        ("vpc", "state", "--version", "9"),
        f"`vpc state --version 9` is known, {LATELY}",
        f"swamp datastore undelete vpc state --version 9 {EARLIER}",
    ),
    (("files/none",), "the namespace never had anything at `files/none`", "swamp datastore log"),
    (
        (f"{DEFINITION}/vpx.yaml",),
        f"the namespace never had anything at `{DEFINITION}/vpx.yaml`; there is `{DEFINITION}/vpc.yaml`",
        f"did you mean: swamp datastore undelete {DEFINITION}/vpc.yaml",
    ),
    ((DEFINITION,), f"`{DEFINITION}` is known, {LATELY}", f"swamp datastore undelete {DEFINITION} {EARLIER}"),
    (
        ("files/**",),
        f"nothing that `files/**` names{LATELY.removeprefix('but nothing of it')}",
        f"swamp datastore undelete files/** {EARLIER}",
    ),
]


def test_unknown_and_unremoved_are_told_apart(team: PastTeam, ann: PastRepo) -> None:
    """Who mistypes learns what there is; who names what is still there learns that, from any clone."""
    ann.put("kept", "x")
    for repo in (ann, team.repo("bob")):
        for words, error, hint in NOTHING:
            outcome = repo("datastore", "undelete", *words, "--json")
            assert (outcome.status, outcome.error["code"]) == (1, "not_found")
            assert (outcome.error["error"], outcome.error["hint"]) == (error, hint)


def test_unknown_model_of_the_past_is_told_too(ann: PastRepo) -> None:
    """With --at an unknown model is told as such, and a known one with the commit."""
    unknown = ann("datastore", "undelete", "vcp", "--at", "3", "--json")
    assert unknown.error["hint"] == "did you mean: swamp datastore undelete vpc"
    known = ann("datastore", "undelete", "vpc", "--at", "5", "--json")
    assert known.error["error"] == "nothing that `vpc` names existed at commit 5 and is missing now"


def test_model_of_which_nothing_is_left_is_known(team: PastTeam) -> None:
    """Its removed versions call it by its name; long afterwards its definition does, or its id."""
    ann = team.repo("ann")
    ann.put("state", "one")
    identifier = ann("data", "list", "--json").json["models"][0]["modelId"]
    ann("data", "delete", "vpc", "state", "-y").ok()
    for words in (("vpc",), (identifier, "state")):
        told = team.repo(f"clone-{len(words)}")("datastore", "undelete", *words, "--json")
        assert "is known, but nothing of it was removed" in told.error["error"]


def test_removal_that_is_not_published_is_told(ann: PastRepo) -> None:
    """Nothing is gone yet for others; the way back is to publish the removal first."""
    ann.put("third", "x")
    config = ann.path / ".swamp.yaml"
    config.write_text(config.read_text().replace("  config:", "  autoSync: false\n  config:"))
    ann("data", "delete", "vpc", "third", "-y").ok()
    told = ann("datastore", "undelete", "vpc", "third", "--json")
    assert told.error["error"] == "the removal of what `vpc third` names is not published yet: the log still has it"
    assert told.error["hint"] == "swamp datastore sync, and then the same again"


def test_namespace_without_commits_has_nothing_to_undelete(team: PastTeam) -> None:
    """Nothing was published, so nothing was removed."""
    ann = team.repo("ann")
    for words in (("undelete", "vpc"), ("log",)):
        told = ann("datastore", *words, "--json")
        assert (told.status, told.error["error"]) == (1, "nothing was published yet")
    assert ann("data", "list", "--as-of", "1", "--json").error["error"] == "nothing was published yet"
    for other in (("datastore", "undelete", "none:vpc"), ("datastore", "log", "-n", "none")):
        told = ann(*other, "--json")
        assert told.error["error"] == "namespace `none` is not registered in this datastore"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "what to bring back is missing"),
        (("vpc", "files/x"), "a model's name and paths do not go together"),
        (("vpc", "a/b"), "a data name has no slash"),
        (("vpc", "--at", "never"), "is neither a duration"),
    ],
)
def test_wrong_words_are_told(ann: PastRepo, words: tuple[str, ...], message: str) -> None:
    """What cannot be understood is wrong usage, with an example."""
    outcome = ann("datastore", "undelete", *words, "--json")
    assert outcome.status == 2
    assert message in outcome.error["error"]


def test_a_directory_brings_nothing_back(swamp: Swamp, solo: Path) -> None:
    """Where there is no log the command says so."""
    refused = swamp(solo, "datastore", "undelete", "vpc", "state", "--json")
    assert (refused.status, refused.error["code"]) == (1, "refused")
    assert refused.error["error"] == "the datastore is a directory, which keeps no log: what was removed is gone"
