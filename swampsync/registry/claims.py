"""What a claim of a namespace may find, decided and worded the same for directories and buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from swampsync.errors import Conflict, DataError, InvalidInput, NotFound
from swampsync.namespace import Namespace
from swampsync.registry.manifest import MembersRecord, NamespaceManifest


class ClaimOutcome(Enum):
    """What a claim found."""

    CLAIMED = "claimed"  # nobody had it
    OWNED = "owned"  # this repo had it already
    ADOPTED = "adopted"  # a manifest that names no owner; this repo is the first member


def require_named(namespace: Namespace) -> None:
    """Make sure that there is a namespace to register.

    Raises:
        InvalidInput: It is solo.
    """
    if namespace.is_solo:
        raise InvalidInput(
            "solo mode has no namespace to register", hint="choose one: swamp datastore namespace set NAME"
        )


def checked(manifest: NamespaceManifest, directory: str, *, path: str) -> NamespaceManifest:
    """Return a manifest that lies where it belongs.

    Raises:
        DataError: It is that of another namespace.
    """
    if manifest.namespace != directory:
        raise DataError(f"manifest `{path}` is that of another namespace, `{manifest.namespace}`", key=path)
    return manifest


def not_registered(namespace: Namespace, *, path: str) -> NotFound:
    """Make the error for a namespace that nobody has claimed."""
    hint = "swamp datastore namespace list"
    return NotFound(f"namespace `{namespace}` is not registered in this datastore", hint=hint, key=path)


def taken(namespace: Namespace, manifest: NamespaceManifest) -> Conflict:
    """Make the error for a namespace that others have, with both ways out."""
    owner = f"repo `{manifest.repo_id}`" if manifest.repo_id else "a repo that swamp did not name"
    return Conflict(
        f"namespace `{namespace}` is already registered in this datastore by {owner}",
        hint=f"share it: swamp datastore namespace join {namespace}; or take another name: "
        "swamp datastore namespace set NAME",
        key=namespace.name,
    )


def adding(repo_ids: Iterable[str], check: Callable[[], None]) -> Callable[[MembersRecord], MembersRecord]:
    """Make the change that notes further members; each time it is asked, `check` looks at the lock first."""
    members = tuple(repo_ids)

    def add(record: MembersRecord) -> MembersRecord:
        check()
        return record.with_members(members)

    return add
