"""Structural commands on a bucket: one commit each, seen by other clones and other repos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from swampsync.errors import Refused
from swampsync.repo import Repo
from swampsync.repo.world import World
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
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=found.open))
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
