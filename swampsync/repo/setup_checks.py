"""What refuses a set-up before anything is written: other people's data, and a store that lies."""

from __future__ import annotations

from typing import Final

from swampsync.artifacts.scan import walk_models
from swampsync.artifacts.tree import no_check
from swampsync.errors import Conflict, Refused
from swampsync.layout import Layout
from swampsync.maintenance.doctor_report import DoctorReport, Result
from swampsync.maintenance.moving_copies import digest_of
from swampsync.maintenance.moving_in import DirectoryTarget
from swampsync.maintenance.moving_items import MoveTally
from swampsync.maintenance.moving_out import TreeSource
from swampsync.maintenance.relocate import holds_files
from swampsync.namespace import Namespace
from swampsync.registry.bucket import BucketRegistry
from swampsync.repo.parts import Parts

_CONDITIONS: Final = ("create-only", "create-only-race", "if-match", "if-match-race")
_SHOWN: Final = 3


def require_no_stale_copy(written: Parts, target: Parts) -> None:
    """Make sure that no local copy of some former bucket lies where the new one's goes.

    Raises:
        Refused: One does; nobody knows whether all of it was published.
    """
    layout = target.layout
    held = [subdir for subdir in layout.subdirs if holds_files(target.world.disk, layout.datastore_path(subdir))]
    if held and not written.config.is_remote:
        raise Refused(
            f"`{layout.root}` holds the local copy of a bucket that was used before ({', '.join(held)})",
            hint=f"when nothing in it is needed any more: mv {layout.base} {layout.base}.old",
            key=layout.root,
        )


# --- a directory ---------------------------------------------------------------------------------------------


def require_own_place(written: Parts, target: Parts) -> None:
    """Make sure that data without a namespace does not get among another project's.

    A directory does not say whose it is: the models do, whose ids no two projects share. Where there are none, one file
    that is there and here tells.

    Raises:
        Refused: Another project's data lies there; what, is said.
    """
    layout, disk = target.layout, target.world.disk
    if not layout.namespace.is_solo:
        return
    held = [subdir for subdir in layout.subdirs if holds_files(disk, layout.datastore_path(subdir))]
    if not held:
        return
    theirs = _models(target, layout)
    ours = _models(written, written.layout) | {
        (model.type, model.id) for model in written.list_definitions(written.namespace)
    }
    foreign = sorted(theirs - ours)
    if not foreign and (theirs or _shares_a_file(written, target)):
        return
    models = ", ".join(f"{kind} {identifier}" for kind, identifier in foreign[:_SHOWN])
    more = " …" if len(foreign) > _SHOWN else ""
    what = f"models that are not this repo's: {models}{more}" if foreign else f"data: {', '.join(held)}"
    raise Refused(
        f"`{layout.base}` holds data of another project ({what})",
        hint="take a namespace of your own there: add --namespace NAME",
        key=layout.base,
    )


def _models(parts: Parts, layout: Layout) -> set[tuple[str, str]]:
    if parts.config.is_remote:
        keys = parts.state.metadata.models(layout.namespace.name)
        return set(keys)
    disk = parts.world.disk
    return {(kind, identifier) for root in layout.data_roots() for kind, identifier, _ in walk_models(disk, root)}


def _shares_a_file(written: Parts, target: Parts) -> bool:
    disk = target.world.disk
    layout = target.layout
    there = DirectoryTarget(disk, layout, MoveTally(), check=no_check)
    source = TreeSource(disk, written.layout, layout)
    return any(there.holds_content(file.relative, digest_of(disk, file.path)) for file in source.files())


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
