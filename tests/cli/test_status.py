"""`datastore status` of a bucket: how far behind, what it costs to know, and what a monitor is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Swamp
from tests.cli.memory_team import Team, put


@pytest.fixture
def team(swamp: Swamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(swamp, tmp_path).installed(monkeypatch)


@pytest.fixture(params=["", "infra"])
def namespace(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def line_of(outcome: Outcome, label: str) -> str:
    return next(line for line in outcome.text.splitlines() if line.strip().startswith(f"{label}:")).split(None, 1)[1]


def test_status_tells_how_far_behind_a_clone_is(team: Team, namespace: str) -> None:
    """Commits that were not read are counted, the newest with author and age, for programs and people."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace)
    put(ann, "one")
    bob("datastore", "sync").ok()
    assert bob("datastore", "status", "--json").json["sync"]["behind"] == {
        "commits": 0, "atLeast": False, "newest": None, "logReplaced": False, "problem": None,
    }  # fmt: skip
    assert line_of(bob("datastore", "status"), "Behind") == "nothing new"
    put(ann, "two")
    put(ann, "three")
    team.clock.advance(300)
    sync = bob("datastore", "status", "--json").json["sync"]
    assert (sync["seq"], sync["behind"]["commits"], sync["behind"]["problem"]) == (1, 2, None)
    newest = sync["behind"]["newest"]
    assert (newest["seq"], newest["kind"], newest["ageSeconds"]) == (3, "put", pytest.approx(300, abs=1))
    assert "@" in newest["author"]
    shown = line_of(bob("datastore", "status"), "Behind")
    assert shown == f"2 commits (newest: 3 by {newest['author']}, 5 min ago)"
    bob("datastore", "sync").ok()
    assert bob("datastore", "status", "--json").json["sync"]["behind"]["commits"] == 0


def test_status_of_a_new_clone_counts_the_whole_log(team: Team, namespace: str) -> None:
    """A clone that never read the log is as far behind as the log is long."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace)
    put(ann, "one")
    put(ann, "two")
    behind = bob("datastore", "status", "--json").json["sync"]["behind"]
    assert (behind["commits"], behind["newest"]["seq"]) == (2, 2)
    assert line_of(bob("datastore", "status"), "Commit") == "none: the log was never read; swamp datastore sync"


def test_status_costs_two_listings_and_one_read_of_what_is_new(team: Team, namespace: str) -> None:
    """Nothing new: two listings; anything new: one read more, however much; a followed namespace: one listing."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace)
    put(ann, "one")
    bob("datastore", "sync").ok()

    def cost() -> list[str]:
        team.calls.clear()
        bob("datastore", "status").ok()
        return sorted(team.calls)

    assert cost() == ["list", "list"]
    for number in range(5):
        put(ann, f"n{number}")
    assert cost() == ["get", "list", "list"]
    for name in ("web", "db"):
        put(team.repo(name, name), "x")
    bob("namespace", "follow", "web", "db").ok()
    assert cost() == ["get", "list", "list", "list", "list"]


def test_status_says_how_far_behind_followed_namespaces_are(team: Team) -> None:
    """Each followed namespace has its own distance; one that cannot be read says why and hides no other."""
    app, web, db = team.repo("app", "app"), team.repo("web", "web"), team.repo("db", "db")
    for run in (app, web, db):
        put(run, "one")
    app("namespace", "follow", "web", "db").ok()
    put(web, "two")
    team.clock.advance(7_200)
    team.unreadable = ("db/",)
    document = app("datastore", "status", "--json").json
    assert document["healthy"] is True
    behind = {one["namespace"]: one["behind"] for one in document["sync"]["followed"]}
    assert (behind["web"]["commits"], behind["web"]["newest"]["seq"]) == (1, 2)
    assert (behind["db"]["commits"], behind["db"]["problem"]) == (None, "no answer about db/_log/")
    text = app("datastore", "status").text
    assert "Follows:   web, commit 1, looked at 2 h ago; behind by 1 commit (newest: 2, 2 h ago)" in text
    assert "Follows:   db, commit 1, looked at 2 h ago; not known: no answer about db/_log/" in text


def test_status_without_the_bucket_shows_what_is_known_here(team: Team, namespace: str) -> None:
    """Where the bucket cannot be reached the status says so, and still shows commit, files and what is pending."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    put(ann, "two", "--no-sync")
    team.unreadable = ("",)
    document = ann("datastore", "status", "--json").json
    assert document["healthy"] is False
    assert document["sync"]["seq"] == 1
    assert [entry["op"] for entry in document["sync"]["pending"]] == ["put"]
    assert document["sync"]["behind"]["commits"] is None
    assert "no answer about" in document["sync"]["behind"]["problem"]
    outcome = ann("datastore", "status").ok()
    assert line_of(outcome, "Behind").startswith("not known: no answer about")
    assert line_of(outcome, "Pending").startswith("1 file, 0 removals, the oldest ")


def test_status_knows_another_log(team: Team, namespace: str) -> None:
    """A log that was emptied and begun anew is told as another one, before a sync starts over."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    store = team.buckets.store()
    for info in list(store.list(f"{namespace}/_log/" if namespace else "_log/")):
        store.delete(info.key)
    sync = ann("datastore", "status", "--json").json["sync"]
    assert (sync["behind"]["logReplaced"], sync["behind"]["commits"]) == (True, None)
    assert line_of(ann("datastore", "status"), "Behind").startswith("the log in the bucket is another one")


# --- monitoring ------------------------------------------------------------------------------------------------


def causes(outcome: Outcome) -> list[str]:
    return [one["cause"] for one in json.loads(outcome.text)["maxAge"]["exceeded"]]


def test_last_sync_that_is_too_long_ago_fails_the_check(team: Team) -> None:
    """Just within the age is 0, just beyond is 1 and names the cause; no age at all is wrong usage."""
    ann = team.repo("ann", "")
    put(ann, "one")
    team.clock.advance(299)
    fine = ann("datastore", "status", "--max-age", "5m", "--json")
    assert (fine.status, fine.json["maxAge"]) == (0, {"seconds": 300.0, "exceeded": []})
    team.clock.advance(2)
    late = ann("datastore", "status", "--max-age", "5m", "--json")
    assert (late.status, causes(late)) == (1, ["not synced"])
    assert "not synced: this repo's log was last read 5 min ago" in ann("datastore", "status", "--max-age", "5m").err
    assert ann("datastore", "status", "--max-age", "soon").status == 2


def test_what_is_pending_for_too_long_fails_the_check(team: Team, namespace: str) -> None:
    """A version that was not published within the age exits 1 and is named, although the log was read just now."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    put(ann, "two", "--no-sync")
    team.clock.advance(600)
    ann("datastore", "sync", "--pull").ok()
    assert ann("datastore", "status", "--max-age", "1h").status == 0
    late = ann("datastore", "status", "--max-age", "5m", "--json")
    assert (late.status, causes(late)) == (1, ["pending"])
    (cause,) = json.loads(late.text)["maxAge"]["exceeded"]
    assert (cause["namespace"], cause["count"], cause["ageSeconds"]) == (namespace, 1, pytest.approx(600, abs=1))
    assert cause["paths"][0].endswith("/two/1")
    shown = ann("datastore", "status", "--max-age", "5m").err
    assert shown.startswith("Warning: pending: 1 change is not published for more than 5m: data/")
    ann("datastore", "sync").ok()
    assert ann("datastore", "status", "--max-age", "5m").status == 0


def test_what_fails_for_too_long_fails_the_check(team: Team, namespace: str) -> None:
    """A version that cannot be published is a failure of its own, with its reason, and is not told as pending too."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    put(ann, "bad", "--no-sync")
    (raw,) = (team.directory / "ann" / ".swamp" / "remote").rglob("bad/1/raw")
    raw.unlink()
    assert ann("datastore", "sync").status == 1
    assert ann("datastore", "status", "--max-age", "5m").status == 0
    team.clock.advance(600)
    assert ann("datastore", "sync").status == 1
    late = ann("datastore", "status", "--max-age", "5m", "--json")
    assert (late.status, causes(late)) == (1, ["failed"])
    assert "its content is missing from the local copy" in ann("datastore", "status", "--max-age", "5m").err


def test_what_waits_for_too_long_and_fails_since_now_fails_the_check(team: Team, namespace: str) -> None:
    """A failure that is younger than what it concerns does not hide that it waits for too long."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    put(ann, "bad", "--no-sync")
    (raw,) = (team.directory / "ann" / ".swamp" / "remote").rglob("bad/1/raw")
    raw.unlink()
    team.clock.advance(600)
    assert causes(ann("datastore", "status", "--max-age", "5m", "--json")) == ["not synced", "pending"]
    assert ann("datastore", "sync").status == 1
    assert causes(ann("datastore", "status", "--max-age", "5m", "--json")) == ["pending"]
    team.clock.advance(299)
    assert ann("datastore", "sync").status == 1
    assert causes(ann("datastore", "status", "--max-age", "5m", "--json")) == ["pending"]
    team.clock.advance(2)
    assert causes(ann("datastore", "status", "--max-age", "5m", "--json")) == ["failed"]


def test_bucket_out_of_reach_for_a_moment_is_no_alarm(team: Team) -> None:
    """An unreachable bucket fails the check only once the last sync is too long ago, and is then the reason."""
    ann = team.repo("ann", "")
    put(ann, "one")
    team.unreadable = ("",)
    assert ann("datastore", "status", "--max-age", "5m").status == 0
    team.clock.advance(600)
    late = ann("datastore", "status", "--max-age", "5m")
    assert late.status == 1
    assert "ago, more than 5m (no answer about" in late.err


def test_directory_that_cannot_be_used_fails_the_check(swamp: Swamp, solo: Path, tmp_path: Path) -> None:
    """On a directory nothing is synced or pending: the check is whether it can be used."""
    shared = tmp_path / "shared"
    swamp(solo, "datastore", "setup", "filesystem", "--path", str(shared)).ok()
    fine = swamp(solo, "datastore", "status", "--max-age", "1h", "--json")
    assert (fine.status, fine.json["maxAge"]["exceeded"]) == (0, [])
    shared.rename(tmp_path / "gone")
    gone = swamp(solo, "datastore", "status", "--max-age", "1h", "--json")
    assert (gone.status, causes(gone)) == (1, ["unreachable"])
    assert "the datastore cannot be used" in swamp(solo, "datastore", "status", "--max-age", "1h").err
