"""`datastore status` and `doctor backend` for a bucket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from swampsync.backends.base import ETag, ObjectStore
from swampsync.backends.bucket_rules import BucketVersions, LifecycleRule
from swampsync.backends.prefixed import Prefixed
from swampsync.errors import SwampsyncError
from swampsync.layout import Layout
from swampsync.maintenance.doctor_backend import Thoroughness, probe
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.doctor_unused import UnusedConditions
from swampsync.registry.access_policy import SCRATCH_DIRECTORY
from swampsync.repo.parts import Parts

# Besides the subdirectories of the datastore, what must never expire.
_LOG_DIRECTORIES: Final = ("_log", "_checkpoints", "_segments")
_LEFT_BEHIND: Final = timedelta(days=1)
# No command takes so long over one object.
_ANY_SKEW: Final = timedelta(days=1)
_UPLOAD_LEFT_BEHIND: Final = timedelta(days=7)


def reach_bucket(parts: Parts) -> str | None:
    """Ask the bucket for one listing, once.

    Returns:
        What went wrong; `None` if nothing did.
    """
    try:
        next(islice(parts.remote.bucket.plain.list(parts.layout.prefix_of("_log")), 1), None)
    except SwampsyncError as error:
        return error.message
    return None


def probe_bucket(
    parts: Parts, *, thoroughness: Thoroughness, on_check: Callable[[str], None] | None = None
) -> DoctorReport:
    """Prove on the bucket itself that it keeps its promises, under scratch keys in the namespace.

    Raises:
        SwampsyncError: It cannot be used at all.
    """
    bucket = parts.remote.bucket
    layout = parts.layout

    def read_rules() -> list[LifecycleRule]:
        with bucket.administer() as admin:
            return admin.lifecycle_rules()

    def read_versions() -> BucketVersions:
        with bucket.administer() as admin:
            return admin.versions()

    def abort_uploads(prefix: str) -> list[str]:
        with bucket.administer() as admin:
            # Whatever the server's clock says: nobody else has uploads there.
            return admin.abort_stale_uploads(prefix, older_than=parts.world.clock.now() + _ANY_SKEW)

    def delete_if_match(key: str, etag: ETag) -> None:
        with bucket.administer() as admin:
            admin.delete_if_match(key, etag)

    def upload_if_absent(key: str, body: bytes) -> None:
        with bucket.administer() as admin:
            admin.upload_if_absent(key, body)

    store = Prefixed(bucket.plain, parts.namespace)
    scratch_prefix = layout.prefix_of(SCRATCH_DIRECTORY)
    report = probe(
        store,
        scratch_prefix=scratch_prefix,
        clock=parts.world.clock,
        rng=parts.world.rng,
        spawner=parts.world.spawn,
        thoroughness=thoroughness,
        quotings={name: Prefixed(store, parts.namespace) for name, store in bucket.quotings.items()},
        lifecycle_rules=read_rules,
        protected_prefixes=tuple(layout.prefix_of(name) for name in (*_LOG_DIRECTORIES, *layout.subdirs)),
        versions=read_versions,
        abort_uploads=abort_uploads,
        unused_conditions=UnusedConditions(delete_if_match, upload_if_absent),
        on_check=on_check,
    )
    now = parts.world.clock.now()
    with suppress(SwampsyncError):
        _sweep(store, scratch_prefix, now=now)
    if thoroughness is Thoroughness.FULL:
        # Parts that killed uploads left cost money, and no listing shows them.
        with suppress(SwampsyncError), bucket.administer() as admin:
            for prefix in _prefixes_of_ours(layout):
                admin.abort_stale_uploads(prefix, older_than=now - _UPLOAD_LEFT_BEHIND)
    return report


def _prefixes_of_ours(layout: Layout) -> list[str]:
    """Name what the namespace may have uploads below; in solo mode the root belongs to others too."""
    if not layout.namespace.is_solo:
        return [layout.prefix_of("")]
    return [layout.prefix_of(name) for name in (SCRATCH_DIRECTORY, *layout.subdirs)]


def _sweep(store: ObjectStore, scratch_prefix: str, *, now: datetime) -> None:
    """Remove what a probe that was killed left; one that runs now is younger, by anybody's clock."""
    stale = [info.key for info in store.list(scratch_prefix) if now - info.modified_at > _LEFT_BEHIND]
    if stale:
        store.delete_many(stale)


def keep_report(parts: Parts, report: DoctorReport, *, member: str | None = None) -> None:
    """Keep with the namespace what the bucket was found to keep; a store that cannot swap is not asked to.

    Args:
        parts: Of the repo.
        report: What was found.
        member: Noted as a member in the same change: a claim that was cut short may have left that out.

    Raises:
        SwampsyncError: The record could not be changed.
    """
    swaps = report.find("if-match")
    if swaps is not None and swaps.result is Result.BROKEN:
        parts.on_notice("the result is not kept in the bucket: it cannot change a record safely")
        return
    members = [member] if member is not None else []
    parts.registry.change_members(
        parts.namespace, lambda record: replace(record.with_members(members), store_promises=report.to_record())
    )
