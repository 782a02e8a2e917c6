"""The store in S3 keeps every promise of the interface, seen on moto's server."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys
from swampsync.testing.s3_side_channel import S3Server, S3Suite

SERVER = Path(__file__).parents[2] / "integration" / "servers" / "moto_server.py"


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """moto's server in a process of its own, on a free port, for all tests of this worker."""
    with subprocess.Popen(
        [sys.executable, str(SERVER)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("S3_ENDPOINT="), "moto's server did not start: is `moto[server]` installed?"
            yield S3Server("moto", line.strip().partition("=")[2], S3Keys("test", "test"))
        finally:
            process.kill()


@pytest.fixture(scope="session")
def places(moto: S3Server) -> Iterator[Iterator[str]]:
    """Prefixes, each used once, in one bucket that exists; the suite's boto3 client lives as long."""
    client = moto.client()
    client.create_bucket(Bucket="conformance")
    TestS3Store.client = client
    yield (f"run/{number}" for number in itertools.count())
    client.close()


class TestS3Store(S3Suite):
    """The suite over `S3Store`, under a prefix; the side channel is boto3."""

    # moto takes 3 ms a request, one at a time; the full numbers run against a real server in integration/.
    create_race_threads = 8
    create_race_rounds = 5
    swap_race_workers = 3
    swap_race_increments = 5
    page_counts = (60,)

    @pytest.fixture
    def store(self, moto: S3Server, places: Iterator[str]) -> S3Store:
        return moto.store("conformance", next(places))
