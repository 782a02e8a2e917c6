"""`datastore sync --dry-run`: writes nothing anywhere, and says what the sync then does, to the request and byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Outcome, Swamp
from tests.cli.memory_team import Team, put

Run = Callable[..., Outcome]
SAME = (
    "commitsPulled", "filesPulled", "filesRemoved", "renumbered", "conflicts", "merged", "removalsDropped", "keptAside",
    "logReplaced", "namespaces", "seq",
)  # fmt: skip


@pytest.fixture
def team(swamp: Swamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(swamp, tmp_path, ManualClock()).installed(monkeypatch)


@pytest.fixture(params=["", "infra"], ids=["solo", "namespaced"])
def namespace(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["full", "lazy"])
def hydration(request: pytest.FixtureRequest) -> str:
    return f"  hydrationStrategy: {request.param}\n"


def everything(team: Team) -> dict[str, str]:
    """Every file of every repo and every object of the bucket, with its digest."""
    found = {}
    for path in sorted(team.directory.rglob("*")):
        what = path.read_bytes() if path.is_file() else b"a directory"
        found[str(path)] = hashlib.sha256(what).hexdigest()
    store = team.buckets.store()
    for info in list(store.list("")):
        found[info.key.text] = hashlib.sha256(store.get(info.key).body).hexdigest()
    return found


def plan_and_sync(team: Team, run: Run, *flags: str) -> dict[str, Any]:
    """Plan, sync, and compare; return the plan."""
    before = everything(team)
    team.calls.clear()
    dry = run("datastore", "sync", "--dry-run", "--json", *flags)
    assert everything(team) == before
    assert set(team.calls) <= {"get", "head", "list", "list_dirs", "open"}
    document = json.loads(dry.text)
    plan: dict[str, Any] = document["plan"]
    assert (document["dryRun"], document["filesPulled"], document["filesPushed"]) == (True, 0, 0)
    assert document["requests"] == len(team.calls)
    text = run("datastore", "sync", "--dry-run", *flags).text
    assert everything(team) == before
    done = run("datastore", "sync", "--json", *flags)
    assert done.status == dry.status
    report = json.loads(done.text)
    assert {name: plan[name] for name in SAME} == {name: report[name] for name in SAME}
    assert (plan["puts"], plan["removals"]) == (report["filesPushed"], report["removalsPushed"])
    assert plan["fetches"] == report["filesFetched"]
    assert (plan["requests"], plan["bytes"], plan["bytesDown"]) == (
        report["requests"], report["bytesUp"], report["bytesDown"],
    )  # fmt: skip
    count = f"That takes {plan['requests']:,} request"
    assert count in text
    return plan


def test_plan_of_a_new_clone(team: Team, namespace: str, hydration: str) -> None:
    """A clone that was never synced is not even given its databases; what comes is listed with its bytes."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace, hydration)
    put(ann, "one")
    put(ann, "two")
    assert not (team.directory / "bob" / ".swamp" / "data" / "_sync.db").exists()
    plan = plan_and_sync(team, bob)
    assert plan["commitsPulled"] == 2
    assert {entry["path"].split("/")[-2] for entry in plan["pulled"]} >= {"one", "two"}
    assert plan["bytesPulled"] >= len("onetwo")
    assert (plan["bytesFetched"] > 0) == ("full" in hydration)


def test_plan_of_nothing_is_one_request(team: Team, namespace: str, hydration: str) -> None:
    """Where nothing is new and nothing pending both the look and the sync are one listing."""
    ann = team.repo("ann", namespace, hydration)
    put(ann, "one")
    plan = plan_and_sync(team, ann)
    assert (plan["requests"], plan["pulled"], plan["entries"]) == (1, [], [])
    text = ann("datastore", "sync", "--dry-run").text
    assert text.splitlines() == [
        "Nothing to pull",
        "Nothing to push",
        "That takes 1 request, 0B up, 0B down, if nobody publishes meanwhile (to find out took 1)",
    ]


def test_plan_of_work_on_both_sides(team: Team, namespace: str, hydration: str) -> None:
    """What was put, appended, deleted and renumbered on both sides: pulled, fetched and pushed just as planned."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace, hydration)
    for name in ("one", "two", "three"):
        put(ann, name)
    plan_and_sync(team, bob)
    ann("data", "delete", "vpc", "two", "-y").ok()
    put(ann, "one")
    put(ann, "four")
    put(bob, "one", "--no-sync")
    put(bob, "five", "--no-sync")
    bob("data", "delete", "vpc", "three", "-y", "--no-sync").ok()
    plan = plan_and_sync(team, bob, "--yes")
    assert (plan["commitsPulled"], plan["removals"]) == (3, 1)
    assert [entry["to"].split("/")[-1] for entry in plan["renumbered"]] == ["3"]
    assert [entry["op"] for entry in plan["pulled"]].count("remove") == 1
    names = {(entry["op"], *entry["path"].split("/")[-2:]) for entry in plan["entries"]}
    assert {("put", "one", "3"), ("put", "five", "1")} <= names
    assert bob("data", "get", "vpc", "one", "--version", "3", "-o", "-").ok().text == "one"


def test_plan_foresees_conflicts_and_merges(team: Team, namespace: str, hydration: str) -> None:
    """Two repos that defined a model of one name, and a file of lines that both extended."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace, hydration)
    bob("data", "list").ok()
    put(ann, "one")
    put(bob, "one", "--no-sync")
    plan = plan_and_sync(team, bob)
    assert len(plan["conflicts"]) == 1
    for name, line in (("ann", "a\n"), ("bob", "b\n")):
        audit = team.directory / name / ".swamp" / "remote" / namespace / "audit" / "log.jsonl"
        audit.parent.mkdir(parents=True, exist_ok=True)
        audit.write_text(line)
    ann("datastore", "sync", "--scan").ok()
    before = everything(team)
    scanned = bob("datastore", "sync", "--scan", "--dry-run", "--json").json
    assert everything(team) == before
    assert [found["path"] for found in scanned["scan"]["found"]] == ["audit/log.jsonl"]
    assert scanned["plan"]["merged"] == ["audit/log.jsonl"]
    plan = plan_and_sync(team, bob, "--scan")
    assert plan["merged"] == ["audit/log.jsonl"]


def test_plan_of_a_checkpoint(team: Team, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that writes a checkpoint, and a clone that begins from one, take what was planned."""
    monkeypatch.setattr("swampsync.log.checkpointing.INTERVAL", 3)
    ann, bob = team.repo("ann", namespace, "  autoSync: false\n"), team.repo("bob", namespace)
    for number in range(5):
        put(ann, f"n{number}")
        plan_and_sync(team, ann)
    keys = [key for key in list(team.buckets.keys()) if "_checkpoints/" in key]
    assert keys
    plan = plan_and_sync(team, bob)
    assert plan["checkpoint"] > 0
    assert plan["bytesPulled"] > 0


def test_plan_goes_on_with_uploads_that_were_cut_off(team: Team, namespace: str) -> None:
    """What an earlier push has uploaded before it was killed is looked at again, and that is counted."""
    ann = team.repo("ann", namespace, "  autoSync: false\n")
    put(ann, "zero")
    ann("datastore", "sync").ok()
    for number in range(3):
        put(ann, f"n{number}")
    team.unreadable = (f"{namespace}/_log/0" if namespace else "_log/0",)
    team.unwritable_keys = "_log/"
    assert ann("datastore", "sync").status == 75
    team.unreadable, team.unwritable_keys = (), ""
    assert plan_and_sync(team, ann)["puts"] == 3


def test_plan_looks_at_followed_namespaces(team: Team) -> None:
    """The commits of each followed namespace are counted, and the looks at their logs are in the requests."""
    app, web = team.repo("app", "app"), team.repo("web", "web")
    put(web, "one")
    put(app, "one")
    app("namespace", "follow", "web").ok()
    put(web, "two")
    plan = plan_and_sync(team, app)
    assert plan["namespaces"] == {"web": 1}
    assert app("datastore", "sync", "--dry-run").text.splitlines()[2] == "Namespace web: 0 commits"


def test_empty_namespaces_are_one_request_each(team: Team) -> None:
    """A log without a commit is one look, own or followed; a first look asks for a checkpoint too."""
    app, _ = team.repo("app", "app"), team.repo("web", "web")
    assert [plan_and_sync(team, app)["requests"] for _ in range(2)] == [2, 1]
    app("namespace", "follow", "web").ok()
    assert plan_and_sync(team, app)["requests"] == 2


def test_plan_meets_what_somebody_else_left(team: Team, namespace: str) -> None:
    """A number that a push elsewhere claimed before it was cut off is not free, and the plan knows it."""
    ann, bob = (team.repo(name, namespace, "  autoSync: false\n") for name in ("ann", "bob"))
    put(ann, "one")
    ann("datastore", "sync").ok()
    bob("datastore", "sync").ok()
    put(ann, "two")
    team.unwritable_keys = "_log/"
    assert ann("datastore", "sync").status == 75
    team.unwritable_keys = ""
    put(bob, "two")
    plan = plan_and_sync(team, bob)
    assert [entry["to"].split("/")[-1] for entry in plan["renumbered"]] == ["2"]


def test_plan_names_what_lies_in_the_way(team: Team, namespace: str) -> None:
    """What a person put where content would be fetched to is kept aside by the sync, and named before."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace, "  hydrationStrategy: lazy\n")
    put(ann, "one")
    theirs, mine = (
        team.directory / name / ".swamp" / "remote" / namespace / "outputs" / "report.txt" for name in ("ann", "bob")
    )
    for report in (theirs, mine):
        report.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text("theirs")
    ann("datastore", "sync", "--scan").ok()
    bob("datastore", "sync").ok()
    mine.write_text("a person's own")
    plan = plan_and_sync(team, bob, "--hydrate")
    assert [entry["path"] for entry in plan["keptAside"]] == ["outputs/report.txt"]


@pytest.mark.parametrize("seed", range(int(os.environ.get("SWAMPSYNC_EXAMPLES", "1"))))
def test_plan_of_random_work(team: Team, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Three clones put, append, delete, rename, collect, edit, and are cut off: every plan is the sync."""
    monkeypatch.setattr("swampsync.log.checkpointing.INTERVAL", 4)
    rng = random.Random(seed)
    namespace, hydration = rng.choice(["", "infra"]), rng.choice(["full", "lazy"])
    more = f"  autoSync: false\n  hydrationStrategy: {hydration}\n"
    repos = {name: team.repo(name, namespace, more) for name in ("a", "b", "c")}
    for step in range(40):
        who, name = rng.choice(list(repos)), rng.choice("xyz")
        run = repos[who]
        match rng.choice(["put", "put", "append", "delete", "rename", "gc", "edit", "cut off", "sync", "sync", "sync"]):
            case "put":
                run("data", "put", "vpc", name, "-", "--gc", "2", stdin=f"{step}" * rng.randrange(1, 50))
            case "append":
                run("data", "put", "vpc", "log", "-", "--append", "--streaming", stdin=f"{step}\n")
            case "delete":
                run("data", "delete", "vpc", name, "-y")
            case "rename":
                run("data", "rename", "vpc", name, f"{name}{step}")
            case "gc":
                run("data", "gc", "-y")
            case "edit":
                file = team.directory / who / ".swamp" / "remote" / namespace / "audit"
                file.mkdir(parents=True, exist_ok=True)
                with (file / rng.choice(["lines.jsonl", "text.txt"])).open("a") as edited:
                    edited.write(f'{{"step":{step},"by":"{who}"}}\n')
            case "cut off":
                team.unwritable_keys = rng.choice(["_log/", "metadata", "raw"])
                run("datastore", "sync", "--yes")
                team.unwritable_keys = ""
            case _:
                plan_and_sync(team, run, "--yes", *rng.choice([(), ("--scan",), ("--push",), ("--pull",)]))


def test_plan_of_content_that_a_predicate_chooses(team: Team, namespace: str) -> None:
    """Only what matches is fetched, as far as it is catalogued or comes now."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace, "  hydrationStrategy: lazy\n")
    for name in ("one", "two"):
        put(ann, name)
    plan = plan_and_sync(team, bob, "--hydrate", 'name == "one"')
    assert (plan["fetches"], plan["bytesFetched"]) == (1, 3)
    put(ann, "one")
    assert plan_and_sync(team, bob, "--hydrate", 'name == "one"')["fetches"] == 1


def test_plan_of_content_of_another_namespace(team: Team) -> None:
    """Content of others goes into the cache: what lies there is not fetched again; a dry run puts nothing there."""
    app, web = team.repo("app", "app"), team.repo("web", "web")
    put(web, "one")
    put(app, "one")
    assert plan_and_sync(team, app, "-n", "web", "--hydrate")["fetches"] == 2
    assert plan_and_sync(team, app, "-n", "web", "--hydrate")["fetches"] == 0


def test_plan_with_a_state_that_cannot_be_read(team: Team, namespace: str) -> None:
    """A damaged state is left where it is, and the plan is that of a sync that begins anew."""
    ann = team.repo("ann", namespace)
    put(ann, "one")
    state = team.directory / "ann" / ".swamp" / "data" / "_sync.db"
    state.write_bytes(b"no database, but long enough to be taken for one" * 100)
    before = everything(team)
    plan = ann("datastore", "sync", "--dry-run", "--json").json["plan"]
    assert everything(team) == before
    assert (plan["commitsPulled"], plan["puts"]) == (1, 0)


def test_plan_of_what_would_be_refused(team: Team, namespace: str) -> None:
    """Too many requests or removals: the plan is shown with the reason, and the status is that of the sync."""
    ann = team.repo("ann", namespace, "  autoSync: false\n")
    put(ann, "one")
    needed = ann("datastore", "sync", "--dry-run", "--json").json["plan"]["requests"]
    fine = ann("datastore", "sync", "--dry-run", "--max-requests", str(needed), "--json")
    assert fine.json["plan"]["refused"] is None
    few = ann("datastore", "sync", "--dry-run", "--max-requests", str(needed - 1), "--json")
    assert few.status == 1
    assert json.loads(few.text)["plan"]["refused"] == (
        f"this sync needs {needed} requests, and {needed - 1} are allowed"
    )
    refused = ann("datastore", "sync", "--max-requests", str(needed - 1))
    assert (refused.status, f"needs {needed} requests" in refused.err) == (1, True)
    assert "it would be refused" in ann("datastore", "sync", "--dry-run", "--max-requests", "1").err
    ann("datastore", "sync", "--max-requests", str(needed)).ok()
    ann("data", "delete", "vpc", "one", "-y").ok()
    over = ann("datastore", "sync", "--dry-run", "--max-delete", "0", "--json")
    assert (over.status, "would remove" in json.loads(over.text)["plan"]["refused"]) == (1, True)


@pytest.mark.parametrize("is_followed", [False, True], ids=["all", "follow all"])
def test_limit_of_requests_counts_the_looks_at_others(team: Team, *, is_followed: bool) -> None:
    """Every namespace counts with what its log takes: an empty one, one with news, one that nobody has looked at."""
    app, _, web = (team.repo(name, name, "  autoSync: false\n") for name in ("app", "empty", "web"))
    put(web, "one")
    web("datastore", "sync").ok()
    if is_followed:
        app("namespace", "follow", "all").ok()
        put(web, "two")
        web("datastore", "sync").ok()
    team.repo("new", "new")
    put(app, "one")
    flags = ("datastore", "sync", *(() if is_followed else ("--all",)))
    needed = app(*flags, "--dry-run", "--json").json["plan"]["requests"]
    before = list(team.buckets.keys())
    team.calls.clear()
    refused = app(*flags, "--max-requests", str(needed - 1))
    assert (refused.status, f"this sync needs {needed} requests, and {needed - 1}" in refused.err) == (1, True)
    assert list(team.buckets.keys()) == before
    assert set(team.calls) <= {"get", "head", "list", "list_dirs", "open"}
    needed = app(*flags, "--dry-run", "--json").json["plan"]["requests"]  # less: the looks of the first time are done
    assert app(*flags, "--max-requests", str(needed - 1)).status == 1
    team.calls.clear()
    done = app(*flags, "--max-requests", str(needed), "--json").ok().json
    assert (done["requests"], len([call for call in team.calls if call != "open"])) == (needed, needed)
    assert (done["filesPushed"], done["namespaces"]) == (2, {"empty": 0, "new": 0, "web": 0})


def test_limit_of_requests_counts_what_would_be_fetched(team: Team, namespace: str) -> None:
    """A sync that would fetch too much is refused before it fetches anything, and says how many it needs."""
    ann, bob = team.repo("ann", namespace), team.repo("bob", namespace)
    for number in range(5):
        put(ann, f"n{number}")
    needed = bob("datastore", "sync", "--dry-run", "--json").json["plan"]["requests"]
    refused = bob("datastore", "sync", "--max-requests", str(needed - 1))
    assert (refused.status, f"this sync needs {needed} requests" in refused.err) == (1, True)
    assert not list((team.directory / "bob" / ".swamp").rglob("raw"))
    rest = bob("datastore", "sync", "--dry-run", "--json").json["plan"]["requests"]
    assert rest < needed
    bob("datastore", "sync", "--max-requests", str(rest)).ok()


def test_plan_names_what_cannot_be_published(team: Team, namespace: str) -> None:
    """Content that is missing from the copy is a failure that is foreseen, and the status is that of the sync."""
    ann = team.repo("ann", namespace, "  autoSync: false\n")
    put(ann, "good")
    put(ann, "bad")
    (raw,) = (team.directory / "ann" / ".swamp" / "remote").rglob("bad/1/raw")
    raw.unlink()
    dry = ann("datastore", "sync", "--dry-run", "--json")
    assert dry.status == 1
    assert [failure["reason"] for failure in json.loads(dry.text)["failures"]] == [
        "its content is missing from the local copy"
    ]
    assert ann("datastore", "status", "--json").json["sync"]["deadLetters"] == []
    assert plan_and_sync(team, ann)["puts"] == 2


def test_plan_without_the_bucket_fails_as_the_sync_does(team: Team) -> None:
    """A plan that cannot look at the log is none: exit 75, and nothing was written."""
    ann = team.repo("ann", "")
    put(ann, "one")
    before = everything(team)
    team.unreadable = ("",)
    assert ann("datastore", "sync", "--dry-run").status == 75
    team.unreadable = ()
    assert everything(team) == before
