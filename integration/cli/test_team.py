"""A team in one bucket: four repos in namespaces of their own and two more clones of one of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Outcome, Swamp

NAMES = ("app", "infra", "ops", "web")


@dataclass(frozen=True)
class Repo:
    """A repo of the team; each is another user with a home of its own, so that nothing is shared but the bucket."""

    path: Path
    server: S3Server
    swamp: Swamp

    def __call__(self, *words: str, stdin: bytes | str = b"") -> Outcome:
        env = {
            **self.server.key_variables(),
            "HOME": str(self.path / "home"),
            "SWAMP_HOME": str(self.path / "home" / "swamp"),
        }
        return self.swamp(self.path, *words, stdin=stdin, env=env)

    def put(self, name: str, content: str, *flags: str) -> None:
        self("data", "put", "vpc", name, "-", "--content-type", "application/json", *flags, stdin=content).ok()

    def content(self, model: str, name: str, *flags: str) -> str:
        return self("data", "get", model, name, "--output", "-", *flags).ok().text

    def query(self, predicate: str) -> set[tuple[str, str]]:
        rows = self("data", "query", predicate, "--json").json["results"]
        return {(row["namespace"], row["name"]) for row in rows}

    def sync(self) -> dict[str, Any]:
        document: dict[str, Any] = self("datastore", "sync", "--json").json
        assert document["failures"] == []
        return document


@dataclass(frozen=True)
class Team:
    repos: dict[str, Repo]
    clones: tuple[Repo, Repo]

    @property
    def everybody(self) -> list[Repo]:
        return [*self.repos.values(), *self.clones]

    def sync(self) -> None:
        for repo in self.everybody:
            repo.sync()


@pytest.fixture
def team(tmp_path: Path, swamp: Swamp, rgw_server: S3Server) -> Team:
    """Everybody follows all; each of the four has published one artifact, and the clones are infra's."""
    bucket, prefix = f"team-{uuid.uuid4().hex[:12]}", "data"
    client = rgw_server.client()
    client.create_bucket(Bucket=bucket)
    client.close()

    def make(name: str, namespace: str, *more: str) -> Repo:
        path = tmp_path / name
        (path / "home").mkdir(parents=True)
        repo = Repo(path, rgw_server, swamp)
        repo("repo", "init").ok()
        place = ("--bucket", bucket, "--prefix", prefix, "--endpoint", rgw_server.endpoint)
        repo("datastore", "setup", "s3", *place, "-n", namespace, *more).ok()
        return repo

    repos = {name: make(name, name) for name in NAMES}
    lazy = ("--join", "--hydration", "lazy")
    clones = (make("clone-1", "infra", "--join"), make("clone-2", "infra", *lazy))
    for name, repo in repos.items():
        repo.put("state", f'{{"of":"{name}"}}')
    made = Team(repos, clones)
    for repo in made.everybody:
        repo("namespace", "follow", "all").ok()
    return made


def test_everybody_sees_everybody(team: Team) -> None:
    """After one sync each every repo and clone finds the artifacts of all four, by metadata and by content."""
    team.sync()
    everything = {(name, "state") for name in NAMES}
    for repo in team.everybody:
        assert repo.query('name == "state"') == everything
        assert repo.query('attributes.of == "web"') == {("web", "state")}
        assert repo.content("web:vpc", "state") == '{"of":"web"}'
        listed = repo("data", "list", "--all-namespaces", "--json").json["models"]
        assert {model["namespace"] for model in listed} == set(NAMES)


def test_renames_and_deletions_of_one_are_seen_by_all(team: Team) -> None:
    """What a repo or a clone renames, deletes and puts anew is so for everybody after the next sync."""
    infra, app = team.repos["infra"], team.repos["app"]
    first, second = team.clones
    for repo in team.clones:
        repo.sync()
    first.put("kept", '{"n":1}')
    second("data", "rename", "vpc", "state", "renamed").ok()
    app.put("more", '{"n":2}')
    app("data", "delete", "vpc", "state", "--yes").ok()
    first("data", "delete", "vpc", "kept", "--yes").ok()
    second.put("kept", '{"n":3}')
    team.sync()
    expected = {("app", "more"), ("infra", "kept"), ("infra", "renamed"), ("ops", "state"), ("web", "state")}
    for repo in team.everybody:
        assert repo.query("version > 0") == expected
        assert repo.content("infra:vpc", "renamed") == '{"of":"infra"}'
        assert repo.content("infra:vpc", "state") == '{"of":"infra"}'  # forwarded
        assert repo.content("infra:vpc", "kept") == '{"n":3}'
        gone = repo("data", "get", "app:vpc", "state", "--json")
        assert gone.error["code"] == "not_found"
    # A number is never given twice, whoever deleted and whoever put.
    versions = infra("data", "versions", "vpc", "kept", "--json").json["versions"]
    assert [version["version"] for version in versions] == [2]


def test_versions_of_two_clones_are_one_history_for_the_others(team: Team) -> None:
    """Two clones that put the same artifact without seeing each other end in one history that all others read alike."""
    first, second = team.clones
    for number in range(3):
        first.put("shared", f'{{"first":{number}}}', "--no-sync")
        second.put("shared", f'{{"second":{number}}}', "--no-sync")
    first.sync()
    second.sync()
    team.sync()
    histories = []
    for repo in team.everybody:
        versions = repo("data", "versions", "infra:vpc", "shared", "--json").json["versions"]
        histories.append([(version["version"], version["checksum"]) for version in versions])
    assert [number for number, _ in histories[0]] == [6, 5, 4, 3, 2, 1]
    assert len({digest for _, digest in histories[0]}) == 6
    assert all(history == histories[0] for history in histories)


def test_sync_costs_a_request_for_each_that_is_followed(team: Team) -> None:
    """With nothing new, a sync of a repo that follows three others is one listing of names and one of each log."""
    team.sync()
    counts: Callable[[Repo], int] = lambda repo: repo.sync()["requests"]  # noqa: E731 - named for what it does
    assert {counts(repo) for repo in team.everybody} == {5}
