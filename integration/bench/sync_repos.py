"""Repos on a bucket for `bench_sync`: made, filled, and used by commands that are processes of their own."""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from integration.bench.bench_log import draft, make_version
from integration.peak_memory import CommandCost, measure_command
from swampsync.clock import SystemClock
from swampsync.layout import Layout
from swampsync.log.append import Appender
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.log.segments import row_to_line
from swampsync.log.tail import BEGINNING, Position
from swampsync.namespace import Namespace
from swampsync.testing.s3_side_channel import S3Server

SWAMP = str(Path(sys.executable).with_name("swamp"))
NAMESPACE = "infra"
MODEL = "m"


@dataclass(frozen=True, slots=True)
class BenchRepo:
    """One repo of the namespace.

    Args:
        path: Where it is.
        env: The environment of its commands.
        url: The server that its configuration names.
        bucket: The bucket.
        prefix: Where in the bucket the datastore is.
    """

    path: Path
    env: dict[str, str]
    url: str
    bucket: str
    prefix: str

    def run(self, *words: str) -> CommandCost:
        return measure_command([SWAMP, *words], cwd=self.path, env=self.env)

    def json(self, *words: str) -> tuple[dict[str, Any], CommandCost]:
        cost = self.run(*words, "--json")
        return json.loads(cost.output), cost

    def through(self, endpoint: str) -> BenchRepo:
        """The same repo on another way to the server."""
        config = self.path / ".swamp.yaml"
        config.write_text(config.read_text().replace(self.url, endpoint))
        return replace(self, url=endpoint)

    def objects(self, target: Path) -> int:
        """Link what the copy holds of objects below a directory, as another program would upload them."""
        count = 0
        home = self.path / ".swamp" / "remote"
        for directory, _, names in os.walk(home):
            for name in names:
                if name != "latest" and not name.startswith("."):
                    place = target / Path(directory).relative_to(home)
                    place.mkdir(parents=True, exist_ok=True)
                    os.link(Path(directory, name), place / name)
                    count += 1
        return count


def environment(server: S3Server, home: Path) -> dict[str, str]:
    """Make the environment of commands: keys in it, nothing else of this process's configuration."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWAMP_", "AWS_", "S3_", "PYTHON"))}
    return kept | {
        **server.key_variables(),
        "HOME": str(home),
        "SWAMP_HOME": str(home / "swamp"),
    }


def make_repo(path: Path, server: S3Server, bucket: str, prefix: str, *, joins: bool, hydration: str) -> BenchRepo:
    """Make a repo whose datastore is the bucket, a member of the namespace."""
    path.mkdir(parents=True)
    repo = BenchRepo(path, environment(server, path.parent), server.endpoint, bucket, prefix)
    repo.run("repo", "init")
    with (path / ".swamp.yaml").open("a") as file:
        file.write(
            f'datastore:\n  type: "@swampsync/s3"\n  hydrationStrategy: {hydration}\n'
            f'  config:\n    bucket: {bucket}\n    prefix: {prefix}\n    endpoint: "{server.endpoint}"\n'
        )
    repo.run("namespace", "join" if joins else "set", NAMESPACE)
    return repo


def fill_namespace(server: S3Server, bucket: str, prefix: str, versions: int) -> None:
    """Give the namespace a log whose newest checkpoint holds so many versions; their content is not uploaded."""
    rng = random.Random(versions)
    clock = SystemClock()
    log = Log(server.store(bucket, prefix), Layout("/r", "/r/c", Namespace.parse(NAMESPACE)))

    def new_id() -> str:
        return str(uuid.UUID(int=rng.getrandbits(128)))

    def lines() -> Iterator[bytes]:
        for start in range(0, versions, 1_000):
            made = [make_version(number, rng) for number in range(start, min(start + 1_000, versions))]
            for row, raw in sorted(made, key=lambda rows: rows[0].path):
                yield row_to_line(row)
                yield row_to_line(raw)

    appender = Appender(log, clock, rng, new_id, lambda *, seq, commit_id: None)
    appended = appender.append(
        draft(make_version(10**7, rng)), lambda _newer, same: same, position=BEGINNING, tailed_at=clock.uptime()
    )
    assert appended.published is not None
    base = log.put_segments(lines(), new_id=new_id)
    Checkpointer(log, clock, new_id, "bench").put(Position.of(appended.published), base=base, deltas=())
