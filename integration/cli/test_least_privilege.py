"""Repos whose credentials may do what `namespace policy` prints and nothing else, on a server that enforces it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Create, Overwrite
from swampsync.errors import AccessDenied
from swampsync.layout import ObjectKey
from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Outcome, Swamp

PREFIX = "teams/data"
RELIED_ON = {"create-only", "create-only-race", "if-match", "if-match-race", "read-after-write", "list-order"}
LARGE = bytes(range(256)) * (9 << 12)  # 9 MiB: more than one part


@dataclass(frozen=True)
class Member:
    """A repo, the user whose credentials it has, and how its commands are run."""

    path: Path
    user: S3Server
    bucket: str
    namespace: str
    swamp: Swamp
    prefix: str = PREFIX

    def __call__(self, *words: str, stdin: bytes | str = b"") -> Outcome:
        home = self.path.parent / f"home-{self.path.name}"
        home.mkdir(exist_ok=True)
        env = {
            **self.user.key_variables(),
            "HOME": str(home),
            "SWAMP_HOME": str(home / "swamp"),
        }
        return self.swamp(self.path, *words, stdin=stdin, env=env)

    def set_up(self) -> Any:
        place = ["--bucket", self.bucket, "--prefix", self.prefix, "--endpoint", self.user.endpoint]
        named = ["-n", self.namespace] if self.namespace else []
        return self("datastore", "setup", "s3", *place, *named, "--json").json

    def statements(self, *, reads_others: bool) -> list[dict[str, Any]]:
        """Let the repo print its policy for the user, before anything is set up."""
        named = ["-n", self.namespace] if self.namespace else []
        place = ["--bucket", self.bucket, "--prefix", self.prefix]
        outcome = self(
            "namespace", "policy", *place, *named, "--format", "ceph", "--principal", self.user.name[4:]
        ).ok()
        found: list[dict[str, Any]] = json.loads(outcome.out)["Statement"]
        return [s for s in found if reads_others or not s["Sid"].endswith("Others")]

    def content(self, model: str, name: str, *flags: str) -> bytes:
        return self("data", "get", model, name, "--output", "-", *flags).ok().out


@pytest.fixture
def owned(rgw_server: S3Server) -> tuple[Any, str]:
    """A bucket of somebody who is none of the users, and a client with its owner's keys."""
    client = rgw_server.client()
    name = f"guarded-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return client, name


@pytest.fixture
def make_member(
    tmp_path: Path, swamp: Swamp, owned: tuple[Any, str], rgw_user: Callable[[str], S3Server]
) -> Callable[..., Member]:
    def make(name: str, namespace: str, prefix: str = PREFIX) -> Member:
        path = tmp_path / name
        path.mkdir()
        swamp(path, "repo", "init").ok()
        return Member(path, rgw_user(f"{name}{uuid.uuid4().hex[:8]}"), owned[1], namespace, swamp, prefix)

    return make


def apply(owned: tuple[Any, str], *statements: dict[str, Any]) -> None:
    client, bucket = owned
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


@pytest.fixture
def team(owned: tuple[Any, str], make_member: Callable[..., Member]) -> tuple[Member, Member]:
    """`infra`, whose policy lacks the statements for reading others, and `app`, which has them; one bucket policy."""
    infra, app = make_member("infra", "infra"), make_member("app", "app")
    apply(owned, *infra.statements(reads_others=False), *app.statements(reads_others=True))
    return infra, app


def live(member: Member, source: Path) -> None:
    """Do with a namespace what a repo ever does with it."""
    promises = member.set_up()["promises"]
    assert {result for name, result in promises.items() if name in RELIED_ON} == {"kept"}
    member("data", "put", "vpc", "state", "-", "--content-type", "application/json", stdin='{"a":1}').ok()
    member("data", "put", "vpc", "state", "-", "--content-type", "application/json", stdin='{"a":2}').ok()
    member("data", "put", "vpc", "log", "-", "--streaming", stdin="1").ok()
    member("data", "put", "vpc", "log", "-", "--append", stdin="2").ok()
    member("data", "put", "vpc", "large", "-", stdin=LARGE).ok()
    source.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    member("data", "import", str(source), "--model", "files").ok()
    member("data", "rename", "files", "a", "z").ok()
    member("data", "delete", "files", "b", "--yes").ok()
    for _ in range(3):
        member("data", "put", "vpc", "short", "-", "--gc", "1", stdin="x").ok()
    assert member("data", "gc", "--yes", "--json").json["versionsDeleted"] == 2
    member("datastore", "undelete", "files", "b", "--yes").ok()
    member("datastore", "verify").ok()
    member("datastore", "vacuum", "--yes").ok()
    member("data", "put", "vpc", "later", "-", "--no-sync", stdin="later").ok()
    assert member("datastore", "sync", "--json").json["filesPushed"] == 1
    assert member("datastore", "status", "--json").json["healthy"] is True
    assert member("datastore", "log", "--json").json["total"] >= 10
    assert member("datastore", "lock", "status", "--json").json["held"] is False
    member("exec", "--lock", "--", "true").ok()
    assert member("doctor", "backend", "--quick", "--json").json["safe"] is True
    assert member("namespace", "validate", "--json").json["valid"] is True
    rows = member("data", "query", "attributes.a >= 1", "--json").json["results"]
    assert [row["version"] for row in rows] == [2]
    assert member.content("files", "a") == b"a"


@pytest.mark.holds("I4")
def test_a_repo_lives_on_what_the_policy_allows(team: tuple[Member, Member], tmp_path: Path) -> None:
    """Set-up, every writing command, structural commands, the doctor and reads work with the printed rights only."""
    infra, _ = team
    live(infra, tmp_path / "source")
    assert infra("doctor", "backend", "--json").json["safe"] is True


def test_a_clone_with_the_same_rights_reads_everything_back(
    team: tuple[Member, Member], tmp_path: Path, swamp: Swamp
) -> None:
    """A second repo of the namespace joins with the same credentials, and has what the first published, large too."""
    infra, _ = team
    infra.set_up()
    infra("data", "put", "vpc", "large", "-", stdin=LARGE).ok()
    path = tmp_path / "clone"
    path.mkdir()
    swamp(path, "repo", "init").ok()
    clone = Member(path, infra.user, infra.bucket, "infra", swamp)
    place = ["--bucket", infra.bucket, "--prefix", PREFIX, "--endpoint", infra.user.endpoint]
    clone("datastore", "setup", "s3", *place, "-n", "infra", "--join").ok()
    clone("datastore", "sync").ok()
    assert clone.content("vpc", "large") == LARGE
    clone("data", "put", "vpc", "state", "-", stdin="{}").ok()
    infra("datastore", "sync").ok()
    assert infra.content("vpc", "state") == b"{}"


@pytest.mark.holds("I4")
def test_writing_under_another_namespace_is_denied_by_the_server(team: tuple[Member, Member]) -> None:
    """The server refuses what the guard in the client never lets out, and the error names the right and the command."""
    infra, app = team
    for member in team:
        member.set_up()
    store = app.user.store(app.bucket, PREFIX)
    for mode in (Create(), Overwrite()):
        with pytest.raises(AccessDenied) as caught:
            store.put(ObjectKey("infra/data/x"), b"x", mode)
        assert "swamp namespace policy" in str(caught.value.hint)
    with pytest.raises(AccessDenied):
        store.delete(ObjectKey("infra/.namespace.json"))
    refused = app("namespace", "join", "infra", "--json")
    assert (refused.status, refused.error["code"]) == (1, "access_denied")
    assert "`s3:PutObject`" in refused.error["hint"]
    assert "swamp namespace policy" in refused.error["hint"]
    described = infra("namespace", "describe", "--json").json
    assert described["members"] == [described["repoId"]]


def test_others_are_read_with_the_statements_for_it_and_not_without(team: tuple[Member, Member]) -> None:
    """`app` follows, queries and gets infra's data; `infra` is told which right it lacks, and its own sync goes on."""
    infra, app = team
    for member in team:
        member.set_up()
        word = f'{{"of":"{member.namespace}"}}'
        member("data", "put", "vpc", "state", "-", "--content-type", "application/json", stdin=word).ok()
    assert [n["namespace"] for n in app("namespace", "follow", "all", "--json").json["namespaces"]] == ["infra"]
    assert app("datastore", "sync", "--json").json["namespaces"] == {"infra": 0}
    (row,) = app("data", "query", 'attributes.of == "infra"', "--json").json["results"]
    assert row["namespace"] == "infra"
    assert app.content("vpc", "state", "-n", "infra") == b'{"of":"infra"}'
    # Without the statements: a clear error for what was asked, a report for what was only followed.
    assert [n["namespace"] for n in infra("namespace", "list", "--json").json["namespaces"]] == ["app", "infra"]
    refused = infra("data", "get", "vpc", "state", "-n", "app", "--json")
    assert (refused.status, refused.error["code"]) == (1, "access_denied")
    assert "`s3:ListBucket`" in refused.error["hint"]
    assert "swamp namespace policy" in refused.error["hint"]
    assert infra("namespace", "follow", "app").status == 1
    (followed,) = infra("namespace", "follow", "all", "--json").json["namespaces"]
    assert followed["seq"] == 0
    assert "AccessDenied" in followed["problem"]
    report = infra("datastore", "sync", "--json").json
    assert "AccessDenied" in report["namespaces"]["app"]
    assert report["failures"] == []
    assert infra("datastore", "status", "--max-age", "1h").status == 1
    listed = infra("data", "list", "--all-namespaces")
    assert listed.status == 0
    assert "app" in listed.err
    assert "vpc" in listed.text


def test_solo_lives_on_its_policy_beside_a_namespace(
    owned: tuple[Any, str], make_member: Callable[..., Member], tmp_path: Path
) -> None:
    """A repo without a namespace does everything at its prefix, and cannot write into a namespace that lies there."""
    solo = make_member("solo", "")
    apply(owned, *solo.statements(reads_others=False))
    live(solo, tmp_path / "source")
    store = solo.user.store(solo.bucket, PREFIX)
    with pytest.raises(AccessDenied):
        store.put(ObjectKey("infra/data/x"), b"x", Overwrite())
    with pytest.raises(AccessDenied):
        solo.user.store(solo.bucket, "elsewhere").put(ObjectKey("data/x"), b"x", Overwrite())


@pytest.mark.parametrize("namespace", ["infra", ""])
def test_policy_without_a_prefix(owned: tuple[Any, str], make_member: Callable[..., Member], namespace: str) -> None:
    """The policy of a repo at the root of a bucket suffices too."""
    member = make_member("root", namespace, prefix="")
    apply(owned, *member.statements(reads_others=False))
    member.set_up()
    member("data", "put", "vpc", "state", "-", stdin="1").ok()
    member("exec", "--lock", "--", "true").ok()
    assert member("namespace", "list").status == 0
    assert member("datastore", "sync", "--json").json["requests"] == 1


def test_reader_reads_every_namespace_and_writes_none(
    team: tuple[Member, Member], owned: tuple[Any, str], make_member: Callable[..., Member]
) -> None:
    """A repo with the rights that `--reader` prints lists, queries and gets; a put is denied and stays pending."""
    infra, app = team
    reader = make_member("reader", "")
    words = ["--bucket", owned[1], "--prefix", PREFIX, "--format", "ceph", "--principal", reader.user.name[4:]]
    policy = json.loads(reader("namespace", "policy", *words, "--reader").ok().out)
    apply(
        owned,
        *infra.statements(reads_others=False),
        *app.statements(reads_others=False),
        *policy["Statement"],
    )
    for member in team:
        member.set_up()
        member("data", "put", "vpc", "state", "-", stdin=member.namespace).ok()
    with (reader.path / ".swamp.yaml").open("a") as file:
        file.write(
            f'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: {reader.bucket}\n    prefix: {PREFIX}\n'
            f'    endpoint: "{reader.user.endpoint}"\n'
        )
    reader("namespace", "follow", "all").ok()
    rows = reader("data", "query", 'name == "state"', "--json").json["results"]
    assert {row["namespace"] for row in rows} == {"infra", "app"}
    assert reader.content("vpc", "state", "-n", "infra") == b"infra"
    refused = reader("data", "put", "vpc", "mine", "-", "--json", stdin="x")
    assert refused.status == 1
    assert "safe and pending" in refused.error["error"]
