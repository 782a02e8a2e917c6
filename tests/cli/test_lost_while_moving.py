"""`datastore setup s3` whose lock on the directory that is left goes to somebody else while the data is uploaded."""

from __future__ import annotations

import json

import pytest

from swampsync.repo.setup_stage import Stage
from swampsync.repo.world import World
from tests.cli.conftest import Place, Swamp
from tests.cli.test_lock import lock_file
from tests.unit.repo.buckets import MemoryBuckets


def test_nothing_is_published_once_the_lock_of_the_old_place_is_lost(
    swamp: Swamp, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look comes before the commit: exit 75, a log without commits, and the old place is used as before."""
    buckets = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    before = (place.first / ".swamp.yaml").read_text()
    publish, path = Stage._publish, lock_file(place)

    def lose_and_publish(stage: Stage) -> None:
        record = json.loads(path.read_text()) | {"nonce": "theirs", "hostname": "elsewhere"}
        path.unlink()
        path.write_text(json.dumps(record))
        publish(stage)

    words = ["datastore", "setup", "s3", "--bucket", "team", "--json"]
    words += ["-n", place.first_namespace] if place.first_namespace else []
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "_publish", lose_and_publish)
        outcome = swamp(place.first, *words)
    assert (outcome.status, outcome.error["code"]) == (75, "lease_lost"), outcome.err
    assert [key for key in buckets.keys() if "_log/" in key] == []  # noqa: SIM118 - no dictionary
    assert json.loads(path.read_text())["nonce"] == "theirs"
    assert (place.first / ".swamp.yaml").read_text() == before
    path.unlink()
    swamp(place.first, *words).ok()
    assert swamp(place.first, "data", "get", "m", "x", "-o", "-").ok().text == "1"
