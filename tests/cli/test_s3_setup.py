"""`datastore setup s3`, and what works on a bucket: status, doctor, namespaces, locks."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SECRET, BucketPlace, Outcome, Swamp

SETUP = ("datastore", "setup", "s3")
RULE = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "infra/"}, "Expiration": {"Days": 30}}


def make_repo(swamp: Swamp, path: Path) -> Path:
    path.mkdir()
    swamp(path, "repo", "init").ok()
    return path


@pytest.fixture
def repo(swamp: Swamp, tmp_path: Path) -> Path:
    """A fresh repo without data."""
    return make_repo(swamp, tmp_path / "infra")


def use_bucket(swamp: Swamp, repo: Path, bucket: BucketPlace, namespace: str) -> Path:
    """Write by hand what set-up writes, without its probe, and claim the namespace."""
    with (repo / ".swamp.yaml").open("a") as file:
        file.write(
            f'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: {bucket.name}\n    prefix: a/b\n'
            f'    endpoint: "{bucket.endpoint}"\n'
        )
    swamp(repo, "namespace", "set", namespace, env=bucket.env).ok()
    return repo


@pytest.fixture
def infra(swamp: Swamp, repo: Path, bucket: BucketPlace) -> Path:
    """A repo whose datastore is the bucket, in the namespace `infra`."""
    return use_bucket(swamp, repo, bucket, "infra")


def repo_id(repo: Path) -> str:
    lines = (repo / ".swamp.yaml").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("repoId"))


def test_setup_prints_swamps_document_and_ours(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """The document's keys, in order; afterwards the configuration points there and the bucket holds two manifests."""
    before = (repo / ".swamp.yaml").read_text()
    document = swamp(
        repo, *SETUP, *bucket.flags, "--prefix", "/a/b/", "--namespace", "infra", "--hydration", "lazy", "--path-style",
        "--region", "eu-west-1", "--sse", "AES256", "--request-timeout", "90.5", "--json", env=bucket.env,
    ).json  # fmt: skip
    assert document.pop("promises")["create-only"] == "kept"
    assert document == {
        "type": "@swampsync/s3",
        "path": f"s3://{bucket.name}/a/b",
        "filesCopied": 0,
        "filesPulled": 0,
        "bytesCopied": 0,
        "directoriesMigrated": [],
        "errors": [],
        "namespace": "infra",
        "sourcePath": str(repo / ".swamp"),
        "destinationPath": f"s3://{bucket.name}/a/b",
        "warnings": [],
        "bucket": bucket.name,
        "prefix": "a/b",
        "endpoint": bucket.endpoint,
        "hydrationStrategy": "lazy",
        "bucketCreated": False,
    }
    assert (repo / ".swamp.yaml").read_text() == before + (
        f'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: {bucket.name}\n    prefix: a/b\n'
        f'    region: eu-west-1\n    endpoint: "{bucket.endpoint}"\n    forcePathStyle: true\n'
        "    requestTimeoutMs: 90500\n    sse: AES256\n"
        "  namespace: infra\n  hydrationStrategy: lazy\n"
    )
    assert bucket.keys() == ["a/b/infra/.namespace.json", "a/b/infra/.swampsync.json"]
    head = bucket.client.head_object(Bucket=bucket.name, Key="a/b/infra/.namespace.json")
    assert head["ServerSideEncryption"] == "AES256"


def test_setup_says_what_it_did(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """The report for people names place, server, namespace and how many promises were kept."""
    arguments = (*SETUP, "--bucket", f"{bucket.name}-new", "--create-bucket", "-n", "infra")
    env = bucket.env | {"AWS_ENDPOINT_URL_S3": bucket.endpoint}
    outcome = swamp(repo, *arguments, env=env).ok()
    assert outcome.text.replace(bucket.name, "B").replace(bucket.endpoint, "E") == (
        "Datastore Setup Complete\n"
        "  Type:      @swampsync/s3\n"
        "  Path:      s3://B-new\n"
        "  Server:    E\n"
        "  Bucket:    created\n"
        "  Namespace: infra\n"
        "  Hydration: full\n"
        "  Files:     0 copied (0B)\n"
        "  Promises:  13 kept (all of them: swamp doctor backend)\n"
    )
    assert outcome.err == ""
    assert f'endpoint: "{bucket.endpoint}"' in (repo / ".swamp.yaml").read_text()


def test_setup_without_a_bucket_or_rights_changes_nothing(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """Each failure has its exit status and a hint, and leaves the configuration as it was."""
    before = (repo / ".swamp.yaml").read_bytes()
    missing = swamp(repo, *SETUP, "--bucket", "nobodys-bucket", "--endpoint", bucket.endpoint, "--json", env=bucket.env)
    assert (missing.status, missing.error["code"]) == (1, "bucket_not_found")
    assert "aws s3 mb" in missing.error["hint"]
    absent = swamp(repo, *SETUP, "--bucket", bucket.name, "--endpoint", "http://127.0.0.1:9", env=bucket.env)
    assert (absent.status, "no connection to http://127.0.0.1:9" in absent.err) == (75, True)
    unknown = swamp(repo, *SETUP, *bucket.flags, "--profile", "nobody", env=bucket.env)
    assert (unknown.status, "aws configure list-profiles" in unknown.err) == (2, True)
    for arguments, said in (
        ((), "Missing option '--bucket'"),
        (("--bucket", "a/b"), "no name that a bucket can have"),
        (("--bucket", "abc", "--hydration", "some"), "`full`, `lazy`"),
        (("--bucket", "abc", "--concurrency", "0"), "above 0"),
        (("--bucket", "abc", "--request-timeout", "0.5"), "1<=x<=600"),
        (("--bucket", "abc", "-n", "data"), "reserved"),
    ):
        wrong = swamp(repo, *SETUP, *arguments, env=bucket.env)
        assert (wrong.status, said in wrong.err) == (2, True), wrong.err
    assert (repo / ".swamp.yaml").read_bytes() == before
    assert bucket.keys() == []


def test_setup_moves_data_into_the_bucket_and_out_again(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """Both reports count what was copied; every version reads the same on the way, and the objects stay behind."""
    for text in ("1", "2"):
        swamp(repo, "data", "put", "vpc", "state", stdin=text).ok()
    audit = repo / ".swamp" / "audit" / "commands.jsonl"
    audit.parent.mkdir(exist_ok=True)
    audit.write_text('{"a":1}\n')
    plan = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "--dry-run", "--json", env=bucket.env).json
    assert (plan["dryRun"], plan["versions"], plan["otherFiles"]) == (True, 2, 2)
    fresh = ("--bucket", f"{bucket.name}-fresh", "--endpoint", bucket.endpoint, "--create-bucket", "--dry-run")
    assert swamp(repo, *SETUP, *fresh, "-n", "infra", "--json", env=bucket.env).json["versions"] == 2
    assert (
        swamp(repo, *SETUP, *bucket.flags, "--bucket", f"{bucket.name}-fresh", "--dry-run", env=bucket.env).status == 1
    )
    shown = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "--dry-run", env=bucket.env).ok()
    assert "Moves:     2 versions of 1 artifact, 2 other files," in shown.text
    assert bucket.keys() == []
    document = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "--json", env=bucket.env).json
    assert (document["filesCopied"], document["errors"]) == (6, [])
    assert document["directoriesMigrated"] == plan["directories"] == ["auto-definitions", "data", "audit"]
    assert document["bytesCopied"] == plan["bytes"]
    keys = bucket.keys()
    assert "infra/audit/commands.jsonl" in keys
    assert not audit.exists()
    log = swamp(repo, "datastore", "log", "--json", env=bucket.env).json["commits"]
    assert [(c["kind"], c["seq"]) for c in log] == [("setup", 1)]
    for version in ("1", "2"):
        assert (
            swamp(repo, "data", "get", "vpc", "state", "--version", version, "-o", "-", env=bucket.env).text == version
        )
    shared = repo.parent / "shared"
    left = swamp(repo, "datastore", "setup", "filesystem", "--path", str(shared), env=bucket.env).ok()
    assert "  Files:     7 copied" in left.text
    assert f"What s3://{bucket.name} holds stays there" in left.err
    assert (shared / "infra" / "audit" / "commands.jsonl").read_text() == '{"a":1}\n'
    assert swamp(repo, "data", "get", "vpc", "state", "-o", "-").text == "2"
    assert [v["version"] for v in swamp(repo, "data", "versions", "vpc", "state", "--json").json["versions"]] == [2, 1]
    assert bucket.keys() == keys
    assert not (repo / ".swamp" / "remote").exists()


def test_what_cannot_move_is_listed_and_nothing_changes(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """A link in the tree: exit 1, the path and what to do, both in the plan and in the set-up."""
    swamp(repo, "data", "put", "vpc", "state", stdin="1").ok()
    link = repo / ".swamp" / "outputs" / "link"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/etc/hostname")
    before = (repo / ".swamp.yaml").read_text()
    for more in (("--dry-run",), ()):
        outcome = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", *more, env=bucket.env)
        assert (outcome.status, f"{link}: is neither a file nor a directory" in outcome.err) == (1, True), outcome.err
    assert "--skip-migration" in outcome.err
    assert "as they were, but namespace infra is claimed at the new place and stays so. Repair" in outcome.err
    assert bucket.keys("infra/.namespace.json") != []
    assert "Complete" not in outcome.text
    assert (repo / ".swamp.yaml").read_text() == before
    skipped = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "--skip-migration", "--json", env=bucket.env).json
    assert skipped["filesCopied"] == 0
    assert (repo / ".swamp" / "data").is_dir()


def test_place_of_other_projects_is_refused_by_what_lies_there(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """swamp's own index, foreign objects and another project's un-namespaced data are named."""
    for key in ("x/infra/_index/_meta.json", "y/infra/report.pdf"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"x")
    for prefix, said in (("x", "swamp's own index"), ("y", "`infra/report.pdf`")):
        outcome = swamp(repo, *SETUP, *bucket.flags, "--prefix", prefix, "-n", "infra", env=bucket.env)
        assert (outcome.status, said in outcome.err) == (1, True), outcome.err
    bucket.client.put_object(Bucket=bucket.name, Key="z/.swampsync.json", Body=b'{"members": ["repo-of-others"]}')
    refused = swamp(repo, *SETUP, *bucket.flags, "--prefix", "z", "--json", env=bucket.env)
    assert (refused.status, refused.error["code"]) == (1, "refused")
    assert "another project: repo `repo-of-others`" in refused.error["error"]


def test_lifecycle_rule_that_would_lose_data_is_refused(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """A rule that expires the log is named by set-up."""
    bucket.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [RULE]})
    refused = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", env=bucket.env)
    assert (refused.status, "breaks lifecycle" in refused.err, "`tidy`" in refused.err) == (1, True, True)


def test_doctor_keeps_its_report_and_cleans_up(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """The table names promise, result and consequence; the record stays with the namespace, and no scratch object."""
    outcome = swamp(infra, "doctor", "backend", "--quick", env=bucket.env).ok()
    assert outcome.text.splitlines()[0].split() == ["PROMISE", "RESULT", "CONSEQUENCE"]
    assert outcome.text.endswith("Safe: several repos may share this datastore.\n")
    record = bucket.read("a/b/infra/.swampsync.json")
    assert record["storePromises"]["promises"]["if-match-race"] == "kept"
    assert bucket.keys() == ["a/b/infra/.namespace.json", "a/b/infra/.swampsync.json"]


def test_doctor_of_an_unsafe_bucket_exits_1(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """A lifecycle rule that came after set-up is found, and the verdict is kept."""
    rule = RULE | {"Filter": {"Prefix": "a/b/infra/data/"}}
    bucket.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [rule]})
    outcome = swamp(infra, "doctor", "backend", "--quick", "--json", env=bucket.env)
    document = json.loads(outcome.out)
    assert (outcome.status, document["safe"]) == (1, False)
    assert {p["name"]: p["result"] for p in document["promises"]}["lifecycle"] == "broken"
    assert bucket.read("a/b/infra/.swampsync.json")["storePromises"]["safe"] is False


def test_namespaces_work_in_a_bucket(swamp: Swamp, infra: Path, bucket: BucketPlace, tmp_path: Path) -> None:
    """Claiming, listing, describing, validating and joining do on a bucket what they do on a directory."""
    app = make_repo(swamp, tmp_path / "app")
    taken = swamp(app, *SETUP, *bucket.flags, "--prefix", "a/b", "-n", "infra", "--json", env=bucket.env)
    assert (taken.status, taken.error["code"], "--join" in taken.error["hint"]) == (1, "conflict", True)
    use_bucket(swamp, app, bucket, "app")
    listed = swamp(app, "namespace", "list", "--json", env=bucket.env).json
    assert [(n["namespace"], n["repoId"], n["isCurrent"]) for n in listed["namespaces"]] == [
        ("app", repo_id(app), True),
        ("infra", repo_id(infra), False),
    ]
    refused = swamp(app, "namespace", "set", "infra", "--json", env=bucket.env)
    assert (refused.status, repo_id(infra) in refused.error["error"]) == (1, True)
    joined = swamp(app, "namespace", "join", "infra", "--json", env=bucket.env).json
    assert joined["members"] == sorted([repo_id(app), repo_id(infra)])
    assert joined["datastorePath"] == f"s3://{bucket.name}/a/b"
    described = swamp(app, "namespace", "describe", "--json", env=bucket.env).json
    assert (described["namespace"], described["repoId"]) == ("infra", repo_id(infra))
    assert swamp(app, "namespace", "validate", "--json", env=bucket.env).json["valid"] is True
    fresh = swamp(app, "namespace", "set", "tools", "--json", env=bucket.env).json
    assert (fresh["namespace"], fresh["datastorePath"]) == ("tools", f"s3://{bucket.name}/a/b")
    assert "a/b/tools/.namespace.json" in bucket.keys("a/b/tools/")


def test_unset_takes_the_place_without_a_namespace(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """Going back to solo claims the un-namespaced place of the bucket, and is refused where somebody has it."""
    bucket.client.put_object(Bucket=bucket.name, Key="a/b/notes.txt", Body=b"x")
    refused = swamp(infra, "namespace", "unset", "--json", env=bucket.env)
    assert (refused.status, refused.error["code"], "`notes.txt`" in refused.error["error"]) == (1, "refused", True)
    bucket.client.delete_object(Bucket=bucket.name, Key="a/b/notes.txt")
    swamp(infra, "namespace", "unset", env=bucket.env).ok()
    assert bucket.read("a/b/.swampsync.json")["members"] == [repo_id(infra)]


def test_status_says_whether_the_bucket_answers(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """`datastore status` lists once: healthy with a latency, or unhealthy with the reason, at once."""
    document = swamp(infra, "datastore", "status", "--json", env=bucket.env).json
    assert list(document)[:6] == ["type", "path", "healthy", "message", "latencyMs", "directories"]
    assert (document["type"], document["path"], document["healthy"]) == (
        "@swampsync/s3",
        f"s3://{bucket.name}/a/b",
        True,
    )
    swamp(infra, "config", "set", "datastore.config.endpoint", "http://127.0.0.1:9", env=bucket.env).ok()
    gone = swamp(infra, "datastore", "status", "--json", env=bucket.env).json
    assert gone["healthy"] is False
    assert "no connection to http://127.0.0.1:9" in gone["message"]


def test_lock_of_a_bucket_is_seen_and_broken(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """A child under `exec --lock` sees the structural lock in the bucket; afterwards nothing is held."""
    assert swamp(infra, "datastore", "lock", "status", "--json", env=bucket.env).json == {
        "held": False,
        "datastoreType": "@swampsync/s3",
    }
    held = {
        "holder": "somebody@elsewhere", "hostname": "elsewhere", "pid": 1, "acquiredAt": "2026-11-21T09:00:00.000Z",
        "ttlMs": 30000, "nonce": "n-1",
    }  # fmt: skip
    key = "a/b/.locks/infra.lock"
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=json.dumps(held).encode())
    document = swamp(infra, "datastore", "lock", "status", "--json", env=bucket.env).json
    (lock,) = document["locks"]
    assert (lock["key"], lock["info"]["holder"], lock["info"]["nonce"]) == (
        ".locks/infra.lock",
        "somebody@elsewhere",
        "n-1",
    )
    changed = swamp(infra, "datastore", "lock", "release", "--nonce", "other", "--json", env=bucket.env)
    assert (changed.status, json.loads(changed.out)["released"]) == (1, False)
    assert swamp(infra, "datastore", "lock", "release", "--nonce", "n-1", "--json", env=bucket.env).json["released"]
    assert swamp(infra, "datastore", "lock", "status", "--json", env=bucket.env).json["held"] is False


def test_variable_takes_a_bucket(swamp: Swamp, infra: Path, bucket: BucketPlace, tmp_path: Path) -> None:
    """`SWAMP_DATASTORE` with the same map leads to the same bucket."""
    guest = make_repo(swamp, tmp_path / "guest")
    place = {"bucket": bucket.name, "prefix": "a/b", "endpoint": bucket.endpoint}
    env = bucket.env | {"SWAMP_DATASTORE": f"@swampsync/s3:{json.dumps(place)}"}
    listed = swamp(guest, "namespace", "list", "--json", env=env).json
    assert [n["namespace"] for n in listed["namespaces"]] == ["infra"]


def test_settings_of_a_bucket_are_listed_and_changed(swamp: Swamp, infra: Path, bucket: BucketPlace) -> None:
    """`config` knows every key of the bucket; the place itself is changed by `setup s3` only."""
    swamp(infra, "config", "set", "datastore.config.sse", "AES256").ok()
    swamp(infra, "config", "set", "datastore.config.concurrency", "8").ok()
    settings = {s["name"]: s["value"] for s in swamp(infra, "config", "list", "--json").json["settings"]}
    assert (settings["datastore.config.sse"], settings["datastore.config.concurrency"]) == ("AES256", 8)
    moved = swamp(infra, "config", "set", "datastore.config.bucket", "other", "--json")
    assert (moved.status, "setup s3" in moved.error["hint"]) == (1, True)
    assert swamp(infra, "config", "set", "datastore.config.sse", "rot13").status == 2


def _shown(outcomes: list[Outcome], *roots: Path) -> bytes:
    files = [p.read_bytes() for root in roots for p in root.rglob("*") if p.is_file()]
    return b"".join([*(o.out + o.err.encode() for o in outcomes), *files])


def test_credentials_appear_nowhere(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """Neither key of the pair is in any output, error, log, file or object, whatever goes well or wrong."""
    leaky = f"http://AKIATESTKEY:{SECRET}@127.0.0.1:9"
    outcomes = [
        swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "-vv", env=bucket.env).ok(),
        swamp(repo, *SETUP, "--bucket", "nobodys-bucket", "--endpoint", bucket.endpoint, "-vv", env=bucket.env),
        swamp(repo, *SETUP, "--bucket", bucket.name, "--endpoint", "http://127.0.0.1:9", "-vv", env=bucket.env),
        swamp(repo, *SETUP, "--bucket", bucket.name, "--endpoint", leaky, "-vv", env=bucket.env),
        swamp(repo, "namespace", "validate", "-vv", env=bucket.env).ok(),
        swamp(repo, "datastore", "status", "-vv", env=bucket.env).ok(),
        swamp(repo, "config", "list", env=bucket.env).ok(),
        swamp(repo, "datastore", "status", "-vv", env=bucket.env | {"AWS_SECRET_ACCESS_KEY": ""}),
    ]
    assert [o.status for o in outcomes] == [0, 1, 75, 2, 0, 0, 0, 0]
    everything = _shown(outcomes, repo, Path(bucket.env["HOME"]))
    for key in bucket.keys(""):
        everything += bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    assert SECRET.encode() not in everything
    assert b"AKIATESTKEY" not in everything


def test_temporary_credentials_are_kept_for_their_owner_only(swamp: Swamp, repo: Path, bucket: BucketPlace) -> None:
    """Keys that a process gave lie in the cache of SWAMP_HOME, mode 0600, and nowhere else."""
    home = Path(bucket.env["HOME"])
    keys = {
        "Version": 1, "AccessKeyId": "AKIATEMPORARY", "SecretAccessKey": SECRET, "SessionToken": "t",
        "Expiration": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    (home / "keys.json").write_text(json.dumps(keys))
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(f"[profile ops]\ncredential_process = cat {home}/keys.json\n")
    env = {"HOME": str(home), "SWAMP_HOME": str(home / "swamp")}
    outcome = swamp(repo, *SETUP, *bucket.flags, "-n", "infra", "--profile", "ops", env=env).ok()
    (cached,) = (home / "swamp" / "cache").iterdir()
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    assert SECRET in cached.read_text()
    assert SECRET.encode() not in _shown([outcome], repo)
    (home / "keys.json").unlink()
    assert swamp(repo, "datastore", "status", "--json", env=env).json["healthy"] is True


def test_directory_repos_load_nothing_of_buckets(swamp: Swamp, repo: Path) -> None:
    """A listing on a directory imports no backend, no registry of buckets, no obstore and no boto3."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "swampsync", "data", "list"],
        cwd=repo, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    wrong: list[Any] = [
        name
        for name in loaded
        if name.split(".")[0] in {"obstore", "boto3", "botocore", "platformdirs"} or "bucket" in name or "s3_" in name
    ]
    assert wrong == []
