"""`doctor backend` judges real servers: those that keep the promises are safe, the one that does not is named."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from swampsync.backends.s3_admin import S3Admin
from swampsync.backends.s3_keys import StaticCredentials
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.clock import SystemClock, spawn_daemon
from swampsync.maintenance.doctor_backend import Thoroughness, probe
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.doctor_unused import UnusedConditions
from swampsync.testing.s3_side_channel import S3Server

# What each server does with conditions that nothing rests on.
UNUSED = {"rgw": (Result.IGNORED, Result.IGNORED), "moto": (Result.KEPT, Result.KEPT)}


def examine(server: S3Server, bucket: str, thoroughness: Thoroughness) -> DoctorReport:
    store = server.store(bucket, "team")
    with S3Admin(server.options(bucket, "team"), StaticCredentials(server.keys)) as admin:
        return probe(
            store,
            scratch_prefix="infra/_doctor/",
            clock=SystemClock(),
            rng=random.Random(),
            spawner=spawn_daemon,
            thoroughness=thoroughness,
            quotings={q.value: store.with_quoting(q) for q in (ETagQuoting.QUOTED, ETagQuoting.BARE)},
            lifecycle_rules=admin.lifecycle_rules,
            protected_prefixes=("infra/_log/", "infra/data/"),
            abort_uploads=lambda prefix: admin.abort_stale_uploads(
                prefix, older_than=datetime.now(UTC) + timedelta(days=1)
            ),
            unused_conditions=UnusedConditions(admin.delete_if_match, admin.upload_if_absent),
        )


@pytest.mark.parametrize("thoroughness", list(Thoroughness))
def test_server_that_keeps_its_promises_is_safe(
    thoroughness: Thoroughness, s3_server: S3Server, s3_bucket: str
) -> None:
    """The report of a good server is safe, knows its form of ETags, and leaves nothing behind."""
    report = examine(s3_server, s3_bucket, thoroughness)
    assert report.is_safe, report
    results = {promise.name: promise.result for promise in report.promises}
    for name in ("create-only", "create-only-race", "if-match", "if-match-race", "read-after-write", "list-order"):
        assert results[name] is Result.KEPT, name
    if s3_server.name == "rgw":
        assert report.etag_quoting == "bare"
    if thoroughness is Thoroughness.FULL:
        multipart = report.find("multipart")
        assert multipart is not None
        assert multipart.consequence.endswith("leaves no parts when it breaks off")
    asked = {results["conditional-delete"], results["conditional-completion"]}
    if thoroughness is Thoroughness.QUICK:
        assert asked == {Result.NOT_CHECKED}
    elif s3_server.name in UNUSED:
        assert (results["conditional-delete"], results["conditional-completion"]) == UNUSED[s3_server.name]
    else:
        assert asked <= {Result.KEPT, Result.IGNORED, Result.ABSENT}
    assert list(s3_server.store(s3_bucket, "team").list("infra/")) == []


@pytest.mark.parametrize("thoroughness", list(Thoroughness))
def test_server_that_ignores_conditions_is_named_unsafe(thoroughness: Thoroughness, rclone_server: S3Server) -> None:
    """rclone's server overwrites whatever the condition: the report says so by the names of the promises."""
    report = examine(rclone_server, "bucket", thoroughness)
    assert not report.is_safe
    broken = {promise.name for promise in report.promises if promise.result is Result.BROKEN}
    assert {"create-only", "if-match"} <= broken
