"""Following other namespaces of a bucket: what a sync looks at, and what it says of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.errors import AccessDenied
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Call, Fault, Faulty
from tests.cli.conftest import Outcome, Swamp
from tests.unit.repo.buckets import MemoryBuckets

CONFIG = 'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n'


class Closed:
    """A server that lets nobody read what lies below some prefixes."""

    def __init__(self) -> None:
        self.prefixes: set[str] = set()

    def plan(self, call: Call) -> Fault | None:
        if call.key.startswith(tuple(self.prefixes)):
            raise AccessDenied(f"cannot {call.method} `{call.key}`", hint="ask for the right")
        return None


@pytest.fixture
def closed() -> Closed:
    return Closed()


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch, closed: Closed) -> MemoryBuckets:
    buckets = MemoryBuckets(wrap=lambda store: Faulty(store, closed.plan))
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    return buckets


Join = Callable[..., Callable[..., Outcome]]


@pytest.fixture
def join(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets) -> Join:
    """Make a repo of a namespace, which has one artifact `state`; commands run in it."""

    def make(namespace: str) -> Callable[..., Outcome]:
        path = tmp_path / f"repo-{namespace or 'solo'}"
        path.mkdir()
        swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write(CONFIG)

        def run(*words: str, stdin: str = "") -> Outcome:
            return swamp(path, *words, stdin=stdin, env={"SWAMP_HOME": str(tmp_path / "home")})

        if namespace:
            run("namespace", "set", namespace).ok()
        run("data", "put", "vpc", "state", "-", "--content-type", "application/json", stdin='{"n":1}').ok()
        return run

    return make


def found(outcome: Outcome) -> set[str]:
    return {row["namespace"] for row in outcome.json["results"]}


def test_sync_looks_at_what_is_followed_for_one_request_each(join: Join) -> None:
    """With two namespaces followed a sync of nothing is three requests, and it names both."""
    app, _, _ = join("app"), join("infra"), join("web")
    assert app("namespace", "follow", "--json").json == {"follow": "none", "namespaces": [], "dropped": []}
    assert app("datastore", "sync", "--json").json["requests"] == 1
    report = app("namespace", "follow", "infra", "web", "--json").json
    assert (report["follow"], [n["seq"] for n in report["namespaces"]]) == ("some", [1, 1])
    synced = app("datastore", "sync", "--json").json
    assert (synced["requests"], synced["namespaces"]) == (3, {"infra": 0, "web": 0})


def test_followed_namespaces_are_queried_while_nothing_answers(join: Join, buckets: MemoryBuckets) -> None:
    """What others publish is in listings and queries after the next sync, which make no request for it."""
    app, infra = join("app"), join("infra")
    app("namespace", "follow", "infra").ok()
    infra("data", "put", "vpc", "new", "-", stdin="x").ok()
    assert app("datastore", "sync", "--json").json["namespaces"] == {"infra": 1}
    assert "infra" in app("data", "list", "--all-namespaces").ok().text
    buckets.names.clear()  # nothing can be asked any more
    assert found(app("data", "query", 'name == "new"', "--json")) == {"infra"}


def test_all_follows_what_is_registered_later(join: Join) -> None:
    """`all` takes in a namespace that is registered after it was chosen, at one listing more than it has namespaces."""
    app = join("app")
    join("infra")
    assert [n["namespace"] for n in app("namespace", "follow", "all", "--json").json["namespaces"]] == ["infra"]
    join("web")
    first = app("datastore", "sync", "--json").json["namespaces"]
    assert (first["infra"], sorted(first)) == (0, ["infra", "web"])
    assert app("datastore", "sync", "--json").json["requests"] == 4
    assert found(app("data", "query", 'name == "state"', "--json")) == {"app", "infra", "web"}
    assert [n["namespace"] for n in app("namespace", "follow", "--json").json["namespaces"]] == ["infra", "web"]


def test_choice_replaces_the_one_before(join: Join) -> None:
    """Following something else drops what was followed, says so, and `none` ends it."""
    app, _, _ = join("app"), join("infra"), join("web")
    app("namespace", "follow", "infra").ok()
    assert "infra is followed no longer" in app("namespace", "follow", "web").ok().text
    assert app("namespace", "follow", "none", "--json").json["dropped"] == ["web"]
    assert app("datastore", "sync", "--json").json["namespaces"] == {}
    assert ".swamp.yaml" not in app("namespace", "follow").text


def test_one_that_cannot_be_read_is_reported_and_fails_nothing(join: Join, closed: Closed) -> None:
    """A sync names the reason, does the rest, exits 0; status keeps the reason, and the age fails `--max-age` only."""
    app, _, web = join("app"), join("infra"), join("web")
    app("namespace", "follow", "all").ok()
    closed.prefixes = {"infra/"}
    web("data", "put", "vpc", "more", "-", stdin="x").ok()
    outcome = app("datastore", "sync").ok()
    assert "Namespace infra: could not be read: cannot list" in outcome.text
    assert "Namespace web: 1 commit" in outcome.text
    followed = {f["namespace"]: f for f in app("datastore", "status", "--json").json["sync"]["followed"]}
    assert "cannot list" in followed["infra"]["problem"]
    assert followed["web"]["problem"] is None
    assert "could not be read by the last sync" in app("datastore", "status").ok().text
    closed.prefixes = set()
    app("datastore", "sync").ok()
    assert {f["problem"] for f in app("datastore", "status", "--json").json["sync"]["followed"]} == {None}


def test_max_age_covers_what_is_followed(join: Join, closed: Closed) -> None:
    """A followed namespace that was never read makes the status stale, by name."""
    app, _ = join("app"), join("infra")
    assert app("datastore", "status", "--max-age", "1h").status == 0
    closed.prefixes = {"infra/_"}
    app("namespace", "follow", "all").ok()
    stale = app("datastore", "status", "--max-age", "1h")
    assert stale.status == 1
    assert "not synced: `infra` was never read (cannot list" in stale.err
    closed.prefixes = set()
    app("datastore", "sync").ok()
    assert app("datastore", "status", "--max-age", "1h").status == 0


def test_only_what_can_be_followed_is(join: Join, closed: Closed, swamp: Swamp, solo: Path) -> None:
    """Names that are nobody's, the own one, mixed words, and a namespace that may not be read are refused."""
    app, _ = join("app"), join("infra")
    for words, code, said in (
        (("nobody",), "not_found", "not registered"),
        (("app",), "invalid_input", "own namespace"),
        (("infra", "all"), "invalid_input", "stands alone"),
        (("In Fra",), "invalid_input", "may hold"),
    ):
        refused = app("namespace", "follow", *words, "--json")
        assert (refused.status > 0, refused.error["code"]) == (True, code)
        assert said in refused.error["error"]
    closed.prefixes = {"infra/"}
    assert app("namespace", "follow", "infra", "--json").error["code"] == "access_denied"
    assert app("namespace", "follow", "--json").json["namespaces"] == []
    refused = swamp(solo, "namespace", "follow", "infra", "--json")
    assert (refused.status, refused.error["code"]) == (1, "refused")
    assert "directory" in swamp(solo, "namespace", "follow").ok().text


def test_all_namespaces_leaves_out_what_cannot_be_read(join: Join, closed: Closed) -> None:
    """A listing across namespaces shows the rest and says what is missing."""
    app, _, _ = join("app"), join("infra"), join("web")
    closed.prefixes = {"infra/_"}  # its manifest may be read, its log may not
    listed = app("data", "list", "--all-namespaces", "--json")
    assert {m["namespace"] for m in listed.json["models"]} == {"app", "web"}
    assert "namespace `infra` is left out" in listed.err
    assert json.loads(listed.out)["total"] == 2


def test_solo_repo_follows_namespaces(join: Join) -> None:
    """A repo without a namespace in a bucket follows namespaces there like any other."""
    solo = join("")
    join("infra")
    solo("namespace", "follow", "infra").ok()
    assert found(solo("data", "query", 'name == "state"', "--json")) == {"", "infra"}
