"""Structural commands on a bucket: one commit each, seen by other clones and other repos."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.errors import Refused
from swampsync.repo import Repo
from swampsync.repo.world import World
from swampsync.testing.faulty_store import Fault, Faulty
from swampsync.testing.manual_clock import ManualClock
from tests.cli.conftest import Outcome, Swamp
from tests.unit.repo.buckets import MemoryBuckets


@dataclass
class Clone:
    """A repo on the bucket in memory, and how its commands are run."""

    path: Path
    swamp: Swamp

    def __call__(self, *words: str, stdin: str = "") -> Outcome:
        return self.swamp(self.path, *words, stdin=stdin)

    def define(self, name: str) -> Path:
        """Define a model in the repo itself, as people keep them in git."""
        self("model", "create", "command/shell", name).ok()
        (path,) = (self.path / "models").rglob(f"*{name}*.yaml")
        return path

    def put(self, model: str, name: str, content: str, *flags: str) -> None:
        self("data", "put", model, name, *flags, stdin=content).ok()

    def names(self, *flags: str) -> list[str]:
        rows = self("data", "query", "true", "--select", "name", "--json", *flags).json
        return sorted(rows["results"] if isinstance(rows, dict) else rows)


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> MemoryBuckets:
    found = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=found.open, clock=ManualClock()))
    return found


@pytest.fixture(params=["infra", ""], ids=["namespaced", "solo"])
def namespace(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets) -> Callable[..., Clone]:
    """What makes a repo; clones of one repo have the same id."""

    def make(name: str, namespace: str, *, repo_id: str = "repo-1", more: str = "") -> Clone:
        path = tmp_path / name
        path.mkdir()
        swamp(path, "repo", "init").ok()
        lines = [line for line in (path / ".swamp.yaml").read_text().splitlines() if not line.startswith("repoId")]
        lines += [f"repoId: {repo_id}", "datastore:", '  type: "@swampsync/s3"', "  config:", "    bucket: team"]
        lines += [f"  namespace: {namespace}"] if namespace else []
        (path / ".swamp.yaml").write_text("\n".join([*lines, more]))
        return Clone(path, swamp)

    return make


def commits(buckets: MemoryBuckets, namespace: str) -> list[str]:
    prefix = f"{namespace}/_log/" if namespace else "_log/"
    return [info.key.text for info in buckets.store().list(prefix)]


# --- prune ------------------------------------------------------------------------------------------------------


def test_prune_removes_what_nobody_defines_everywhere(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """A model whose definition is gone goes as one commit, here, in the repo's other clone, and for other readers."""
    ann = make("ann", namespace)
    definition = ann.define("old")
    ann.put("old", "state", "one")
    ann.put("old", "state", "two")
    ann.put("old", "plan", "three")
    ann.put("kept", "state", "automatic")
    bob = make("bob", namespace, more="  hydrationStrategy: lazy")
    bob("datastore", "sync").ok()
    reader = make("reader", "other", repo_id="repo-9")
    where = ("-n", namespace) if namespace else ()
    definition.unlink()
    before = len(commits(buckets, namespace))
    plan = ann("data", "prune", "--dry-run", "--json").json
    assert (plan["modelsReclaimed"], plan["versionsDeleted"], plan["bytesReclaimed"], plan["dryRun"]) == (
        1,
        3,
        11,
        True,
    )
    assert len(commits(buckets, namespace)) == before
    done = ann("data", "prune", "--yes", "--json").json
    assert done == plan | {"dryRun": False, "walPagesTotal": done["walPagesTotal"],
                           "walPagesCheckpointed": done["walPagesCheckpointed"]}  # fmt: skip
    assert [m["modelName"] for m in done["reclaimedModels"]] == ["old"]
    assert len(commits(buckets, namespace)) == before + 1
    assert ann.names() == ["state"]
    report = bob("datastore", "sync", "--json").json
    assert report["filesRemoved"] >= 3
    assert bob.names() == ["state"]
    assert bob("data", "get", "kept", "state", "-o", "-").ok().text == "automatic"
    if namespace:
        assert reader("data", "list", *where, "--json").json["total"] == 1
    assert ann("data", "prune", "--yes").ok().text == "No orphaned data to reclaim.\n"
    assert not list(ann.path.rglob("old/state"))


def test_prune_fetches_definitions_before_it_judges(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """In a lazy clone automatic definitions are not here yet: they are fetched, and their models stay."""
    ann = make("ann", namespace)
    ann.put("m", "x", "1")
    bob = make("bob", namespace, more="  hydrationStrategy: lazy")
    bob("datastore", "sync").ok()
    assert not list(bob.path.rglob("auto-definitions/**/*.yaml"))
    assert bob("data", "prune", "--yes", "--json").json["modelsReclaimed"] == 0
    assert list(bob.path.rglob("auto-definitions/**/*.yaml"))
    # One that cannot be fetched may define anything.
    carl = make("carl", namespace, more="  hydrationStrategy: lazy")
    carl("datastore", "sync").ok()
    store = buckets.store()
    (key,) = [info.key for info in store.list("") if "auto-definitions" in info.key.text]
    store.delete(key)
    outcome = carl("data", "prune", "--yes", "--json")
    assert outcome.json["modelsReclaimed"] == 0
    assert "left alone" in outcome.err
    assert carl.names() == ["x"]


def test_prune_of_a_shared_namespace_leaves_everything(make: Callable[..., Clone], namespace: str) -> None:
    """Where another repo writes too, its definitions are not here: nothing goes, and the reason is told."""
    ann = make("ann", namespace)
    definition = ann.define("old")
    ann.put("old", "state", "one")
    bob = make("bob", namespace, repo_id="repo-2")
    if namespace:
        bob("namespace", "join", namespace).ok()
    bob.put("mine", "x", "1")
    definition.unlink()
    for _ in range(2):  # the second time from what was remembered of the log
        outcome = ann("data", "prune", "--yes")
        assert outcome.ok().text == "No orphaned data to reclaim.\n"
        assert "is shared with repo-2, whose definitions are not here" in outcome.err
    assert ann.names() == ["state", "x"]


def test_prune_refuses_more_than_is_allowed(make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str) -> None:
    """With --max-delete nothing goes if more would; nothing is left pending by the refusal."""
    ann = make("ann", namespace)
    definition = ann.define("old")
    for number in range(3):
        ann.put("old", "state", str(number))
    definition.unlink()
    before = commits(buckets, namespace)
    outcome = ann("data", "prune", "--yes", "--max-delete", "2", "--json")
    assert (outcome.status, outcome.error["code"]) == (1, "refused")
    assert "would remove 3 versions, and 2 are allowed" in outcome.error["error"]
    assert commits(buckets, namespace) == before
    assert json.loads(ann("datastore", "sync", "--json").out)["removalsPushed"] == 0
    assert ann("data", "prune", "--yes", "--max-delete", "3", "--json").json["versionsDeleted"] == 3


def test_prune_that_nobody_confirmed_keeps_half(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """A program that asks nobody may remove at most half of what there is, as with every push."""
    ann = make("ann", namespace)
    definition = ann.define("old")
    for number in range(3):
        ann.put("old", "state", str(number))
    definition.unlink()
    with Repo.open(str(ann.path), world=buckets.world()) as repo:
        with pytest.raises(Refused, match="would remove 3 of 3 versions and files, and 1 are allowed"):
            repo.structural.prune()
        assert repo.structural.prune(is_confirmed=True).versions_deleted == 3


def test_gc_refuses_more_than_is_allowed(make: Callable[..., Clone], namespace: str) -> None:
    """gc knows the same limit."""
    ann = make("ann", namespace)
    for number in range(4):
        ann.put("m", "x", str(number), "--gc", "1")
    outcome = ann("data", "gc", "--yes", "--max-delete", "2", "--json")
    assert (outcome.status, outcome.error["code"]) == (1, "refused")
    assert ann("data", "versions", "m", "x", "--json").json["total"] == 4
    assert ann("data", "gc", "--yes", "--max-delete", "3", "--json").json["versionsDeleted"] == 3


# --- reindex ----------------------------------------------------------------------------------------------------


def counts(document: dict[str, Any]) -> tuple[int, ...]:
    return tuple(document[name] for name in ("added", "changed", "removed", "unchanged", "lost", "found"))


def spoil(repo: Path, statement: str, *values: object, database: str = "_catalog.db") -> None:
    """Change a database behind our back."""
    with contextlib.closing(sqlite3.connect(repo / ".swamp" / "data" / database)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def copied(clone: Clone, name: str, version: int = 1) -> Path:
    (path,) = clone.path.glob(f".swamp/remote/**/{name}/{version}/raw")
    return path


def test_reindex_mends_the_catalog(make: Callable[..., Clone], namespace: str) -> None:
    """Ghost rows go, wrong ones are mended, missing ones come, other namespaces' stay; the second finds nothing."""
    ann = make("ann", namespace)
    for name in ("a", "b", "c"):
        ann.put("m", name, name)
    bob = make("bob", namespace)
    bob.put("m", "theirs", "1")
    spoil(ann.path, "UPDATE catalog SET data_name = 'ghost' WHERE data_name = 'a'")
    spoil(ann.path, "UPDATE catalog SET size = 77 WHERE data_name = 'b'")
    other = make("other", "app", repo_id="repo-7")
    other.put("m", "foreign", "1")
    ann("data", "list", "-n", "app").ok()
    assert "ghost" in ann.names("--cached")
    shown = ann("datastore", "reindex", "--dry-run", "--json").json
    assert counts(shown) == (1, 1, 1, 2, 0, 0)
    assert "ghost" in ann.names("--cached")
    done = ann("datastore", "reindex", "--json").json
    assert counts(done) == counts(shown)
    assert ann.names("--cached") == ["a", "b", "c", "foreign", "theirs"]
    assert counts(ann("datastore", "reindex", "--json").json) == (0, 0, 0, 4, 0, 0)
    assert ann("datastore", "reindex").ok().text == "Reindexed 4 versions: 0 added, 0 changed, 0 removed\n"


def test_reindex_mends_what_is_known_of_the_copy(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """What is gone is fetched again when it is read; what the log names and somebody copied here is not fetched."""
    ann = make("ann", namespace)
    ann.put("m", "x", "one")
    ann.put("m", "y", "two")
    bob = make("bob", namespace, more="  hydrationStrategy: lazy")
    bob("datastore", "sync").ok()
    version = copied(ann, "y").parent
    shutil.copytree(version, bob.path / version.relative_to(ann.path))
    copied(ann, "x").unlink()
    for clone, expected in ((ann, (0, 0, 0, 2, 1, 0)), (bob, (0, 0, 0, 2, 0, 1))):
        assert counts(clone("datastore", "reindex", "--dry-run", "--json").json) == expected
        assert counts(clone("datastore", "reindex", "--json").json) == expected
        assert counts(clone("datastore", "reindex", "--json").json) == (0, 0, 0, 2, 0, 0)
    store = buckets.store()
    for info in list(store.list("")):
        if info.key.text.endswith("/y/1/raw"):
            store.delete(info.key)
    assert bob("data", "get", "m", "y", "-o", "-").ok().text == "two"
    assert ann("data", "get", "m", "x", "-o", "-").ok().text == "one"


def test_reindex_reports_what_it_cannot_decide(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """Edited content, unknown files and pending content that is gone are named with what helps, and stay as is."""
    ann = make("ann", namespace)
    ann.put("m", "x", "one")
    copied(ann, "x").write_text("edited")
    ann.put("m", "safe", "1", "--no-sync")
    ann.put("m", "gone", "2", "--no-sync")
    copied(ann, "gone").unlink()
    stray = next(p for p in copied(ann, "x").parents if p.name == "data").parent / "files" / "stray"
    stray.parent.mkdir(parents=True)
    stray.write_text("?")
    before = commits(buckets, namespace)
    for flags in (("--dry-run",), ()):
        outcome = ann("datastore", "reindex", "--json", *flags)
        problems = {item["path"].rpartition("/m")[2]: item["reason"] for item in outcome.json["problems"]}
        reasons = sorted(problems.values())
        assert [r.partition(",")[0].partition(";")[0] for r in reasons] == [
            "is a file that nobody recorded",
            "is to be published",
            "was edited in place",
        ]
    assert commits(buckets, namespace) == before
    assert (copied(ann, "x").read_text(), stray.read_text()) == ("edited", "?")
    with Repo.open(str(ann.path), world=buckets.world()) as repo:
        assert repo.synchroniser.status().pending_puts == 2
    assert ann("data", "get", "m", "safe", "-o", "-").ok().text == "1"


def test_reindex_reads_the_log_again_where_the_state_contradicts_itself(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """A version that is known by half is known whole afterwards, and what is pending is still pending."""
    ann = make("ann", namespace)
    for number in range(3):
        ann.put("m", "x", str(number))
    ann.put("m", "mine", "pending", "--no-sync")
    spoil(ann.path, "DELETE FROM files WHERE path LIKE '%/x/2/raw'", database="_sync.db")
    spoil(ann.path, "DELETE FROM metadata WHERE data_name = 'x' AND version = 3", database="_sync.db")
    shown = ann("datastore", "reindex", "--dry-run", "--json").json
    assert [p["reason"] for p in shown["problems"]] == ["is known by half: the log has to be read again"] * 2
    done = ann("datastore", "reindex", "--json").json
    assert (done["problems"], done["removed"]) == ([], 0)
    assert [ann("data", "get", "m", "x", "--version", str(n + 1), "-o", "-").text for n in range(3)] == ["0", "1", "2"]
    assert ann("data", "get", "m", "mine", "-o", "-").ok().text == "pending"
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 1
    assert len(commits(buckets, namespace)) == 4


def test_reindex_without_a_network_uses_what_was_applied(
    make: Callable[..., Clone], buckets: MemoryBuckets, namespace: str
) -> None:
    """Where the bucket cannot be reached, the catalog is mended from what is known, and that is said."""
    ann = make("ann", namespace)
    ann.put("m", "x", "one")
    spoil(ann.path, "UPDATE catalog SET data_name = 'ghost'")
    buckets.wrap = lambda store: Faulty(store, lambda _: Fault.NO_CONNECTION)
    outcome = ann("datastore", "reindex", "--json")
    assert counts(outcome.json) == (1, 0, 1, 0, 0, 0)
    assert "the log was not looked at" in outcome.err
    assert ann.names("--cached") == ["x"]
