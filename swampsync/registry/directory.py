"""The registry of a datastore on a directory.

A namespace is claimed by creating its manifest exclusively: complete under another name, then `link()`ed into
place, so that of many at once exactly one wins and nobody reads half a manifest. Reading never creates anything,
and solo, which has no manifest, never writes any of this.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from swampsync.clock import Clock, format_timestamp
from swampsync.disk import Disk, Kind, WriteMode
from swampsync.errors import DataError, LeaseLost, NotFound
from swampsync.layout import Layout
from swampsync.namespace import Namespace
from swampsync.registry.claims import ClaimOutcome, checked, not_registered, require_named, taken
from swampsync.registry.interface import NamespaceRegistry
from swampsync.registry.manifest import (
    MembersRecord,
    NamespaceManifest,
    RegistryScan,
    format_manifest,
    format_members,
    parse_manifest,
    parse_members,
)

# What file systems without hard links answer.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Registry(NamespaceRegistry):
    """Claims, members and listings on a directory; holds no state.

    Args:
        disk: Where.
        clock: For `registeredAt`.
        layout: Of any namespace of the datastore; the one asked for is named in each call.
        new_id: Makes a random text for names of temporary files.
    """

    def __init__(self, disk: Disk, clock: Clock, layout: Layout, *, new_id: Callable[[], str]) -> None:
        self._disk = disk
        self._clock = clock
        self._layout = layout
        self._new_id = new_id

    def claim(self, namespace: Namespace, repo_id: str) -> ClaimOutcome:
        """Claim a namespace for a repo; durable when it returns.

        Raises:
            Conflict: Another repo owns it, and this one is no member.
            NotFound: The datastore's directory does not exist; it is not created, since it may be an absent mount.
            DataError: The manifest that is there cannot be read.
            InvalidInput: The namespace is solo.
        """
        layout = self._scoped(namespace)
        self._make_root(layout)
        manifest = NamespaceManifest(namespace.name, repo_id, format_timestamp(self._clock.now()))
        if self._create(layout.manifest_path(), format_manifest(manifest)):
            self._create(layout.members_path(), format_members(MembersRecord().with_members([repo_id])))
            return ClaimOutcome.CLAIMED
        found = self.read_manifest(namespace)
        if found.repo_id == repo_id:
            return ClaimOutcome.OWNED
        if not found.repo_id:
            # Nobody knows the owner: the first to create the members' file is it, as good as any claim.
            self._create(layout.members_path(), format_members(MembersRecord().with_members([repo_id])))
            if repo_id in self.read_members(namespace).members:
                return ClaimOutcome.ADOPTED
        elif repo_id in self.read_members(namespace).members:
            return ClaimOutcome.OWNED
        raise taken(namespace, found)

    def require_member(self, namespace: Namespace, repo_id: str) -> None:
        """Make sure that a repo may write in a namespace, claiming it if nobody has; to be called before a write.

        Raises:
            Conflict: Others have it, and this repo is no member.
            NotFound: The datastore's directory does not exist.
            DataError: A manifest cannot be read.
        """
        if namespace.is_solo:
            return
        try:
            manifest = self.read_manifest(namespace)
        except NotFound:
            self.claim(namespace, repo_id)
            return
        if manifest.repo_id == repo_id or repo_id in self.read_members(namespace).members:
            return
        if manifest.repo_id:
            raise taken(namespace, manifest)
        self.claim(namespace, repo_id)

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
        manifest = self.read_manifest(namespace)
        record = self.read_members(namespace).with_members([manifest.repo_id, repo_id])
        self.write_members(namespace, record, check=check)
        return record

    def withdraw(self, namespace: Namespace, repo_id: str) -> None:
        """Give a namespace up that holds nothing any more; the caller holds its structural lock.

        Killed in between, the owner's manifest still stands. The directory goes too if nothing is left in it.

        Raises:
            NotFound: Nobody has claimed it.
            Conflict: Another repo owns it.
        """
        layout = self._scoped(namespace)
        manifest = self.read_manifest(namespace)
        if manifest.repo_id != repo_id:
            raise taken(namespace, manifest)
        for path in (layout.members_path(), layout.manifest_path()):
            with suppress(FileNotFoundError):
                self._disk.unlink(path)
        with suppress(OSError):
            self._disk.rmdir(layout.root)
        self._disk.sync_directory(layout.base)

    def read_manifest(self, namespace: Namespace) -> NamespaceManifest:
        """Read who owns a namespace.

        Raises:
            NotFound: Nobody has claimed it.
            DataError: The manifest cannot be read, or belongs to another namespace.
        """
        path = self._scoped(namespace).manifest_path()
        try:
            data = self._disk.read_bytes(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise not_registered(namespace, path=path) from error
        return checked(parse_manifest(data, path=path), namespace.name, path=path)

    def read_members(self, namespace: Namespace) -> MembersRecord:
        """Read what we note of a namespace; an empty record if nothing is.

        Raises:
            DataError: The file cannot be read.
        """
        path = self._scoped(namespace).members_path()
        try:
            return parse_members(self._disk.read_bytes(path), path=path)
        except (FileNotFoundError, NotADirectoryError):
            return MembersRecord()

    def change_members(self, namespace: Namespace, change: Callable[[MembersRecord], MembersRecord]) -> MembersRecord:
        """Change what we note of a namespace; the caller holds its structural lock.

        Raises:
            DataError: The record that is there cannot be read.
        """
        record = change(self.read_members(namespace))
        self.write_members(namespace, record)
        return record

    def write_members(
        self, namespace: Namespace, record: MembersRecord, *, check: Callable[[], None] | None = None
    ) -> None:
        """Replace what we note of a namespace; the caller holds its structural lock.

        Raises:
            LeaseLost: `check` says that it does not any more; what was there stands.
        """
        path = self._scoped(namespace).members_path()
        if check is not None:
            check()
        temporary = self._write_temporary(path, format_members(record))
        if check is not None:
            # Flushing takes its time, and replacing is what others see.
            try:
                check()
            except LeaseLost:
                self._disk.unlink(temporary)
                raise
        self._disk.rename(temporary, path)
        self._disk.sync_directory(posixpath.dirname(path))

    def scan(self) -> RegistryScan:
        """Read all manifests: of directories at the datastore's root that have one and no dot in front."""
        try:
            entries = self._disk.scandir(self._layout.base)
        except (FileNotFoundError, NotADirectoryError):
            return RegistryScan((), ())
        manifests = []
        problems = []
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith(".") or entry.kind not in {Kind.DIRECTORY, Kind.LINK}:
                continue
            path = self._layout.manifest_path_of(entry.name)
            try:
                data = self._disk.read_bytes(path)
                manifests.append(checked(parse_manifest(data, path=path), entry.name, path=path))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except DataError as error:
                problems.append(error)
            except OSError as error:
                problems.append(DataError(f"manifest `{path}` cannot be read: {error.strerror}", key=path))
        return RegistryScan(tuple(sorted(manifests)), tuple(problems))

    # --- bytes -------------------------------------------------------------------------------------

    def _scoped(self, namespace: Namespace) -> Layout:
        require_named(namespace)
        return self._layout.of(namespace)

    def _make_root(self, layout: Layout) -> None:
        try:
            self._disk.mkdir(layout.root)
        except FileExistsError:
            return
        except FileNotFoundError as error:
            raise NotFound(
                f"the datastore's directory `{layout.base}` does not exist",
                hint=f"mount it, or if it shall be new: mkdir -p {layout.base}",
                key=layout.base,
            ) from error
        self._disk.sync_directory(layout.base)

    def _create(self, path: str, data: bytes) -> bool:
        """Create a file with its whole content, exclusively; return whether it was us."""
        temporary = self._write_temporary(path, data)
        try:
            self._disk.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._create_without_link(path, data)
        finally:
            self._disk.unlink(temporary)
        self._disk.sync_directory(posixpath.dirname(path))
        return True

    def _create_without_link(self, path: str, data: bytes) -> bool:
        # Still exclusive; only a crash right here can leave a torn manifest, which is then reported as such.
        try:
            with self._disk.open_write(path, WriteMode.CREATE) as file:
                file.write(data)
                file.sync()
        except FileExistsError:
            return False
        self._disk.sync_directory(posixpath.dirname(path))
        return True

    def _write_temporary(self, path: str, data: bytes) -> str:
        temporary = f"{path}.{self._new_id()}.tmp"
        with self._disk.open_write(temporary, WriteMode.CREATE) as file:
            file.write(data)
            file.sync()
        return temporary
