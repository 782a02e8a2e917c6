"""The NamespaceRegistry interface: the same questions to a directory and to a bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from swampsync.namespace import Namespace
from swampsync.registry.claims import ClaimOutcome
from swampsync.registry.manifest import (
    MembersRecord,
    NamespaceDescription,
    NamespaceManifest,
    NamespaceStatistics,
    RegistryScan,
)


class NamespaceRegistry(Protocol):
    """Claims, members and listings of the namespaces of one datastore; reading never creates anything."""

    def claim(self, namespace: Namespace, repo_id: str) -> ClaimOutcome:
        """Claim a namespace for a repo; durable when it returns, and of many at once exactly one wins.

        Raises:
            Conflict: Another repo owns it, and this one is no member.
            DataError: The manifest that is there cannot be read.
            InvalidInput: The namespace is solo, and the datastore does not register that.
        """
        ...

    def require_member(self, namespace: Namespace, repo_id: str) -> None:
        """Make sure that a repo may write in a namespace, claiming it if nobody has; to be called before a write.

        Raises:
            Conflict: Others have it, and this repo is no member.
            DataError: A manifest cannot be read.
        """
        ...

    def join(self, namespace: Namespace, repo_id: str, *, check: Callable[[], None]) -> MembersRecord:
        """Make a repo a member; the caller holds the namespace's structural lock.

        Args:
            namespace: Which.
            repo_id: Who becomes a member.
            check: Makes sure that the lock is still held; called before every write.

        Raises:
            LeaseLost: It is not; nothing was written since.
            NotFound: Nobody has claimed the namespace.
            DataError: A manifest cannot be read.
        """
        ...

    def read_manifest(self, namespace: Namespace) -> NamespaceManifest:
        """Read who owns a namespace.

        Raises:
            NotFound: Nobody has claimed it.
            DataError: The manifest cannot be read, or belongs to another namespace.
        """
        ...

    def read_members(self, namespace: Namespace) -> MembersRecord:
        """Read what we note of a namespace; an empty record if nothing is.

        Raises:
            DataError: It cannot be read.
        """
        ...

    def change_members(self, namespace: Namespace, change: Callable[[MembersRecord], MembersRecord]) -> MembersRecord:
        """Change what we note of a namespace; the caller holds its structural lock.

        Args:
            namespace: Which.
            change: Makes the new record of the one that is there; in a bucket it may be asked again, of a newer one.

        Raises:
            DataError: The record that is there cannot be read.
        """
        ...

    def scan(self) -> RegistryScan:
        """Read all manifests of the datastore."""
        ...

    def list_namespaces(self) -> list[NamespaceManifest]:
        """List what `scan` can read, sorted by name."""
        return list(self.scan().manifests)

    def describe(
        self, namespace: Namespace, *, repo_namespace: Namespace, statistics: NamespaceStatistics | None = None
    ) -> NamespaceDescription:
        """Describe a namespace.

        Args:
            namespace: Which.
            repo_namespace: The one that the asking repo uses.
            statistics: Counted by the caller.

        Raises:
            NotFound: Nobody has claimed it.
            DataError: A manifest cannot be read.
        """
        manifest = self.read_manifest(namespace)
        return NamespaceDescription(
            manifest=manifest,
            record=self.read_members(namespace).with_members([manifest.repo_id]),
            is_current=namespace == repo_namespace,
            statistics=statistics,
        )
