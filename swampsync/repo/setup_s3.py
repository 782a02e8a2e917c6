"""`datastore setup s3`: use a bucket from now on.

Everything that may fail comes before the first write that means anything: what was asked is checked, the bucket is
reached, what lies there is looked at, and the store proves its promises. Then the namespace is claimed, the data moves
(`setup_move.py`), and the configuration is written. Killed in between, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from swampsync.backends.base import BucketNotFound
from swampsync.config.config_file import write_config_file
from swampsync.config.datastore import S3_TYPE, S3Settings
from swampsync.config.document import ConfigDocument
from swampsync.config.environment import DATASTORE
from swampsync.config.settings import Flags, make_config
from swampsync.errors import InvalidInput
from swampsync.maintenance.doctor_backend import Thoroughness
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.moving import Progress
from swampsync.repo.bucket_probe import keep_report, probe_bucket
from swampsync.repo.parts import Parts
from swampsync.repo.setup_checks import check_claim, require_no_stale_copy, require_promises
from swampsync.repo.setup_choice import BucketChoice, plan_configuration
from swampsync.repo.setup_interrupted import finish_interrupted
from swampsync.repo.setup_move import Move, Moved, warn_of_missing
from swampsync.repo.setup_parts import open_by, open_written, own_environ
from swampsync.repo.setup_preview import SetupPreview


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSetup:
    """What setting up a bucket did."""

    url: str
    where: str
    settings: S3Settings
    namespace: str
    hydration: str
    source: str
    is_created: bool
    report: DoctorReport
    warnings: tuple[dict[str, Any], ...]
    moved: Moved = field(default_factory=Moved)

    @property
    def errors(self) -> tuple[str, ...]:
        """What could not be moved; the configuration is as it was then."""
        return self.moved.errors()

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore setup s3` prints; swamp's keys first."""
        document: dict[str, Any] = {
            "type": S3_TYPE,
            "path": self.url,
            "filesCopied": self.moved.tally.files,
            "filesPulled": self.moved.pulled,
            "bytesCopied": self.moved.tally.size,
            "directoriesMigrated": list(self.moved.plan.directories),
            "errors": list(self.errors),
        }
        if self.namespace:
            document["namespace"] = self.namespace
        document |= {
            "sourcePath": self.source,
            "destinationPath": self.url,
            "warnings": [dict(warning) for warning in self.warnings],
            "bucket": self.settings.bucket,
            "prefix": self.settings.prefix,
        }
        if self.settings.endpoint:
            document["endpoint"] = self.settings.endpoint
        return document | {
            "hydrationStrategy": self.hydration,
            "bucketCreated": self.is_created,
            "promises": {promise.name: promise.result.value for promise in self.report.promises},
        }


def setup_s3(
    parts: Parts,
    choice: BucketChoice,
    *,
    on_check: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> BucketSetup:
    """Prove access to a bucket, claim a namespace there, move the data, and use it from now on.

    Args:
        parts: Of the repo as it is configured now.
        choice: What was asked for.
        on_check: Told the name of each check of the store as it begins.
        progress: Of the move, called with the count done and the total.

    Raises:
        InvalidInput: A setting cannot be used.
        BucketNotFound: There is no such bucket.
        AccessDenied: It may not be used.
        Refused: Other people's objects lie in that place, the store breaks a promise that sharing it rests on, or
            something that was never published would be left behind in another bucket.
        Conflict: Another repo owns the namespace.
        NotFound: The namespace to join is nobody's.
        DataError: Not everything arrived; the old place is used as before.
        LockTimeout: Somebody is writing.
        LeaseLost: A lock was taken over meanwhile; nothing was written since.
        Unavailable: The server does not answer.
    """
    written = open_written(parts)
    target = _open_asked(parts, plan_configuration(parts, choice))
    try:
        return _setup(parts, written, target, choice, on_check=on_check, progress=progress)
    finally:
        written.close()
        target.close()


def _setup(
    parts: Parts,
    written: Parts,
    target: Parts,
    choice: BucketChoice,
    *,
    on_check: Callable[[str], None] | None,
    progress: Progress | None,
) -> BucketSetup:
    finish_interrupted(written, target)
    is_same_place = _is_same_place(written, target)
    if not is_same_place:
        require_no_stale_copy(written, target)
    bucket = target.remote.bucket
    is_created = choice.creates_bucket and _create_bucket(target)
    # One try, so that a wrong address is said at once; then whose place it is, before a scratch object lies in it.
    next(islice(bucket.plain.list(target.layout.prefix_of("_log")), 1), None)
    registry = target.remote.make_registry(target.layout)
    check_claim(registry, target.namespace, parts.config.repo_id, joins=choice.joins)
    report = probe_bucket(target, thoroughness=Thoroughness.QUICK, on_check=on_check)
    require_promises(report, url=target.remote.settings.url, where=bucket.where)
    repo_id = parts.require_repo_id()
    if choice.joins:
        with target.guard.structural_lock(command="datastore setup") as held:
            registry.join(target.namespace, repo_id, check=held.check)
    else:
        registry.claim(target.namespace, repo_id)
    keep_report(target, report, member=repo_id)
    warnings = [*warn_of_missing(written), *_warn(parts, target)]
    document = plan_configuration(
        parts, choice, etag_quoting=report.etag_quoting, wants_checksums=bucket.wants_checksums()
    )
    make_config(document, repo_dir=parts.config.repo_dir, environ=own_environ(parts), flags=Flags())

    def write() -> None:
        write_config_file(parts.world.disk, document, replaces=parts.config.document)

    if is_same_place:
        write()
        moved = Moved()
    else:
        # Opened once more: what was found out about the server counts for the move already.
        final = open_by(parts, document)
        try:
            move = Move(written, final, progress=progress)
            moved = move.run(write, repo_id=repo_id, keeps_source=choice.skips_migration)
        finally:
            final.close()
        warnings += moved.warnings()
    swaps = report.find("if-match")
    if swaps is not None and swaps.result is Result.ABSENT:
        warnings.append({"message": swaps.consequence})
    return BucketSetup(
        url=target.remote.settings.url,
        where=bucket.where,
        settings=target.remote.settings,
        namespace=target.namespace.name,
        hydration=target.config.hydration.value,
        source=written.datastore_place,
        is_created=is_created,
        report=report,
        warnings=tuple(warnings),
        moved=moved,
    )


def plan_s3(parts: Parts, choice: BucketChoice) -> SetupPreview:
    """Say what setting up a bucket would move, and whether the place is free; writes nothing.

    Raises:
        SwampsyncError: See `setup_s3`; the store's promises are not looked at.
    """
    written = open_written(parts)
    target = _open_asked(parts, plan_configuration(parts, choice))
    try:
        is_same_place = _is_same_place(written, target)
        if not is_same_place:
            require_no_stale_copy(written, target)
        warnings = [*warn_of_missing(written)]
        try:
            next(islice(target.remote.bucket.plain.list(target.layout.prefix_of("_log")), 1), None)
        except BucketNotFound:
            if not choice.creates_bucket:
                raise
        else:
            registry = target.remote.make_registry(target.layout)
            check_claim(registry, target.namespace, parts.config.repo_id, joins=choice.joins)
            warnings += _warn(parts, target)
        plan = None if is_same_place or choice.skips_migration else Move(written, target).plan()
        return SetupPreview.of(written, target, plan, tuple(warnings))
    finally:
        written.close()
        target.close()


def _open_asked(parts: Parts, document: ConfigDocument) -> Parts:
    try:
        return open_by(parts, document)
    except InvalidInput as error:
        # The line of a file that was never written would lead nobody anywhere.
        place, _, problem = error.message.partition("` ")
        is_placed = place.startswith(f"`{document.path}:")
        raise InvalidInput(problem if is_placed else error.message, hint="swamp datastore setup s3 --help") from error


def _is_same_place(written: Parts, target: Parts) -> bool:
    now = written.config.datastore
    if not isinstance(now, S3Settings):
        return False
    return now.place == target.remote.settings.place and written.namespace == target.namespace


def _create_bucket(target: Parts) -> bool:
    with ExitStack() as stack:
        admin = stack.enter_context(target.remote.bucket.administer())
        if admin.has_bucket():
            return False
        admin.create_bucket()
        return True


def _warn(parts: Parts, target: Parts) -> Iterator[dict[str, Any]]:
    if parts.environ.get(DATASTORE):
        yield {"message": f"`{DATASTORE}` is set and wins over what was written: unset {DATASTORE}"}
    if target.namespace.is_solo:
        names = [manifest.namespace for manifest in target.registry.list_namespaces()]
        if names:
            message = (
                f"other repos use namespaces there ({', '.join(names)}); take one too:"
                " swamp datastore namespace set NAME"
            )
            yield {"message": message, "existingNamespaces": names}
