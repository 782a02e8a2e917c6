"""Running the command line: in this process for speed, as the installed script where that is the point."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.s3_keys import S3Keys
from swampsync.cli.app import run
from swampsync.testing.s3_side_channel import S3Server

SCRIPT = Path(sys.executable).with_name("swamp")


@dataclass(frozen=True)
class Outcome:
    """What one command left behind."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        assert self.status != 0, self.text
        return json.loads(self.err)

    def ok(self) -> Outcome:
        assert self.status == 0, f"{self.err}\n{self.text}"
        return self


Swamp = Callable[..., Outcome]


class _Input(io.TextIOWrapper):
    pass


@pytest.fixture
def variables() -> dict[str, str]:
    """Variables that every command of a test gets."""
    return {}


@pytest.fixture
def swamp(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> Iterator[Swamp]:
    """Run one command in this process: `swamp(directory, "data", "list", …)`."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def call(
        directory: Path | str, *arguments: str, stdin: bytes | str = b"", env: Mapping[str, str] | None = None
    ) -> Outcome:
        body = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = io.BytesIO(), io.StringIO()
        wrapped = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("SWAMP_", "AWS_"))}
        environ |= variables | dict(env or {})
        before = os.getcwd()
        os.chdir(directory)
        try:
            monkeypatch.setattr(sys, "stdin", _Input(io.BytesIO(body), encoding="utf-8"))
            with contextlib.redirect_stdout(wrapped), contextlib.redirect_stderr(err):
                status = run(list(arguments), environ)
            wrapped.flush()
        finally:
            os.chdir(before)
        result = Outcome(status, out.getvalue(), err.getvalue())
        wrapped.detach()
        return result

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run_script(
    directory: Path | str, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Outcome:
    """Run the installed script in a process of its own."""
    done = subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=directory,
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


@dataclass(frozen=True)
class Clone:
    """One repo, and how its commands are run."""

    path: Path
    swamp: Swamp

    def __call__(self, *words: str, stdin: bytes | str = b"") -> Outcome:
        return self.swamp(self.path, *words, stdin=stdin)

    def put(self, name: str, content: bytes | str, *flags: str) -> None:
        self("data", "put", "vpc", name, "-", *flags, stdin=content).ok()

    def content(self, name: str, *flags: str) -> str:
        return self.content_bytes(name, *flags).decode()

    def content_bytes(self, name: str, *flags: str) -> bytes:
        return self("data", "get", "vpc", name, "--output", "-", *flags).ok().out


@dataclass(frozen=True)
class Place:
    """Two repos and where their data is; in solo mode each has its own."""

    first: Path
    second: Path
    datastore: Path | None
    first_namespace: str
    second_namespace: str

    @property
    def is_solo(self) -> bool:
        return self.datastore is None


@pytest.fixture
def solo(tmp_path: Path, swamp: Swamp) -> Path:
    """A fresh repo in solo mode."""
    repo = tmp_path / "solo"
    repo.mkdir()
    swamp(repo, "repo", "init").ok()
    return repo


@pytest.fixture
def pair(tmp_path: Path, swamp: Swamp) -> Place:
    """Two repos, `infra` and `app`, in their own namespaces on one shared directory."""
    datastore = tmp_path / "shared"
    for name in ("infra", "app"):
        repo = tmp_path / name
        repo.mkdir()
        swamp(repo, "repo", "init").ok()
        swamp(repo, "datastore", "setup", "filesystem", "--path", str(datastore)).ok()
        swamp(repo, "datastore", "namespace", "set", name).ok()
    return Place(tmp_path / "infra", tmp_path / "app", datastore, "infra", "app")


@pytest.fixture(params=["solo", "namespaced"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Both modes, for what must be true in each."""
    if request.param == "namespaced":
        place: Place = request.getfixturevalue("pair")
        return place
    first: Path = request.getfixturevalue("solo")
    return Place(first, first, None, "", "")


@pytest.fixture(params=["", "infra"], ids=["solo", "namespaced"])
def namespace(request: pytest.FixtureRequest) -> str:
    """The name of a repo's namespace, in both modes."""
    return str(request.param)


# --- buckets ---------------------------------------------------------------------------------------------------

SECRET = "wJalrXUtnFEMI-never-shown"
MOTO = Path(__file__).parents[2] / "integration" / "servers" / "moto_server.py"


@dataclass(frozen=True)
class BucketPlace:
    """A bucket of one test on moto's server."""

    name: str
    endpoint: str
    env: dict[str, str]
    client: Any

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--bucket", self.name, "--endpoint", self.endpoint)

    def read(self, key: str) -> Any:
        return json.loads(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def keys(self, prefix: str = "") -> list[str]:
        answer = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", [])]


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """moto's server in a process of its own, on a free port, for all tests of this worker."""
    with subprocess.Popen([sys.executable, str(MOTO)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("S3_ENDPOINT="), "moto's server did not start: is `moto[server]` installed?"
            yield S3Server("moto", line.strip().partition("=")[2], S3Keys("AKIATESTKEY", SECRET))
        finally:
            process.kill()


@pytest.fixture
def bucket(moto: S3Server, tmp_path: Path) -> Iterator[BucketPlace]:
    """An empty bucket, and the variables by which commands may use it."""
    client = moto.client()
    name = f"team-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "AWS_ACCESS_KEY_ID": moto.keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "HOME": str(home),
        "SWAMP_HOME": str(home / "swamp"),
    }
    yield BucketPlace(name, moto.endpoint, env, client)
    client.close()


@pytest.fixture
def bucket_pair(tmp_path: Path, swamp: Swamp, bucket: BucketPlace, variables: dict[str, str]) -> Place:
    """Two repos, `infra` and `app`, in their own namespaces of one bucket."""
    variables.update(bucket.env)
    for name in ("infra", "app"):
        repo = tmp_path / name
        repo.mkdir()
        swamp(repo, "repo", "init").ok()
        with (repo / ".swamp.yaml").open("a") as file:
            file.write(
                f'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: {bucket.name}\n'
                f'    endpoint: "{bucket.endpoint}"\n'
            )
        swamp(repo, "namespace", "set", name).ok()
    return Place(tmp_path / "infra", tmp_path / "app", tmp_path / "infra", "infra", "app")
