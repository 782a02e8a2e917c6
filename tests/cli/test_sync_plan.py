"""`datastore sync --dry-run`: the requests that it names are those that the sync then makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import BucketPlace, Swamp
from tests.cli.test_sync import Member, make_member

LARGE = "x" * (9 << 20)  # two parts


@pytest.fixture
def ann(swamp: Swamp, tmp_path: Path, bucket: BucketPlace, namespace: str) -> Member:
    return make_member(swamp, tmp_path / "ann", bucket, namespace, "  autoSync: false\n")


def plan_and_sync(member: Member) -> tuple[int, int, int]:
    """Return the requests that were planned and made, and how many versions and files were published."""
    plan = member("datastore", "sync", "--dry-run", "--json").json["plan"]
    report = member("datastore", "sync", "--json").json
    assert (plan["puts"], plan["removals"]) == (report["filesPushed"], report["removalsPushed"])
    assert (plan["bytes"], plan["bytesDown"]) == (report["bytesUp"], report["bytesDown"])
    return plan["requests"], report["requests"], report["filesPushed"] + report["removalsPushed"]


def test_plan_names_the_requests_that_are_made(ann: Member) -> None:
    """First push, nothing, several versions, content in parts, another file's new content, removals: all as planned."""
    ann.put("state", "one")
    planned, made, done = plan_and_sync(ann)
    assert (planned, done) == (made, 2)  # the definition of the model too
    assert plan_and_sync(ann) == (1, 1, 0)
    for name in ("a", "b", "state"):
        ann.put(name, name)
    planned, made, done = plan_and_sync(ann)
    assert (planned, done) == (made, 3)
    ann.put("large", LARGE)
    planned, made, done = plan_and_sync(ann)
    assert (planned, done) == (made, 1)
    (definition,) = (ann.path / ".swamp" / "remote").rglob("auto-definitions/**/*.yaml")
    definition.write_text(definition.read_text() + "# more\n")
    assert ann("datastore", "sync", "--scan", "--pull", "--json").json["scan"]["adopted"]
    ann("data", "delete", "vpc", "a", "-y").ok()
    planned, made, done = plan_and_sync(ann)
    assert (planned, done) == (made, 2)


def test_limit_of_requests_is_the_plan(ann: Member, bucket: BucketPlace) -> None:
    """One request less than planned is refused before anything is written; as many as planned are enough."""
    ann.put("state", "one")
    before = bucket.keys()
    needed = ann("datastore", "sync", "--dry-run", "--json").json["plan"]["requests"]
    refused = ann("datastore", "sync", "--max-requests", str(needed - 1), "--json")
    assert refused.status == 1
    assert f"needs {needed} requests" in refused.error["error"]
    assert bucket.keys() == before
    assert ann("datastore", "sync", "--max-requests", str(needed), "--json").json["filesPushed"] == 2


def test_timeout_stops_a_sync_and_keeps_what_was_done(ann: Member) -> None:
    """A sync that takes longer than --timeout exits 75; everything stays pending and goes with the next one."""
    for number in range(3):
        ann.put(f"n{number}", "x")
    late = ann("datastore", "sync", "--timeout", "0.001", "--json")
    assert late.status == 75
    assert "took longer than 0.001 s" in late.error["error"]
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 4
