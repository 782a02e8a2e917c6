"""Who may write where: members do, and the first writer of a configured namespace becomes its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swampsync.errors import NotFound
from swampsync.namespace import Namespace
from swampsync.repo.mounted import require_mounted

if TYPE_CHECKING:
    from swampsync.repo.parts import Parts


_REQUESTS: Final = "membership:"


def require_member(parts: Parts, namespace: Namespace) -> None:
    """Make sure that a repo may write in a namespace.

    What `.swamp.yaml` names is claimed if nobody has it. What only a flag or a variable names is not: a slip of the
    finger would make a namespace of it.

    Raises:
        Conflict: Others have it, and this repo is no member.
        NotFound: Nobody has it, and `.swamp.yaml` does not name it.
        Unavailable: The datastore's directory is not mounted: an empty mount point is no place to begin anew.
    """
    require_mounted(parts, namespace)
    if namespace.is_solo and not parts.config.is_remote:
        return
    if namespace != parts.home:
        try:
            parts.registry.read_manifest(namespace)
        except NotFound as error:
            raise NotFound(
                f"namespace `{namespace}` is not registered in this datastore, and `.swamp.yaml` does not name it",
                hint=f"to claim it: swamp datastore namespace set {namespace}",
                key=str(namespace),
            ) from error
    if parts.config.is_remote:
        parts.syncing.require_member(namespace)
    else:
        parts.registry.require_member(namespace, parts.require_repo_id())


def prove_membership(parts: Parts, namespace: Namespace) -> None:
    """Make sure that this repo may publish in a namespace of a bucket, and remember how many requests that took.

    Raises:
        Conflict: It is no member.
    """
    before = parts.remote.requests.snapshot()
    parts.registry.require_member(namespace, parts.require_repo_id())
    took = (parts.remote.requests.snapshot() - before).requests
    if took != membership_requests(parts, namespace):
        parts.state.settings.put(f"{_REQUESTS}{namespace.name}", str(took))


def membership_requests(parts: Parts, namespace: Namespace) -> int:
    """Return how many requests it took the last time; one if there was none: most repos have claimed their own."""
    return int(parts.state.settings.find(f"{_REQUESTS}{namespace.name}") or 1)
