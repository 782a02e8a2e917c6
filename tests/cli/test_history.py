"""What was: `datastore log`, and `data list`, `get` and `versions` with `--as-of`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from swampsync.clock import format_timestamp
from swampsync.testing.faulty_store import Faulty
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Swamp

__all__ = ["team"]


@pytest.fixture
def ann(team: PastTeam) -> PastRepo:
    """A repo with five commits, a day apart: two versions, another artifact, its removal, a third version."""
    ann = team.repo("ann")
    for content in ("one", "two"):
        ann.put("state", content)
        team.days(1)
    ann.put("other", "x", "--tag", "env=prod")
    team.days(1)
    ann("data", "delete", "vpc", "other", "-y").ok()
    team.days(1)
    ann.put("state", "three")
    return ann


def names(repo: PastRepo, *flags: str) -> list[tuple[str, int]]:
    listed = repo("data", "list", "vpc", "--json", *flags).json
    return [(item["name"], item["version"]) for group in listed["groups"] for item in group["items"]]


def test_list_of_the_past_is_what_it_was(team: PastTeam, ann: PastRepo) -> None:
    """`--as-of` with a number or a time lists what was there then, also for a clone that never synced."""
    moment = format_timestamp(team.clock.now() - timedelta(days=3, hours=-1))
    for repo in (ann, team.repo("bob")):
        assert names(repo, "--as-of", "1") == [("state", 1)]
        assert names(repo, "--as-of", "3") == [("other", 1), ("state", 2)]
        assert names(repo, "--as-of", "4") == [("state", 2)]
        assert names(repo, "--as-of", moment) == [("state", 2)]
        models = repo("data", "list", "--as-of", "3", "--json").json["models"]
        assert [(m["modelName"], m["artifacts"], m["versions"], m["size"]) for m in models] == [("vpc", 2, 3, 7)]
    assert names(ann) == [("state", 3)]


def test_durations_are_so_long_ago(team: PastTeam, ann: PastRepo) -> None:
    """`--as-of 2d` looks two days back."""
    team.days(1)
    team.catch_up()
    ann.put("late", "x")
    assert names(ann, "--as-of", "20d") == [("state", 3)]
    assert names(ann, "--as-of", "0m") == [("late", 1), ("state", 3)]


def test_content_and_versions_of_the_past(team: PastTeam, ann: PastRepo) -> None:
    """`get --as-of` streams what was the latest then, also of what is gone; `versions --as-of` lists the versions."""
    for repo in (ann, team.repo("bob")):
        assert repo.content("state", "--as-of", "2") == "two"
        assert repo.content("state", "--as-of", "2", "--version", "1") == "one"
        assert repo.content("other", "--as-of", "3") == "x"
        document = repo("data", "get", "vpc", "other", "--as-of", "3", "--json").json
        assert (document["content"], document["tags"]["env"]) == ("x", "prod")
        assert repo("data", "versions", "vpc", "state", "--as-of", "2").json["total"] == 2
    missing = ann("data", "get", "vpc", "other", "--as-of", "2", "--json")
    assert (missing.status, missing.error["code"]) == (1, "not_found")
    assert missing.error["hint"] == "swamp data list vpc --as-of 2"
    assert ann("data", "get", "vpc", "state", "--as-of", "2", "--version", "3").status == 1


@pytest.mark.holds("I8")
def test_looking_back_writes_nothing(team: PastTeam, ann: PastRepo) -> None:
    """Nothing is written to the bucket, the copy or the catalog, and the clone's position stays where it was."""
    bob = team.repo("bob")
    before = team.objects()
    seen: list[str] = []

    def watch(call: object) -> None:
        seen.append(str(getattr(call, "method", "")))

    with team.wrapped(lambda store: Faulty(store, watch)):
        assert names(bob, "--as-of", "3") == [("other", 1), ("state", 2)]
        assert bob.content("other", "--as-of", "3") == "x"
        bob("datastore", "log").ok()
    assert seen
    assert set(seen) <= {"get", "head", "list", "open"}
    assert team.objects() == before
    assert not list((bob.path / ".swamp").rglob("raw"))
    assert bob("datastore", "status", "--json").json["sync"]["seq"] == 0
    assert ann("datastore", "log", "--json").json["total"] == 5


def test_times_and_numbers_out_of_reach_are_errors(team: PastTeam, ann: PastRepo) -> None:
    """Before the first commit, after the newest, and what is no time: each says what is wrong and what to type."""
    early = ann("data", "list", "--as-of", "2020-01-01T00:00:00Z", "--json")
    first = format_timestamp(team.clock.now() - timedelta(days=4))
    assert early.status == 1
    assert early.error["error"] == (
        f"nothing was published yet at 2020-01-01T00:00:00.000Z: the first commit is of {first}"
    )
    for number in ("0", "6"):
        late = ann("data", "list", "--as-of", number, "--json")
        assert (late.status, late.error["error"]) == (1, f"the log has no commit {number}: its commits are 1 to 5")
    assert ann("data", "list", "--as-of", "99999d").status == 1
    wrong = ann("data", "list", "--as-of", "yesterday", "--json")
    assert (wrong.status, wrong.error["hint"]) == (2, "--as-of 2026-11-21T09:30:00Z")
    naive = ann("data", "list", "--as-of", "2026-11-20", "--json")
    assert (naive.status, naive.error["hint"]) == (2, "--as-of 2026-11-20T00:00:00Z")
    assert ann("data", "list", "--as-of", "2", "--all-namespaces").status == 2
    empty = team.repo("empty", "empty" if team.namespace else None)
    if team.namespace:
        assert "nothing was published yet" in empty("data", "list", "--as-of", "1").err


def test_another_namespaces_past_is_read(team: PastTeam, ann: PastRepo) -> None:
    """`-n infra` and `infra:vpc` look into that namespace's log."""
    if not team.namespace:
        return
    app = team.repo("app", "app")
    assert names(app, "-n", "infra", "--as-of", "3") == [("other", 1), ("state", 2)]
    listed = app("data", "list", "infra:vpc", "--as-of", "1", "--json").json
    assert (listed["namespace"], listed["total"]) == ("infra", 1)
    assert app("data", "get", "infra:vpc", "state", "--as-of", "1", "--output", "-").ok().text == "one"
    assert app("datastore", "log", "-n", "infra", "--json").json["total"] == 5
    assert app("datastore", "log", "infra:vpc", "other", "--json").json["total"] == 2


def test_log_names_who_where_what_and_how_much(team: PastTeam, ann: PastRepo) -> None:
    """A commit is shown with user, host, kind and counts as people count; narrowed by path, time and number."""
    for repo in (ann, team.repo("bob")):
        document = repo("datastore", "log", "--json").json
        assert [(c["seq"], c["kind"], c["versions"], c["removed"]) for c in document["commits"]] == [
            (5, "put", 1, 0),
            (4, "delete", 0, 1),
            (3, "put", 1, 0),
            (2, "put", 1, 0),
            (1, "put", 1, 0),
        ]
        newest = document["commits"][0]
        assert newest["author"] == f"{newest['user']}@{newest['host']}"
        assert newest["at"] == format_timestamp(team.clock.now())
        assert newest["repoId"]
    first = ann("datastore", "log", "--json", "--limit", "5").json["commits"][-1]
    assert first["files"] == 1  # the definition that the first put made
    limited = ann("datastore", "log", "--json", "--limit", "2").json
    assert (limited["total"], limited["limited"]) == (2, True)
    assert not ann("datastore", "log", "--json", "--limit", "5").json["limited"]
    since = format_timestamp(team.clock.now() - timedelta(days=1, hours=1))
    assert [c["seq"] for c in ann("datastore", "log", "--json", "--since", since).json["commits"]] == [5, 4]
    row = ann("data", "list", "--json").json["models"][0]
    path = f"data/{row['modelType']}/{row['modelId']}/other"
    assert [c["seq"] for c in ann("datastore", "log", "--json", "--path", path).json["commits"]] == [4, 3]
    for words, expected in ((("vpc", "other"), [4, 3]), (("vpc", "state"), [5, 2, 1]), (("vpc",), [5, 4, 3, 2, 1])):
        assert [c["seq"] for c in ann("datastore", "log", *words, "--json").json["commits"]] == expected
    assert ann("datastore", "log", "nobody").status == 1
    assert ann("datastore", "log", "vpc", "--path", path).status == 2


@pytest.mark.parametrize("team", [""], indirect=True)
def test_log_takes_wildcards_in_paths(ann: PastRepo) -> None:
    """`*` and `?` match within one name, `**` across directories; what matches stands for all below it."""
    for path, expected in (
        ("data/**/other", [4, 3]),
        ("data/**/other/", [4, 3]),
        ("data/*/*/*/other/1/raw", [4, 3]),
        ("data/**/state/2", [2]),
        ("data/**/st*", [5, 2, 1]),
        ("**/raw", [5, 4, 3, 2, 1]),
        ("dat", []),
        ("data/*/state", []),
        ("auto-definitions/**/vpc.yaml", [1]),
    ):
        found = ann("datastore", "log", "--json", "--path", path).json["commits"]
        assert [commit["seq"] for commit in found] == expected, path


def test_log_takes_wildcards_in_names(ann: PastRepo) -> None:
    """An artifact's name may have them too, as for undelete."""
    assert [c["seq"] for c in ann("datastore", "log", "vpc", "o*", "--json").json["commits"]] == [4, 3]


def test_path_of_no_shared_directory_is_told(ann: PastRepo) -> None:
    """Whoever pastes an object's key, or a path of the repo, learns where paths begin."""
    told = ann("datastore", "log", "--path", "infra/data/x").ok()
    assert told.err == "No commit matches. Paths are relative to the namespace: data/…, files/…\n"


def test_log_is_a_table_of_aligned_columns(team: PastTeam, ann: PastRepo) -> None:
    """Without a terminal the table has one line a commit, times in UTC, and empty cells where nothing happened."""
    outcome = ann("datastore", "log", "--limit", "2").ok()
    head, newest, second = outcome.text.splitlines()
    assert head.split() == ["SEQ", "TIME", "(UTC)", "AUTHOR", "KIND", "VERSIONS", "FILES", "REMOVED"]
    assert newest.startswith(f"5    {team.clock.now():%Y-%m-%d %H:%M:%S}  ")
    assert newest.endswith("  put     +1")
    assert second.split()[-2:] == ["delete", "-1"]
    assert outcome.err == "Only the newest 2 commits: --limit N shows more.\n"
    assert ann("datastore", "log", "--path", "files/none").ok().err == "No commit matches.\n"


def test_a_directory_has_no_past(swamp: Swamp, solo: Path) -> None:
    """Where there is no log, each command says so and what has one."""
    swamp(solo, "data", "put", "vpc", "state", stdin="1").ok()
    for words in (
        ("datastore", "log"),
        ("data", "list", "--as-of", "1"),
        ("data", "get", "vpc", "state", "--as-of", "1h"),
    ):
        refused = swamp(solo, *words, "--json")
        assert (refused.status, refused.error["code"]) == (1, "refused")
        assert "directory, which keeps no log" in refused.error["error"]
        assert refused.error["hint"].endswith("swamp datastore setup s3 --bucket BUCKET")
