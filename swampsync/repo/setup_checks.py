"""What refuses a set-up before anything is written: data that would be left behind, and a store that lies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from swampsync.errors import Conflict, Refused
from swampsync.layout import Layout
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.relocate import holds_files
from swampsync.namespace import Namespace
from swampsync.registry.bucket import BucketRegistry
from swampsync.repo.parts import Parts

_CONDITIONS: Final = ("create-only", "create-only-race", "if-match", "if-match-race")


def require_empty_repo(parts: Parts, target: Parts) -> None:
    """Make sure that nothing would be left behind: moving data into a bucket is not possible yet.

    Raises:
        Refused: The repo has data.
    """
    if parts.config.is_remote:
        require_empty_bucket(parts)
    held = _held(parts, target.layout, parts.layout.resolve)
    if held:
        raise Refused(
            f"this repo holds data ({', '.join(held)}), and moving data into a bucket is not possible yet",
            hint="set the bucket up in a repo without data, or: swamp datastore setup filesystem --path DIR",
            key=parts.layout.base,
        )
    held = _held(parts, target.layout, target.layout.datastore_path)
    if held:
        raise Refused(
            f"`{target.layout.root}` holds the local copy of a bucket that was used before ({', '.join(held)})",
            hint=f"when nothing in it is needed any more: mv {target.layout.base} {target.layout.base}.old",
            key=target.layout.root,
        )


def require_empty_bucket(parts: Parts) -> None:
    """Make sure that nothing would be left behind in the bucket that is used now.

    Raises:
        Refused: It holds commits, or its local copy holds files.
    """
    prefix = parts.layout.prefix_of("_log")
    held = _held(parts, parts.layout, parts.layout.datastore_path)
    if any(True for _ in islice(parts.remote.unguarded.list(prefix), 1)):
        held = [f"{parts.datastore_place}/{prefix}", *held]
    if held:
        raise Refused(
            f"`{parts.datastore_place}` holds data ({', '.join(held)}), and moving data out of a bucket is not"
            " possible yet",
            hint="keep this repo on its bucket, and set up another one: swamp repo init",
        )


def _held(parts: Parts, layout: Layout, locate: Callable[[str], str]) -> list[str]:
    return [subdir for subdir in layout.subdirs if holds_files(parts.world.disk, locate(subdir))]


# --- the bucket ----------------------------------------------------------------------------------------------


def check_claim(registry: BucketRegistry, namespace: Namespace, repo_id: str | None, *, joins: bool) -> None:
    """Make sure that a namespace can be claimed, or joined; writes nothing.

    Raises:
        Conflict: Another repo owns it.
        NotFound: It shall be joined, and is nobody's.
        Refused: Somebody else's objects lie there.
    """
    if joins:
        registry.read_manifest(namespace)
        return
    try:
        registry.check_claim(namespace, repo_id)
    except Conflict as error:
        raise Conflict(
            error.message,
            hint=f"share it: --namespace {namespace} --join; or take another name: --namespace NAME",
            key=error.key,
        ) from error


def require_promises(report: DoctorReport, *, url: str, where: str) -> None:
    """Make sure that a store may be shared.

    Raises:
        Refused: It breaks a promise that sharing rests on; each is named with what follows.
    """
    if report.is_safe:
        return
    broken = [promise for promise in report.promises if promise.is_missing]
    hint = "use another server, or share a directory: swamp datastore setup filesystem --path DIR"
    removal = report.find("removal")
    if removal is not None and removal.result is Result.ABSENT and broken[0].name in _CONDITIONS:
        # Ceph 16, which keeps them elsewhere: each version is a new object to it, whatever the condition says.
        hint = "with versions kept this server fails conditions: use a bucket without versioning and Object Lock"
    reasons = "; ".join(f"{promise.name}: {promise.consequence}" for promise in broken)
    raise Refused(
        f"`{url}` at {where} cannot be shared safely, it breaks {', '.join(p.name for p in broken)} ({reasons})",
        hint=hint,
    )
