"""Which command `datastore log` says made a commit, and who ran it: for every command that makes one."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Swamp
from tests.cli.test_verify import log_key
from tests.unit.repo.buckets import MemoryBuckets

__all__ = ["team"]


def kinds(repo: PastRepo) -> list[str]:
    return [commit["kind"] for commit in repo("datastore", "log", "--json", "--limit", "99").json["commits"]]


def put_new_model(repo: PastRepo, name: str) -> None:
    repo("data", "put", "new", name, stdin="1").ok()


def put(repo: PastRepo, name: str) -> None:
    repo.put(name, "more")


def import_new_model(repo: PastRepo, name: str) -> None:
    source = repo.path / "files"
    source.mkdir()
    for file in ("a", "b"):
        (source / file).write_text(name)
    repo("data", "import", "files", "--model", "imported").ok()


def append_to_published(repo: PastRepo, name: str) -> None:
    repo("data", "put", "vpc", name, "-", "--append", stdin="more\n").ok()


def append_to_pending(repo: PastRepo, name: str) -> None:
    repo.put(f"{name}-late", "1\n", "--streaming", "--no-sync")
    repo("data", "put", "vpc", f"{name}-late", "-", "--append", stdin="2\n").ok()


def delete(repo: PastRepo, name: str) -> None:
    repo("data", "delete", "vpc", name, "-y").ok()


def rename(repo: PastRepo, name: str) -> None:
    repo("data", "rename", "vpc", name, f"{name}-renamed").ok()


def gc(repo: PastRepo, name: str) -> None:
    repo.put(name, "two", "--gc", "1")
    assert repo("data", "gc", "--yes", "--json").json["versionsDeleted"] == 1


def prune(repo: PastRepo, name: str) -> None:
    repo("model", "create", "command/shell", "orphan").ok()
    repo("data", "put", "orphan", name, stdin="1").ok()
    (definition,) = (repo.path / "models").rglob("orphan.yaml")
    definition.unlink()
    assert repo("data", "prune", "--yes", "--json").json["versionsDeleted"] == 1


def undelete(repo: PastRepo, name: str) -> None:
    delete(repo, name)
    repo("datastore", "undelete", "vpc", name, "-y").ok()


def scan(repo: PastRepo, name: str) -> None:
    (raw,) = repo.path.glob(f".swamp/remote/**/{name}/1/raw")
    raw.write_text("edited")
    repo("datastore", "sync", "--scan").ok()


def sync_one(repo: PastRepo, name: str) -> None:
    repo.put(name, "late", "--no-sync")
    repo("datastore", "sync").ok()


def sync_several(repo: PastRepo, name: str) -> None:
    repo.put(name, "late", "--no-sync")
    delete(repo, "first")


def vacuum(repo: PastRepo, name: str) -> None:
    delete(repo, name)
    repo("datastore", "vacuum", "--yes").ok()


def adopt(repo: PastRepo, name: str) -> None:
    repo.put(name, "late", "--no-sync")
    for database in (repo.path / ".swamp" / "data").glob("_sync.db*"):
        database.unlink()
    repo("datastore", "sync").ok()


COMMANDS = [
    (put_new_model, "put"),
    (put, "put"),
    (import_new_model, "import"),
    (append_to_published, "append"),
    (append_to_pending, "append"),
    (delete, "delete"),
    (rename, "rename"),
    (gc, "gc"),
    (prune, "prune"),
    (undelete, "undelete"),
    (scan, "scan"),
    (sync_one, "put"),
    (sync_several, "push"),  # there is no one word for several
    (vacuum, "delete"),  # makes none itself
    (adopt, "adopt"),  # what a lost state had pending
]


def test_every_command_is_named_by_its_commit(team: PastTeam) -> None:
    """The commit that a command makes carries the command's name, for this clone and for others."""
    team.days(29)
    ann = team.repo("ann")
    ann.put("first", "x")
    found: list[str] = []
    for act, _ in COMMANDS:
        ann.put(act.__name__, "one\n", "--streaming")
        before = len(kinds(ann))
        act(ann, act.__name__)
        assert len(kinds(ann)) > before, act
        found.append(kinds(ann)[0])
    assert found == [expected for _, expected in COMMANDS]
    assert kinds(team.repo("bob")) == kinds(ann)


def test_what_cannot_be_published_names_no_commit(team: PastTeam) -> None:
    """Beside a version that fails with every push, a commit is of the command whose work is in it."""
    ann = team.repo("ann")
    ann.put("first", "x")
    ann.put("bad", "x", "--no-sync")
    (raw,) = ann.path.glob(".swamp/remote/**/bad/1/raw")
    raw.unlink()
    assert ann("datastore", "sync").status == 1
    import_new_model(ann, "files")
    ann("data", "delete", "vpc", "first", "-y").ok()
    assert kinds(ann) == ["delete", "import", "put"]
    assert len(ann("datastore", "status", "--json").json["sync"]["deadLetters"]) == 1


@pytest.mark.parametrize("namespace", ["", "infra"], ids=["solo", "namespaced"])
def test_commits_that_bring_a_directory_over_are_of_setup(
    tmp_path: Path, swamp: Swamp, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    """`datastore setup s3` publishes a directory's data under its own name."""
    buckets = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", buckets.world)
    repo = PastRepo(tmp_path / "repo", swamp)
    repo.path.mkdir()
    repo("repo", "init").ok()
    repo.put("state", "one")
    flags = ("--namespace", namespace) if namespace else ()
    repo("datastore", "setup", "s3", "--bucket", "team", *flags).ok()
    assert kinds(repo) == ["setup"]


def test_commits_that_are_rebuilt_keep_their_kind_where_it_is_known(team: PastTeam) -> None:
    """A commit that cannot be read any more is one of a repair, made by who repairs; others stay as they were."""
    ann = team.repo("ann")
    for content in ("one", "two", "three"):
        ann.put("state", content)
    team.memory.delete(log_key(team, 2))
    ann("datastore", "verify", "--repair", "--yes").ok()
    assert kinds(ann) == ["put", "repair", "put"]


# --- who ----------------------------------------------------------------------------------------------------------

NOBODY = dict.fromkeys(("USER", "LOGNAME", "LNAME", "USERNAME"), "")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"USER": "ada", "LOGNAME": "bob"}, "ada"),
        ({"LOGNAME": "bob", "USERNAME": "carl"}, "bob"),
        ({"LNAME": "dora", "USERNAME": "carl"}, "dora"),
        ({"USERNAME": "carl"}, "carl"),
    ],
)
def test_author_is_named_by_the_environment(team: PastTeam, variables: dict[str, str], expected: str) -> None:
    """`USER` as for swamp, then the variables that Python's getpass looks at."""
    ann = team.repo("ann")
    ann.swamp(ann.path, "data", "put", "vpc", "x", stdin="1", env=NOBODY | variables).ok()
    assert ann("datastore", "log", "--json").json["commits"][0]["user"] == expected


def test_author_is_looked_up_where_no_variable_names_one(team: PastTeam, monkeypatch: pytest.MonkeyPatch) -> None:
    """From cron or in a container the password database names the person; who is not in it is called by number."""
    ann = team.repo("ann")
    entry = pwd.getpwuid(0)
    monkeypatch.setattr("os.getuid", lambda: 4242)
    monkeypatch.setattr("pwd.getpwuid", {4242: entry}.__getitem__)
    ann.swamp(ann.path, "data", "put", "vpc", "x", stdin="1", env=NOBODY).ok()
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    ann.swamp(ann.path, "data", "put", "vpc", "x", stdin="2", env=NOBODY).ok()
    users = [commit["user"] for commit in ann("datastore", "log", "--json").json["commits"]]
    assert users == ["uid-4242", entry.pw_name]


def test_holder_of_a_lock_is_looked_up_too(swamp: Swamp, solo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks show the same name as commits."""
    monkeypatch.setattr("os.getuid", lambda: 4242)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    looks = "grep -q '\"uid-4242@' .swamp/.datastore.lock"
    swamp(solo, "exec", "--lock", "--", "sh", "-c", looks, env=os.environ | NOBODY).ok()
