"""`datastore setup s3` in processes of its own, on real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.layout import ObjectKey
from swampsync.repo import Repo
from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Outcome, Swamp


def soak(value: float) -> Any:
    """A case that `make soak` runs only."""
    return pytest.param(value, marks=pytest.mark.soak)


SWAMP = str(Path(sys.executable).with_name("swamp"))
RACERS = 6


@dataclass(frozen=True)
class Machine:
    """A home directory, its repos, and the bucket that they share."""

    home: Path
    server: S3Server
    bucket: str
    prefix: str
    swamp: Swamp

    def flags(self, namespace: str) -> list[str]:
        place = ["--bucket", self.bucket, "--prefix", self.prefix, "--endpoint", self.server.endpoint]
        return ["datastore", "setup", "s3", *place, "-n", namespace]

    def env(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.home),
            **self.server.key_variables(),
            "AWS_REGION": self.server.region,
            **more,
        }

    def repo(self, name: str) -> Path:
        path = self.home / name
        path.mkdir()
        self.run(path, "repo", "init")
        return path

    def start(self, repo: Path, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SWAMP, *arguments], cwd=repo, env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, repo: Path, *arguments: str, status: int = 0, **more: str) -> Outcome:
        """Run a command here, where nothing else happens at the same moment: a process takes much longer."""
        done = self.swamp(repo, *arguments, env=self.env(**more))
        assert done.status == status, f"{arguments}: {done.text}{done.err}"
        return done

    def json(self, repo: Path, *arguments: str) -> Any:
        return self.run(repo, *arguments, "--json").json

    def list_keys(self) -> list[str]:
        store = self.server.store(self.bucket, self.prefix)
        return [info.key.text for info in store.list("")]


@pytest.fixture
def machine(tmp_path: Path, s3_server: S3Server, s3_bucket: str, swamp: Swamp) -> Machine:
    return Machine(tmp_path, s3_server, s3_bucket, f"cli/{uuid.uuid4().hex[:8]}", swamp)


def repo_id(repo: Path) -> str:
    lines = (repo / ".swamp.yaml").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("repoId"))


def test_two_repos_share_a_bucket(machine: Machine) -> None:
    """Each claims its namespace, sees the other's, joins it, and finds the store safe."""
    infra, app = machine.repo("infra"), machine.repo("app")
    assert machine.json(infra, *machine.flags("infra"))["promises"]["create-only-race"] == "kept"
    refused = machine.run(app, *machine.flags("infra"), status=1)
    assert repo_id(infra) in refused.err
    machine.run(app, *machine.flags("app"))
    listed = machine.json(app, "namespace", "list")["namespaces"]
    assert [(n["namespace"], n["repoId"]) for n in listed] == [("app", repo_id(app)), ("infra", repo_id(infra))]
    machine.run(app, "namespace", "join", "infra")
    assert machine.json(app, "namespace", "validate")["valid"] is True
    assert machine.json(app, "datastore", "status")["healthy"] is True
    assert machine.json(app, "datastore", "lock", "status")["held"] is False
    assert machine.json(infra, "doctor", "backend", "--quick")["safe"] is True
    assert ("etagQuoting: bare" in (infra / ".swamp.yaml").read_text()) == (machine.server.name == "rgw")
    scratch = [key for key in machine.list_keys() if ".swampsync-doctor" in key]
    assert scratch == []


def test_members_are_changed_by_swaps_whatever_the_form_of_etags(machine: Machine) -> None:
    """Without the form in the configuration the first swap finds it out, on Ceph too."""
    infra, app = machine.repo("infra"), machine.repo("app")
    machine.run(infra, *machine.flags("infra"))
    place = {"bucket": machine.bucket, "prefix": machine.prefix, "endpoint": machine.server.endpoint}
    variable = f"@swampsync/s3:{json.dumps(place)}"
    machine.run(app, "namespace", "join", "infra", SWAMP_DATASTORE=variable)
    members = json.loads(
        machine.server.store(machine.bucket, machine.prefix).get(ObjectKey("infra/.swampsync.json")).body
    )["members"]
    assert members == sorted([repo_id(infra), repo_id(app)])


def test_of_repos_that_set_up_one_namespace_at_once_one_gets_it(machine: Machine) -> None:
    """Processes race from the first look to the claim: one owner, everybody else a conflict and no configuration."""
    repos = [machine.repo(f"repo-{number}") for number in range(RACERS)]
    running = [machine.start(repo, *machine.flags("infra")) for repo in repos]
    outcomes = [(process.communicate()[1], process.returncode) for process in running]
    winners = [repo for repo, (_, status) in zip(repos, outcomes, strict=True) if status == 0]
    assert len(winners) == 1, outcomes
    for repo, (said, status) in zip(repos, outcomes, strict=True):
        assert ("datastore:" in (repo / ".swamp.yaml").read_text()) == (repo == winners[0])
        if repo != winners[0]:
            assert (status, repo_id(winners[0]) in said) == (1, True), said
    owner = json.loads(
        machine.server.store(machine.bucket, machine.prefix).get(ObjectKey("infra/.namespace.json")).body
    )["repoId"]
    assert owner == repo_id(winners[0])


@pytest.mark.holds("I11")
@pytest.mark.parametrize("seconds", [soak(0.3), 0.6, soak(1.0), 1.6])
def test_setup_killed_at_some_moment_goes_on_when_run_again(machine: Machine, seconds: float) -> None:
    """After `kill -9` the same command succeeds, and the namespace belongs to the repo."""
    repo = machine.repo("infra")
    process = machine.start(repo, *machine.flags("infra"))
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    machine.run(repo, *machine.flags("infra"))
    assert machine.json(repo, "namespace", "describe")["repoId"] == repo_id(repo)
    assert machine.json(repo, "namespace", "validate")["valid"] is True


def fill(machine: Machine, repo: Path, count: int) -> dict[str, str]:
    """Import some documents and write one artifact twice; return what every artifact's latest version holds."""
    source = machine.home / "source"
    source.mkdir(exist_ok=True)
    held = {f"doc-{number}.txt": f"document {number} " * number for number in range(count)}
    for name, text in held.items():
        (source / name).write_text(text)
    machine.run(repo, "data", "import", str(source), "--model", "docs")
    audit = repo / ".swamp" / "audit" / "commands.jsonl"
    audit.parent.mkdir(parents=True, exist_ok=True)
    audit.write_text('{"a":1}\n')
    return held


def read_all(machine: Machine, repo: Path, namespace: str | None = None) -> dict[str, str]:
    """Read the latest version of everything, in this process: starting one takes longer than what it does."""
    with Repo.open(str(repo), namespace=namespace, environ=machine.env()) as opened:
        names = [row.data_name for listing in opened.data.list("docs") for row in listing.rows]
        return {n: b"".join(opened.data.read(opened.data.get("docs", n))).decode() for n in names}


@pytest.mark.holds("I7")
def test_data_moves_into_the_bucket_and_out_again(machine: Machine) -> None:
    """Written by one repo, moved, read by another one through the bucket, and moved out to a directory unchanged."""
    infra, app = machine.repo("infra"), machine.repo("app")
    held = fill(machine, infra, 6)
    document = machine.json(infra, *machine.flags("infra"))
    assert (document["errors"], document["filesCopied"]) == ([], 2 * 6 + 2)
    assert document["directoriesMigrated"] == ["auto-definitions", "data", "audit"]
    machine.run(app, *machine.flags("app"))
    assert read_all(machine, app, "infra") == held
    assert read_all(machine, infra) == held
    keys = machine.list_keys()
    shared = machine.home / "shared"
    left = machine.json(infra, "datastore", "setup", "filesystem", "--path", str(shared))
    assert (left["errors"], left["filesCopied"]) == ([], 3 * 6 + 2)
    assert read_all(machine, infra) == held
    assert (shared / "infra" / "audit" / "commands.jsonl").read_text() == '{"a":1}\n'
    assert machine.list_keys() == keys
    assert not (infra / ".swamp" / "remote").exists()


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
@pytest.mark.parametrize("seconds", [soak(0.9), 1.5, soak(2.1)])
def test_setup_with_data_killed_at_some_moment_goes_on_when_run_again(machine: Machine, seconds: float) -> None:
    """After `kill -9` everything is read, and the same command ends with everything in the bucket, once."""
    repo = machine.repo("infra")
    held = fill(machine, repo, 6)
    process = machine.start(repo, *machine.flags("infra"))
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert read_all(machine, repo) == held
    machine.run(repo, *machine.flags("infra"))
    assert read_all(machine, repo) == held
    versions = [key for key in machine.list_keys() if key.endswith("/metadata.yaml")]
    assert len(versions) == 6
    assert not (repo / ".swamp" / "setup").exists()
    assert list((repo / ".swamp" / "data").rglob("raw")) == []


def test_server_that_ignores_conditions_is_refused_by_promise(
    tmp_path: Path, rclone_server: S3Server, swamp: Swamp
) -> None:
    """rclone's server is refused by the names of what it breaks; nothing is claimed and nothing configured."""
    machine = Machine(tmp_path, rclone_server, "bucket", f"cli/{uuid.uuid4().hex[:8]}", swamp)
    repo = machine.repo("infra")
    before = (repo / ".swamp.yaml").read_bytes()
    refused = machine.run(repo, *machine.flags("infra"), "--json", status=1)
    error = json.loads(refused.err)
    assert error["code"] == "refused"
    assert "create-only" in error["error"]
    assert "if-match" in error["error"]
    assert "`If-None-Match: *` on PUT is accepted and ignored" in error["error"]
    assert (repo / ".swamp.yaml").read_bytes() == before
    assert [key for key in machine.list_keys() if not key.startswith("infra/.swampsync-doctor/")] == []


@pytest.mark.parametrize("effort", [["--quick"], []], ids=["quick", "full"])
def test_doctor_exits_1_on_a_server_that_ignores_conditions(
    effort: list[str], tmp_path: Path, rclone_server: S3Server, swamp: Swamp
) -> None:
    """On rclone's server, configured by hand, the table and the document name what it breaks, and no record is kept."""
    machine = Machine(tmp_path, rclone_server, "bucket", f"cli/{uuid.uuid4().hex[:8]}", swamp)
    repo = machine.repo("infra")
    with (repo / ".swamp.yaml").open("a") as file:
        config = {"bucket": machine.bucket, "prefix": machine.prefix, "endpoint": rclone_server.endpoint}
        file.write(f'datastore:\n  type: "@swampsync/s3"\n  namespace: infra\n  config: {json.dumps(config)}\n')
    refused = machine.run(repo, "doctor", "backend", *effort, "--json", status=1)
    document = json.loads(refused.text)
    results = {promise["name"]: promise["result"] for promise in document["promises"]}
    assert document["safe"] is False
    assert (results["create-only"], results["if-match"]) == ("broken", "broken")
    shown = machine.run(repo, "doctor", "backend", *effort, status=1).text
    assert shown.splitlines()[-1].startswith("Unsafe for shared use: create-only, create-only-race, if-match")
    assert "two pushes at once can overwrite each other's commit" in shown
    # What was looked at became this repo's, as by any command that writes; the report is not trusted to such a server.
    left = [key for key in machine.list_keys() if not key.startswith("infra/.swampsync-doctor/")]
    assert left == ["infra/.namespace.json", "infra/.swampsync.json"]
    record = rclone_server.store(machine.bucket, machine.prefix).get(ObjectKey("infra/.swampsync.json")).body
    assert b"storePromises" not in record


def test_wrong_secret_is_refused_without_showing_it(tmp_path: Path, rgw_server: S3Server, swamp: Swamp) -> None:
    """A server that checks signatures denies access; the error names what to check and no secret."""
    machine = Machine(tmp_path, rgw_server, "swampsync-nobody", "cli", swamp)
    repo = machine.repo("infra")
    wrong = "wrong-secret-of-ours"
    refused = machine.run(repo, *machine.flags("infra"), "-vv", status=1, AWS_SECRET_ACCESS_KEY=wrong)
    assert wrong not in refused.text + refused.err
    assert rgw_server.keys.access_key_id not in refused.text + refused.err
    assert "hint:" in refused.err
