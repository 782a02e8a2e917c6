"""Namespaces, as this repo sees and uses them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from swampsync.config.config_file import write_config_file
from swampsync.config.datastore import FilesystemSettings, S3Settings
from swampsync.config.namespace_choice import derive_from_repo
from swampsync.config.settings import build_layout
from swampsync.errors import NotFound, Refused
from swampsync.layout import Layout
from swampsync.maintenance.relocate import holds_files
from swampsync.namespace import SOLO, Namespace
from swampsync.registry import CheckResult, NamespaceManifest, validate_registry
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.registry.access_policy import PolicyFormat
    from swampsync.repo.following import Follower
    from swampsync.repo.migrating import Migrator
    from swampsync.repo.policy import PolicyReport


@dataclass(frozen=True, slots=True)
class NamespaceChange:
    """The namespace that this repo uses from now on.

    Args:
        namespace: Claimed or joined.
        datastore_path: Where the datastore is.
        owner: The repo id that claimed it.
        members: Ids of all repos that may write there.
        has_data_outside: Whether data lies at the un-namespaced path, where it is no longer looked for.
    """

    namespace: Namespace
    datastore_path: str
    owner: str
    members: tuple[str, ...]
    has_data_outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceReport:
    """Everything that is known of a namespace."""

    namespace: Namespace
    owner: str
    registered_at: str
    members: tuple[str, ...]
    metadata: dict[str, Any]
    models: int
    artifacts: int
    versions: int
    size: int

    def to_json(self) -> dict[str, Any]:
        """Make the document that `namespace describe` prints."""
        return {
            "namespace": self.namespace.name,
            "repoId": self.owner,
            "registeredAt": self.registered_at,
            "members": list(self.members),
            "metadata": self.metadata,
            "models": self.models,
            "artifacts": self.artifacts,
            "versions": self.versions,
            "size": self.size,
        }


class Namespaces:
    """Claims, joins, lists and describes namespaces."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def set(self, name: str | None = None) -> NamespaceChange:
        """Claim a namespace and use it; without a name, one made of the repo directory's.

        That it is this repo's already is success.

        Raises:
            InvalidInput: The name cannot be used.
            Conflict: Another repo has claimed it.
        """
        namespace = Namespace.parse(name) if name is not None else derive_from_repo(self._parts.config.repo_dir)
        repo_id = self._parts.require_repo_id()
        self._make_base()
        self._parts.registry.claim(namespace, repo_id)
        return self._use(namespace)

    def join(self, name: str | None = None) -> NamespaceChange:
        """Become a member of a namespace that another repo has claimed, and use it.

        Raises:
            NotFound: Nobody has claimed it.
            LockTimeout: Its structural lock is held.
            LeaseLost: The lock was taken over meanwhile; nothing was written since.
        """
        namespace = Namespace.parse(name) if name is not None else self._parts.home
        if namespace.is_solo:
            raise Refused("a namespace to join is missing", hint="swamp datastore namespace list")
        self._parts.registry.read_manifest(namespace)
        repo_id = self._parts.require_repo_id()
        with self._parts.guard_of(namespace).structural_lock(command="namespace join") as held:
            self._parts.registry.join(namespace, repo_id, check=held.check)
        return self._use(namespace)

    def _make_base(self) -> None:
        # A repo's own `.swamp` is made with it; a shared directory is made by set-up, since it may be a mount.
        if self._parts.layout.base == self._parts.layout.local_path():
            self._parts.world.disk.makedirs(self._parts.layout.base)

    def _use(self, namespace: Namespace) -> NamespaceChange:
        config = self._parts.config
        document = config.document
        if not document.has(("datastore",)) and isinstance(config.datastore, FilesystemSettings):
            document = document.set(("datastore",), {"type": "filesystem", "path": config.datastore.path})
        document = document.set(("datastore", "namespace"), namespace.name)
        write_config_file(self._parts.world.disk, document, replaces=config.document)
        manifest = self._parts.registry.read_manifest(namespace)
        members = self._parts.registry.read_members(namespace).with_members([manifest.repo_id]).members
        return NamespaceChange(
            namespace, self._parts.datastore_place, manifest.repo_id, members, self._has_data_outside()
        )

    def _has_data_outside(self) -> bool:
        plain: Layout = build_layout(self._parts.config, SOLO)
        roots = [plain.datastore_path(subdir) for subdir in plain.subdirs]
        return any(holds_files(self._parts.world.disk, root) for root in roots)

    def unset(self) -> Namespace:
        """Go back to solo mode; data, manifest and members stay; returns the namespace that was used.

        Raises:
            NotFound: No namespace is configured.
            Refused: Other namespaces are in the datastore: without one, this repo's data would lie among them; or, in a
                bucket, the place without a namespace is somebody else's.
        """
        previous = self._parts.home
        if previous.is_solo:
            raise NotFound("no namespace is configured", hint="swamp namespace resolve --explain")
        names = [m.namespace for m in self._parts.registry.list_namespaces()]
        if len(names) > 1:
            raise Refused(
                f"Cannot unset namespace: datastore contains {len(names)} namespaces ({', '.join(names)})."
                " Unsetting is only allowed when a single namespace exists.",
                hint="swamp datastore setup filesystem --path DIR, to take the data elsewhere",
            )
        if self._parts.config.is_remote:
            # In a bucket the place without a namespace has an owner too.
            self._parts.registry.claim(SOLO, self._parts.require_repo_id())
        config = self._parts.config
        document = config.document.unset(("datastore", "namespace"))
        write_config_file(self._parts.world.disk, document, replaces=config.document)
        return previous

    @property
    def migrator(self) -> Migrator:
        """Moves data between the un-namespaced place and the namespace."""
        from swampsync.repo.migrating import Migrator

        return Migrator(self._parts)

    def list(self) -> tuple[list[NamespaceManifest], list[tuple[str, str]]]:
        """List the namespaces of the datastore, and what could not be read."""
        scan = self._parts.registry.scan()
        return list(scan.manifests), [(p.key or "", p.message) for p in scan.problems]

    def describe(self, name: str | None = None) -> NamespaceReport:
        """Say who owns a namespace, who its members are, and how much it holds.

        Raises:
            NotFound: Nobody has claimed it.
        """
        namespace = Namespace.parse(name) if name is not None else self._parts.namespace
        owner = registered_at = ""
        members: tuple[str, ...] = ()
        metadata: dict[str, Any] = {}
        if not namespace.is_solo:
            manifest = self._parts.registry.read_manifest(namespace)
            record = self._parts.registry.read_members(namespace).with_members([manifest.repo_id])
            owner, registered_at = manifest.repo_id, manifest.registered_at
            members, metadata = record.members, dict(record.metadata)
        self._parts.refresh(namespace)
        summaries = self._parts.catalog.model_summaries(namespace.name)
        return NamespaceReport(
            namespace=namespace,
            owner=owner,
            registered_at=registered_at,
            members=members,
            metadata=metadata,
            models=len(summaries),
            artifacts=sum(s.artifacts for s in summaries),
            versions=sum(s.versions for s in summaries),
            size=sum(s.size for s in summaries),
        )

    @cached_property
    def following(self) -> Follower:
        """Which other namespaces are kept catalogued here."""
        from swampsync.repo.following import Follower

        return Follower(self._parts)

    def policy(
        self,
        kind: PolicyFormat,
        *,
        principal: str | None = None,
        reads_only: bool = False,
        bucket: S3Settings | None = None,
    ) -> PolicyReport:
        """Make the least-privilege policy for the namespace; see `swampsync.repo.policy`."""
        from swampsync.repo.policy import write_policy

        return write_policy(self._parts, kind, principal=principal, reads_only=reads_only, bucket=bucket)

    def validate(self) -> tuple[CheckResult, ...]:
        """Check the namespaces of the datastore and this repo's place among them."""
        config = self._parts.config
        return tuple(validate_registry(self._parts.registry, repo_namespace=config.namespace, repo_id=config.repo_id))
